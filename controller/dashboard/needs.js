// The sums at the top and what needs a person: pure functions from data to nodes.
import { code, make, soft } from "./dom.js";
import * as words from "./words.js";

const { mark, number, count } = words;
const kItemsShown = 60;
const kConsoleShown = 8;
const kNamesShown = 8;

const isFailed = (app) => ["FAILED", "HELD"].includes(app.state);
const hasFailed = (device) => (device.apps ?? []).some(isFailed);

/** How many devices are how; a device is failed if an app of it is, or its last rollout there. */
export function sums({ devices, rollouts, details }) {
  const online = devices.filter((device) => device.online).length;
  const running = rollouts.filter(words.isRunning);
  const busy = running.reduce((all, rollout) => all + (rollout.counts?.busy ?? 0), 0);
  const failed = new Set(devices.filter(hasFailed).map(({ name }) => name));
  for (const rollout of [...badRollouts({ rollouts, details }), ...running]) {
    const rows = details.get(rollout.id)?.devices ?? [];
    rows.filter(words.isBad).forEach((row) => failed.add(row.device));
  }
  const offline = devices.length - online;
  return { online, offline, busy, failed: failed.size, running: running.length };
}

export function drawSums({ online, offline, busy, failed }) {
  const one = (shape, meaning, value, word) =>
    make(
      "li",
      { class: value ? meaning : "none" },
      make("span", { "aria-hidden": "true" }, shape),
      make("b", {}, String(value)),
      " ",
      word,
    );
  return [
    one("●", "good", online, "online"),
    one("○", "gone", offline, "offline"),
    one("◐", "working", busy, "updating"),
    one("✘", "bad", failed, "reverted or failed"),
  ];
}

/** Each app's last rollout, if it went badly somewhere and no newer one is under way. */
export function badRollouts({ rollouts, details }) {
  const seen = new Set();
  const isLastOfApp = ({ app }) => !seen.has(app) && seen.add(app);
  return rollouts
    .filter((rollout) => rollout.state !== "ROLLOUT_SUPERSEDED" && isLastOfApp(rollout))
    .filter((rollout) => !words.isRunning(rollout) && words.wentBadly(rollout))
    .map((rollout) => details.get(rollout.id) ?? rollout);
}

// The same fault on many devices is one fault, those of most devices first.
function faultsOf(rollout) {
  const faults = new Map();
  for (const row of (rollout.devices ?? []).filter(words.isBad)) {
    const key = row.why?.fingerprint || row.why?.text || row.detail;
    faults.set(key, [...(faults.get(key) ?? []), row]);
  }
  return [...faults.values()].sort((a, b) => b.length - a.length);
}

// "edge-1, edge-2 and 7 more"
function names(rows) {
  const shown = rows.slice(0, kNamesShown).map((row) => row.device);
  const rest = rows.length - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function consoleOf(row) {
  const lines = (row.why?.console_tail ?? []).slice(-kConsoleShown);
  if (lines.length === 0) return null;
  const name = `console of ${row.device}, last ${count(lines.length, "line")}`;
  const text = make(
    "pre",
    { tabindex: "0", "aria-label": name },
    make("code", {}, lines.join("\n")),
  );
  return make("figure", { class: "console" }, make("figcaption", { class: "soft" }, name), text);
}

function factsOf(rows) {
  const why = rows[0].why ?? {};
  const up = number(why.up_ms) ? `up ${words.lasting(why.up_ms)}` : "";
  const fault = why.fingerprint ? `fault ${why.fingerprint}` : "";
  return [names(rows), up, why.exit, fault].filter(Boolean).join(" · ");
}

function faultItem(rollout, rows) {
  const [first] = rows;
  const [shape, meaning, word] = words.stateOf(first.state);
  const { app, id, release } = rollout;
  const what = words.isRelease(rollout) ? `${app} ${release}` : app;
  const where = rows.length === 1 ? first.device : count(rows.length, "device");
  const runs = rows.length === 1 ? "runs" : "run";
  const now = number(first.live_release)
    ? `${runs} ${app} ${first.live_release}`
    : `${app} does not run there`;
  const summary = make(
    "summary",
    {},
    mark([shape, meaning, `${what} ${word} on ${where}`]),
    make("span", {}, first.why?.text || first.detail),
    soft(`${now}, ${words.age(rollout.ended_ms)} ago`),
  );
  // A fault with a fingerprint has a flight record.
  const command = first.why?.fingerprint ? "flights" : "logs";
  const look = `fleetctl ${command} ${app} --device ${first.device} --release ${release}`;
  const further = make("p", {}, code(`fleetctl rollout show ${id}`), " ", code(look));
  const more = make(
    "div",
    { class: "more" },
    make("p", {}, soft(factsOf(rows))),
    consoleOf(first),
    further,
  );
  const key = `${id} ${first.why?.fingerprint || first.why?.text}`;
  return make("li", { "data-key": key }, make("details", { open: true }, summary, more));
}

function rolloutItems(rollout) {
  const faults = faultsOf(rollout);
  if (faults.length) return faults.map((rows) => faultItem(rollout, rows));
  const [shape, meaning] = words.rolloutState(rollout);
  const text = make("span", {}, rollout.verdict || words.subject(rollout));
  const when = soft(`${words.age(rollout.ended_ms)} ago`);
  return [make("li", { "data-key": rollout.id }, mark([shape, meaning, rollout.id]), text, when)];
}

function deviceItems(device, told) {
  const item = (key, shape, meaning, text) =>
    make(
      "li",
      { "data-key": `${device.name} ${key}` },
      mark([shape, meaning, device.name]),
      make("span", {}, text),
    );
  const items = [];
  if (!device.online) {
    const seen = number(device.seen_ms) ? `for ${words.age(device.seen_ms)}` : "and never seen";
    items.push(item("", "▲", "look", `offline ${seen}`));
  }
  for (const app of device.apps ?? []) {
    const wanted = words.wantedInstead(device, app);
    if (isFailed(app) && !told.has(`${device.name} ${app.app}`)) {
      const why = [app.a, app.b].find((slot) => slot?.state === "BAD")?.why?.text;
      const text = `${app.app} ${words.stateOf(app.state)[2]}${why ? `: ${why}` : ""}`;
      items.push(item(app.app, "✘", "bad", text));
    } else if (device.online && wanted) {
      const text = `runs ${app.app} ${app.live_release}, ${wanted} is wanted`;
      items.push(item(app.app, "▲", "look", text));
    }
  }
  return items;
}

/** Sorted by harm: what went wrong, then what is not as it should be. */
export function drawNeeds(fleet) {
  const { devices, rollouts, details } = fleet;
  const bad = badRollouts(fleet);
  const told = new Set(
    bad.flatMap((one) =>
      (one.devices ?? []).filter(words.isBad).map((row) => `${row.device} ${one.app}`),
    ),
  );
  const running = rollouts.filter(words.isRunning);
  const rows = running.flatMap(({ id }) => details.get(id)?.devices ?? []);
  const busy = new Set(rows.map((row) => row.device));
  const quiet = devices.filter((device) => !device.online || !busy.has(device.name));
  const items = [
    ...bad.flatMap(rolloutItems),
    ...quiet.flatMap((device) => deviceItems(device, told)),
  ];
  if (items.length === 0) return [make("p", {}, soft(calmText(rollouts[0])))];
  const list = make("ul", { class: "needs" }, items.slice(0, kItemsShown));
  const hidden = items.length - kItemsShown;
  if (hidden <= 0) return [list];
  return [list, make("p", {}, soft(`and ${hidden} more: `), code("fleetctl status"))];
}

function calmText(last) {
  if (!last || words.isRunning(last)) return "Nothing needs you.";
  const change = `${words.kind(last)} ${words.subject(last)}, ${words.age(last.created_ms)} ago`;
  return `Nothing needs you. Last change: ${change}.`;
}
