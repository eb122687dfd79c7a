// The words of API, command line and page alike: a shape, the colour's meaning, a word.
import type { Counts, Long, Rollout, RolloutDevice } from "./types";

export type Meaning = "good" | "working" | "look" | "bad" | "gone" | "old";
export type Sign = [shape: string, meaning: Meaning, word: string];

const kStates: Record<string, Sign> = {
  WAITING: ["○", "gone", "waiting"],
  OFFERED: ["◐", "working", "offered"],
  FETCHING: ["◐", "working", "fetching"],
  STAGED: ["◐", "working", "staged"],
  TRIAL: ["◐", "working", "trial"],
  HEALTHY: ["●", "good", "healthy"],
  REVERTED: ["✘", "bad", "reverted"],
  FAILED: ["✘", "bad", "failed"],
  SUPERSEDED: ["○", "gone", "superseded"],
  HELD: ["▲", "look", "held"],
  STOPPED: ["○", "gone", "stopped"],
  REMOVED: ["○", "gone", "removed"],
};
const kRollouts: Record<string, Sign> = {
  ROLLOUT_RUNNING: ["◐", "working", "running"],
  ROLLOUT_PAUSED: ["▲", "look", "paused"],
  ROLLOUT_REVERTING: ["◐", "bad", "reverting"],
  ROLLOUT_SUCCEEDED: ["●", "good", "succeeded"],
  ROLLOUT_FAILED: ["✘", "bad", "failed"],
  ROLLOUT_ABORTED: ["✘", "bad", "aborted"],
  ROLLOUT_SUPERSEDED: ["○", "gone", "superseded"],
};
const kDevices: Record<string, Sign> = {
  ok: ["●", "good", "online"],
  updating: ["◐", "working", "updating"],
  look: ["▲", "look", "needs a look"],
  bad: ["✘", "bad", "failed"],
  offline: ["○", "gone", "offline"],
};
const kSlots: Record<string, Sign> = {
  ON_TRIAL: ["◐", "working", "on trial"],
  GOOD: ["●", "good", "good"],
  BAD: ["✘", "bad", "bad"],
  EMPTY: ["○", "gone", "empty"],
};
const kUnknown: Sign = ["○", "gone", "unknown"];

export const stateSign = (name?: string): Sign => kStates[name ?? ""] ?? kUnknown;
export const rolloutSign = (rollout: Rollout): Sign => kRollouts[rollout.state ?? ""] ?? kUnknown;
export const deviceSign = (state: string): Sign => kDevices[state] ?? kUnknown;
export const slotSign = (state?: string): Sign => kSlots[state ?? ""] ?? kSlots.EMPTY!;

export const num = (value: Long): number => Number(value ?? 0);
export const count = (value: number, one: string) =>
  `${value.toLocaleString("en")} ${one}${value === 1 ? "" : "s"}`;
export const kind = (rollout: Rollout) =>
  (rollout.kind ?? "KIND_PUSH").replace("KIND_", "").toLowerCase();
export const isRelease = (rollout: Rollout) =>
  ["push", "rollback", "stage"].includes(kind(rollout));
/** It has no verdict yet. */
export const isRunning = ({ state }: Rollout) =>
  ["ROLLOUT_RUNNING", "ROLLOUT_PAUSED", "ROLLOUT_REVERTING"].includes(state ?? "");
export const isBad = ({ state }: RolloutDevice) =>
  ["REVERTED", "FAILED", "HELD"].includes(state ?? "");

/** "dns 1 → 2"; "dns" of an order. */
export function subject(rollout: Rollout): string {
  if (!isRelease(rollout)) return rollout.app ?? "";
  const before = num(rollout.previous_release) ? `${rollout.previous_release} → ` : "";
  return `${rollout.app} ${before}${rollout.release}`;
}
export const title = (rollout: Rollout) => `${kind(rollout)} ${subject(rollout)}`;

/** The counts of a rollout as signs with their number, without those that are 0. */
export function countSigns(counts: Counts = {}, kindOf = "push"): [Sign, number][] {
  const done = ["stop", "delete"].includes(kindOf) ? "done" : "healthy";
  const all: [Sign, number][] = [
    [["●", "good", done], counts.healthy ?? 0],
    [["◐", "working", "busy"], counts.busy ?? 0],
    [["✘", "bad", "reverted"], counts.reverted ?? 0],
    [["✘", "bad", "failed"], counts.failed ?? 0],
    [["▲", "look", "held"], counts.held ?? 0],
    [["○", "gone", "waiting"], counts.waiting ?? 0],
    [["○", "gone", "offline"], counts.offline ?? 0],
    [["○", "gone", "superseded"], counts.superseded ?? 0],
  ];
  return all.filter(([, value]) => value > 0);
}

export function size(bytes: Long): string {
  const kib = num(bytes) / 1024;
  if (kib < 1024) return `${kib.toFixed(kib < 10 && kib > 0 ? 1 : 0)} KiB`;
  const mib = kib / 1024;
  return mib < 1024 ? `${mib.toFixed(mib < 10 ? 1 : 0)} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
}

/** "0.3 s", "12 s", "4 min", "3 h", "12 d" */
export function lasting(ms: Long): string {
  const seconds = Math.max(0, num(ms)) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}
/** What is left of a wait, in whole seconds: "9 s", "2:05 min"; hours as lasting() says them. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds >= 3600) return lasting(ms);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
}
/** How long ago, by this machine's clock. */
export function age(ms: Long): string {
  const since = Math.max(0, Date.now() - num(ms));
  return since < 10000 ? `${Math.floor(since / 1000)} s` : lasting(since);
}
export const ago = (ms: Long) => {
  if (!num(ms)) return "never";
  return Date.now() - num(ms) < 3000 ? "just now" : `${age(ms)} ago`;
};

export function clock(ms: Long): string {
  return new Date(num(ms)).toLocaleTimeString("en-GB");
}
export function shortClock(ms: Long): string {
  return clock(ms).slice(0, 5);
}
export const isToday = (ms: Long) => new Date(num(ms)).toDateString() === new Date().toDateString();
export function day(ms: Long): string {
  return new Date(num(ms)).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

/** The role that signs, as people read it: "apps.dns" is "apps/dns". */
export const roleName = (role: string) => role.replace(/^apps\./, "apps/");
