// The first dashboard: one read-only page, live by server-sent events. The token comes from the
// address's fragment, which no server sees and which is taken out of the address at once, or from
// the form; it stays in this tab until the tab is closed or the person logs out.
import { element, make, renew } from "./dom.js";
import { clock, isRunning } from "./words.js";
import * as lists from "./lists.js";
import * as needs from "./needs.js";
import { drawRollout, drawRollouts } from "./rollouts.js";

const kEventsShown = 60;
const kSilenceMs = 40000; // the server says something every 15 s
const kRefreshMs = 10000; // what devices measure comes without an event
const kDrawPauseMs = 200;

const asked = /^\/rollouts\/(r-\d+)$/.exec(location.pathname)?.[1];
let token = takeToken() ?? sessionStorage.getItem("token");

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname + location.search);
  return given;
}

class Refused extends Error {}
class Missing extends Error {}

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${token}`, ...options.headers };
  const answer = await fetch(path, { ...options, headers, credentials: "omit" });
  if (answer.status === 401 || answer.status === 403) throw new Refused();
  if (answer.status === 404) throw new Missing(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}
const get = async (path) => (await ask(path, { signal: AbortSignal.timeout(15000) })).json();

// --- the state of the fleet

const ended = new Map(); // rollouts that are over, with their devices: asked for once per outcome

async function detailsOf(rollout) {
  const outcome = JSON.stringify([rollout.state, rollout.ended_ms, rollout.counts]);
  const kept = ended.get(rollout.id);
  if (kept?.outcome === outcome) return kept.full;
  const full = await get(`/v1/rollouts/${encodeURIComponent(rollout.id)}`);
  if (!isRunning(full)) ended.set(rollout.id, { outcome, full });
  return full;
}

async function readFleet() {
  const [{ devices = [] }, { apps = [] }, { rollouts = [] }] = await Promise.all([
    get("/v1/devices"),
    get("/v1/apps"),
    get("/v1/rollouts"),
  ]);
  const fleet = { devices, apps, rollouts, details: new Map(), releases: new Map() };
  const wanted = new Set([
    ...rollouts.filter(isRunning),
    ...rollouts.slice(0, 1),
    ...needs.badRollouts(fleet),
  ]);
  await Promise.all([
    ...[...wanted].map(async (rollout) => fleet.details.set(rollout.id, await detailsOf(rollout))),
    ...apps.map(async (app) =>
      fleet.releases.set(
        app.name,
        (await get(`/v1/apps/${encodeURIComponent(app.name)}/releases`)).releases ?? [],
      ),
    ),
  ]);
  if (asked && !fleet.details.has(asked)) {
    const known = rollouts.find(({ id }) => id === asked) ?? { id: asked };
    const full = await detailsOf(known).catch((error) => {
      if (!(error instanceof Missing)) throw error;
    });
    fleet.details.set(asked, full);
  }
  return fleet;
}

function show(fleet) {
  const sums = needs.sums(fleet);
  renew(element("fleet"), needs.drawSums(sums));
  renew(element("needs"), needs.drawNeeds(fleet));
  renew(element("running"), drawRollouts(fleet));
  const last = sums.running === 0 && fleet.rollouts.length > 0;
  renew(element("h-running"), [new Text(last ? "Last rollout" : "Running now")]);
  renew(element("devices"), lists.drawDevices(fleet.devices));
  renew(element("apps"), lists.drawApps(fleet));
  const one = fleet.details.get(asked);
  renew(element("asked"), [one ? drawRollout(one) : new Text(`No rollout ${asked} here.`)]);
  element("asked-section").hidden = !asked;
  document.title = `${sums.failed ? `✘ ${sums.failed} ` : sums.busy ? "◐ " : ""}Unifleet`;
  element("page").hidden = false;
}

let drawing,
  dueAgain = false,
  timer;

/** Reads and shows the fleet; asked for again meanwhile it does so once more. */
async function draw() {
  if (drawing) {
    dueAgain = true;
    return drawing;
  }
  drawing = (async () => {
    do {
      dueAgain = false;
      show(await readFleet());
    } while (dueAgain);
  })().finally(() => {
    drawing = undefined;
  });
  return drawing;
}

function drawSoon() {
  timer ??= setTimeout(() => {
    timer = undefined;
    draw().catch(fail);
  }, kDrawPauseMs);
}

// --- what happens

const announce = (text) => {
  element("said").textContent = text;
};

function take(event, isNew) {
  const list = element("events");
  list.prepend(lists.drawEvent(event));
  while (list.children.length > kEventsShown) list.lastChild.remove();
  const matters =
    event.kind?.startsWith("rollout.") ||
    event.kind === "device.offline" ||
    event.kind === "device.online";
  if (isNew && matters) announce(event.text ?? "");
  drawSoon();
}

let staleSince,
  lastId = "",
  connection;

function setLive(meaning, text) {
  const live = element("live");
  live.className = meaning;
  if (live.textContent !== text) live.textContent = text;
  document.body.classList.toggle("stale", meaning === "look");
}

// An answer that failed while the stream lives: end the stream, so that one place tries again.
function fail(error) {
  connection?.abort(error);
}

async function follow() {
  connection = new AbortController();
  const { signal } = connection;
  const headers = { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }) };
  const answer = await ask(`/v1/events?recent=${kEventsShown}`, { headers, signal });
  staleSince = undefined;
  setLive("good", "● live");
  const since = Date.now();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "",
    watch;
  try {
    for (;;) {
      clearTimeout(watch);
      watch = setTimeout(() => connection.abort(new Error("silence")), kSilenceMs);
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const field = (name) =>
          block
            .split("\n")
            .filter((line) => line.startsWith(`${name}: `))
            .map((line) => line.slice(name.length + 2))
            .join("\n");
        if (field("id")) lastId = field("id");
        if (!field("data")) continue;
        const event = JSON.parse(field("data"));
        take(event, Number(event.time_ms) > since);
      }
    }
  } finally {
    clearTimeout(watch);
  }
}

// --- from the token to the page, again and again

function askToken(text) {
  sessionStorage.removeItem("token");
  document.title = "Unifleet";
  for (const id of ["page", "who"]) element(id).hidden = true;
  element("login").hidden = false;
  element("refused").textContent = text;
  setLive("gone", "○ not logged in");
  element("token").focus();
}

async function run() {
  element("login").hidden = true;
  let wait_ms = 500;
  for (;;) {
    try {
      const who = await get("/v1/whoami");
      element("name").textContent = `${who.name} (${who.role})`;
      element("who").hidden = false;
      sessionStorage.setItem("token", token);
      await draw();
      wait_ms = 500;
      await follow();
    } catch (error) {
      if (error instanceof Refused) return askToken("That token is not known here.");
    }
    staleSince ??= Date.now();
    setLive("look", `▲ stale since ${clock(staleSince)}`);
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
    wait_ms = Math.min(wait_ms * 2, 4000);
  }
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  element("token").value = "";
  run();
});
element("leave").addEventListener("click", () => {
  sessionStorage.removeItem("token");
  location.reload();
});
addEventListener("hashchange", () => {
  const given = takeToken();
  if (!given) return;
  sessionStorage.setItem("token", given);
  location.reload();
});
setInterval(() => {
  if (!element("page").hidden && !document.hidden && !staleSince) drawSoon();
}, kRefreshMs);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !staleSince && token) drawSoon();
});
if (token) run();
else askToken("");
