// The words of API, command line and page alike: a shape, the colour's meaning, a word.
import { make } from "./dom.js";

const STATES = {
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
const ROLLOUTS = {
  ROLLOUT_RUNNING: ["◐", "working", "running"],
  ROLLOUT_PAUSED: ["▲", "look", "paused"],
  ROLLOUT_REVERTING: ["◐", "working", "reverting"],
  ROLLOUT_SUCCEEDED: ["●", "good", "succeeded"],
  ROLLOUT_FAILED: ["✘", "bad", "failed"],
  ROLLOUT_ABORTED: ["✘", "bad", "aborted"],
  ROLLOUT_SUPERSEDED: ["○", "gone", "superseded"],
};
const UNKNOWN = ["○", "gone", "unknown"];

/** Shape and word; the shape is for the eye alone. */
export const mark = ([shape, meaning, word]) =>
  make(
    "span",
    { class: `mark ${meaning}` },
    make("span", { "aria-hidden": "true" }, shape),
    " ",
    word,
  );
export const stateOf = (name) => STATES[name] ?? UNKNOWN;
export const rolloutState = (rollout) => ROLLOUTS[rollout.state] ?? UNKNOWN;

export const number = (value) => Number(value ?? 0);
export const count = (value, one) => `${value} ${one}${value === 1 ? "" : "s"}`;
export const kind = (rollout) => (rollout.kind ?? "KIND_PUSH").replace("KIND_", "").toLowerCase();
export const isRelease = (rollout) => ["push", "rollback"].includes(kind(rollout));
export const isRunning = (rollout) =>
  ["ROLLOUT_RUNNING", "ROLLOUT_PAUSED", "ROLLOUT_REVERTING"].includes(rollout.state);
/** It failed, or a device went back after it was over. */
export function wentBadly({ state, counts = {} }) {
  const { reverted = 0, failed = 0, held = 0 } = counts;
  return state === "ROLLOUT_FAILED" || reverted + failed + held > 0;
}
const BAD = ["REVERTED", "FAILED", "HELD"];
export const isBad = ({ state }) => BAD.includes(state);
export const hasEnded = (device) => number(device.ended_ms) !== 0;

/** "dns 1 → 2", "dns" of an order. */
export function subject(rollout) {
  if (!isRelease(rollout)) return rollout.app;
  const before = number(rollout.previous_release) ? `${rollout.previous_release} → ` : "";
  return `${rollout.app} ${before}${rollout.release}`;
}

/** "2 healthy, 1 under way"; an order that did not want health is "done". */
export function countsText(rollout) {
  const counts = rollout.counts ?? {};
  const runs = !["stop", "delete"].includes(kind(rollout));
  const words = [
    ["healthy", runs ? "healthy" : "done"],
    ["busy", "under way"],
    ["waiting", "waiting"],
    ["reverted", "reverted"],
    ["failed", "failed"],
    ["held", "held"],
    ["superseded", "superseded"],
    ["offline", "offline"],
  ];
  const parts = words
    .filter(([name]) => counts[name])
    .map(([name, word]) => `${counts[name]} ${word}`);
  return `${parts.join(", ") || "none yet"} of ${count(counts.devices ?? 0, "device")}`;
}

export function size(bytes) {
  const kib = number(bytes) / 1024;
  if (kib < 1024) return `${kib.toFixed(0)} KiB`;
  return kib < 1024 ** 2 ? `${(kib / 1024).toFixed(0)} MiB` : `${(kib / 1024 ** 2).toFixed(1)} GiB`;
}
export function lasting(ms) {
  const seconds = Math.max(0, number(ms)) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86400)}d`;
}
/** How long ago, by this machine's clock. */
export function age(ms) {
  const since = Date.now() - number(ms);
  return since < 10000 ? `${Math.max(0, Math.floor(since / 1000))}s` : lasting(since);
}
export function clock(ms) {
  return new Date(number(ms)).toLocaleTimeString([], {
    hourCycle: "h23",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
}
export function moment(ms) {
  const date = new Date(number(ms));
  const today = date.toDateString() === new Date().toDateString();
  const day = today ? "" : `${date.toLocaleDateString([], { day: "numeric", month: "short" })} `;
  return make(
    "time",
    { datetime: date.toISOString(), title: date.toLocaleString() },
    day + clock(ms),
  );
}

const wish = (device, app) => (device.desired ?? []).find((each) => each.app === app);

/** The release that is wanted there while another one runs and no update is under way. */
export function wantedInstead(device, app) {
  const wanted = wish(device, app.app);
  if (wanted?.run !== "RUN" || !number(app.live_release)) return undefined;
  const settled = stateOf(app.state)[1] !== "working";
  return settled && wanted.release !== app.live_release ? wanted.release : undefined;
}
