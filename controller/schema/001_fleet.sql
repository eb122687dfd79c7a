-- What the controller knows of its fleet. Shipped: never edited, a change is the next file.
-- Only BIGINT and TEXT, ids made by us, so that another SQL database can take its place. Texts named
-- *_json are messages of proto/fleet/v1 by their JSON mapping. Times are Unix ms UTC.
CREATE TABLE settings (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
);
CREATE TABLE api_tokens (
  hash TEXT PRIMARY KEY NOT NULL,      -- SHA-256 of the token, hex; the token itself is nowhere
  name TEXT NOT NULL,
  role TEXT NOT NULL,                  -- viewer | deployer | admin
  created_ms BIGINT NOT NULL
);
CREATE TABLE enroll_tokens (
  id TEXT PRIMARY KEY NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  group_name TEXT NOT NULL,
  labels_json TEXT NOT NULL,           -- a LabelChange
  uses BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  by_name TEXT NOT NULL,
  created_ms BIGINT NOT NULL
);
-- A use is bound to the public key that came with it, so that a lost answer can be asked for again.
CREATE TABLE enroll_uses (
  token_id TEXT NOT NULL,
  public_key TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (token_id, public_key)
);
CREATE TABLE devices (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL UNIQUE,
  public_key TEXT NOT NULL,            -- of its certificate, SHA-256, hex
  enrolled_ms BIGINT NOT NULL,
  certificate_until_ms BIGINT NOT NULL,
  revoked BIGINT NOT NULL DEFAULT 0,
  agent_version TEXT NOT NULL DEFAULT '',
  address TEXT NOT NULL DEFAULT '',
  facts_json TEXT NOT NULL DEFAULT '', -- a Telemetry: inventory and apps
  seen_ms BIGINT NOT NULL DEFAULT 0,
  generation BIGINT NOT NULL DEFAULT 0,
  generation_applied BIGINT NOT NULL DEFAULT 0,
  report_sequence BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE device_groups (
  device_id TEXT NOT NULL,
  group_name TEXT NOT NULL,
  PRIMARY KEY (device_id, group_name)
);
CREATE TABLE device_labels (
  device_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (device_id, name)
);
CREATE TABLE metadata (
  role TEXT NOT NULL,                  -- root, targets, snapshot, timestamp, apps.NAME
  version BIGINT NOT NULL,
  text TEXT NOT NULL,                  -- byte for byte as it was signed
  PRIMARY KEY (role, version)
);
CREATE TABLE releases (
  app TEXT NOT NULL,
  number BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  by_name TEXT NOT NULL,
  key_id TEXT NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  manifest_json TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  PRIMARY KEY (app, number)
);
CREATE TABLE rollouts (
  number BIGINT PRIMARY KEY NOT NULL,
  app TEXT NOT NULL,
  state BIGINT NOT NULL,               -- RolloutState
  kind BIGINT NOT NULL,                -- RolloutKind
  release_number BIGINT NOT NULL,
  device_deadline_ms BIGINT NOT NULL,
  first_failure TEXT NOT NULL,
  rollout_json TEXT NOT NULL           -- a Rollout without devices
);
CREATE INDEX rollouts_by_app ON rollouts (app, number);
CREATE INDEX rollouts_by_state ON rollouts (state);
CREATE TABLE rollout_devices (
  rollout BIGINT NOT NULL,
  device_id TEXT NOT NULL,
  app TEXT NOT NULL,
  attempt TEXT NOT NULL UNIQUE,
  state BIGINT NOT NULL,               -- DeviceState
  ended BIGINT NOT NULL,
  deadline_ms BIGINT NOT NULL,         -- 0: none
  before_wanted BIGINT NOT NULL,
  before_release BIGINT NOT NULL,
  before_run BIGINT NOT NULL,
  row_json TEXT NOT NULL,              -- a RolloutDevice
  PRIMARY KEY (rollout, device_id)
);
CREATE INDEX rollout_devices_open ON rollout_devices (device_id, ended);
CREATE INDEX rollout_devices_due ON rollout_devices (deadline_ms) WHERE deadline_ms > 0;
CREATE TABLE desired (
  device_id TEXT NOT NULL,
  app TEXT NOT NULL,
  release_number BIGINT NOT NULL,
  run BIGINT NOT NULL,                 -- DesiredRun
  restart_count BIGINT NOT NULL,
  fall_back BIGINT NOT NULL,
  attempt TEXT NOT NULL,
  rollout TEXT NOT NULL,
  retry_refused BIGINT NOT NULL,
  deadline_ms BIGINT NOT NULL,
  PRIMARY KEY (device_id, app)
);
CREATE TABLE events (
  id BIGINT PRIMARY KEY NOT NULL,
  rollout BIGINT NOT NULL,             -- 0: of none
  app TEXT NOT NULL,
  device TEXT NOT NULL,
  event_json TEXT NOT NULL
);
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY NOT NULL,
  request_sha256 TEXT NOT NULL,
  rollout BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);
