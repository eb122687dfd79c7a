// What the API answers, as far as pages read it: the JSON mapping of proto/fleet/v1. 64-bit numbers
// are strings, and a field that is 0 or empty may be left out.
export type Long = string | number | undefined;

export interface Session {
  name: string;
  role: "viewer" | "deployer" | "admin" | "nobody";
  csrf: string;
}

export interface Tile {
  key?: string;
  devices?: number;
  ok?: number;
  updating?: number;
  look?: number;
  bad?: number;
  offline?: number;
}

export interface Need {
  level: "bad" | "look";
  kind: string;
  text?: string;
  devices?: number;
  names?: string[];
  app?: string;
  release?: Long;
  rollout?: string;
  fingerprint?: string;
  since_ms?: Long;
  console_tail?: string[];
  live_release?: Long;
  state?: string;
}

export interface Expiry {
  role: string;
  expires_ms?: Long;
  needs_care?: boolean;
}

export interface Certificates {
  first_until_ms?: Long;
  ending?: number;
}

export interface Overview {
  devices?: number;
  online?: number;
  offline?: number;
  updating?: number;
  bad?: number;
  by?: string;
  groupings?: string[];
  tiles?: Tile[];
  needs?: Need[];
  running?: Rollout[];
  last?: Rollout;
  expiries?: Expiry[];
  certificates?: Certificates;
}

export interface Counts {
  devices?: number;
  waiting?: number;
  busy?: number;
  healthy?: number;
  reverted?: number;
  failed?: number;
  offline?: number;
  held?: number;
  superseded?: number;
}

export interface Reason {
  code?: string;
  text?: string;
  fingerprint?: string;
  console_tail?: string[];
  exit?: string;
  up_ms?: Long;
  probes_passed?: number;
  probes_total?: number;
  memory_bytes?: Long;
  restarts?: number;
}

export interface RolloutDevice {
  device: string;
  state?: string;
  online?: boolean;
  live_release?: Long;
  monitor?: string;
  detail?: string;
  why?: Reason;
  started_ms?: Long;
  ended_ms?: Long;
  address?: string;
  fetched_bytes?: Long;
  wave?: number;
  going_back_to?: Long; // it took the release, and the rollout took it back
}

export interface Wave {
  share?: string;
  counts?: Counts;
  opened_ms?: Long;
  ended_ms?: Long;
}

export interface Policy {
  waves?: string[];
  soak_ms?: Long;
  max_failed?: string;
  min_finished?: number;
  max_unavailable?: { by?: string; count?: number };
  on_failure?: string;
}

export interface Rollout {
  id: string;
  kind?: string;
  app?: string;
  release?: Long;
  previous_release?: Long;
  selector?: string;
  by?: string;
  state?: string;
  created_ms?: Long;
  ended_ms?: Long;
  counts?: Counts;
  devices?: RolloutDevice[];
  verdict?: string;
  last_event?: Long;
  // Of a controller that knows waves.
  policy?: Policy;
  waves?: Wave[];
  wave?: number;
  soak_until_ms?: Long;
  paused_by?: string;
  paused_why?: string;
  halted_why?: string;
}

export interface FleetEvent {
  id?: Long;
  time_ms?: Long;
  kind?: string;
  text?: string;
  by?: string;
  app?: string;
  device?: string;
  rollout?: Rollout;
  rollout_device?: RolloutDevice;
}

export interface AppSummary {
  app: string;
  release?: Long;
  state?: string;
  wanted?: Long;
}

export interface DeviceSummary {
  name: string;
  state: string;
  seen_ms?: Long;
  groups?: string[];
  labels?: Record<string, string>;
  board?: string;
  monitor?: string;
  apps?: AppSummary[];
  memory_free_bytes?: Long;
  agent_version?: string;
  note?: string;
}

export interface DeviceList {
  devices?: DeviceSummary[];
  matched?: number;
  fleet_size?: number;
  nearest?: string[];
  known_values?: string[];
}

export interface Slot {
  state?: string;
  release?: Long;
  why?: Reason;
  since_ms?: Long;
  yanked?: boolean;
}

export interface Instance {
  id?: string;
  monitor?: string;
  up_ms?: Long;
  memory_bytes?: Long;
  memory_limit_bytes?: Long;
  cpu_permille?: number;
  restarts?: number;
  address?: string;
  healthy?: boolean;
}

export interface DeviceApp {
  app: string;
  a?: Slot;
  b?: Slot;
  live_slot?: string;
  live_release?: Long;
  state?: string;
  instance?: Instance;
  ports?: string[];
  stopped?: boolean;
  spare?: Instance;
  candidate_release?: Long;
}

export interface Device {
  id: string;
  name: string;
  online?: boolean;
  seen_ms?: Long;
  groups?: string[];
  labels?: Record<string, string>;
  inventory?: {
    arch?: string;
    board?: string;
    memory_total_bytes?: Long;
    memory_free_bytes?: Long;
    disk_free_bytes?: Long;
    monitors?: { name: string; usable?: boolean; evidence?: string }[];
    kernel?: string;
    uptime_ms?: Long;
    addresses?: string[];
    clock_synchronised?: boolean;
    metadata?: { fresh_until_ms?: Long; why?: Reason };
  };
  apps?: DeviceApp[];
  desired?: { app: string; release?: Long; run?: string }[];
  agent_version?: string;
  enrolled_ms?: Long;
  certificate_until_ms?: Long;
  address?: string;
}

export interface AuditEntry {
  sequence: Long;
  at_ms: Long;
  who?: string;
  from?: string;
  action?: string;
  object?: string;
  detail?: string;
  hash?: string;
}

export interface AuditPage {
  entries?: AuditEntry[];
  head?: { sequence?: Long; hash?: string };
}

export interface WhyRule {
  rule: string;
  text?: string;
}

export interface WhyApp {
  app: string;
  runs?: Long;
  wants?: Long;
  summary?: string;
  wanted_by?: string;
  tried?: string;
  held_by?: WhyRule[];
  clear?: WhyRule[];
  next?: string[];
}

export interface Why {
  device: string;
  apps?: WhyApp[];
  seen?: string;
}

export interface Sample {
  at_ms: Long;
  memory_free_bytes?: Long;
  apps?: { app: string; memory_bytes?: Long; cpu_permille?: number; healthy?: boolean }[];
}

export interface Flight {
  device: string;
  received_ms?: Long;
  record: {
    id: string;
    app: string;
    release?: Long;
    slot?: string;
    monitor?: string;
    outcome?: string;
    count?: number;
    why?: Reason;
    exit_status?: number;
    trap?: { kind?: string; pc?: string; address?: string };
    probes?: { at_ms?: Long; took_ms?: Long; passed?: boolean; text?: string }[];
    console?: string;
    last_ms?: Long;
  };
}

export interface FlightList {
  flights?: Flight[];
  faults?: { fingerprint: string; devices?: number }[];
  kept?: number;
}

export interface App {
  name: string;
  description?: string;
  newest_release?: Long;
  wanted_release?: Long;
  running?: { release?: Long; devices?: number }[];
}

export interface Release {
  app: string;
  number: Long;
  created_ms?: Long;
  by?: string;
  manifest_sha256?: string;
  key_id?: string;
  manifest?: Record<string, unknown>;
  devices?: number;
  yanked?: boolean;
  size_bytes?: Long;
  listed?: boolean;
}

export interface ReleaseHistory {
  releases?: Long[];
  moments?: { at_ms: Long; devices?: number[] }[];
  pushes?: { at_ms: Long; release: Long; rollout: string }[];
}

export interface LogEvent {
  device: string;
  app: string;
  release?: Long;
  instance?: string;
  offset?: Long;
  data?: string;
  time_ms?: Long;
}
