// The first dashboard: one read-only page, live by server-sent events. The token comes from the
// address's fragment (which no server sees) or the form, and stays in this tab.

const element = (id) => document.getElementById(id);
let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token");
if (location.hash) history.replaceState(null, "", location.pathname);

// State words of API, CLI and here alike: the shape, the colour's meaning, the word.
const STATES = {
  WAITING: ["○", "gone", "waiting"], OFFERED: ["◐", "working", "offered"],
  FETCHING: ["◐", "working", "fetching"], STAGED: ["◐", "working", "staged"],
  TRIAL: ["◐", "working", "trial"], HEALTHY: ["●", "good", "healthy"],
  REVERTED: ["✘", "bad", "reverted"], FAILED: ["✘", "bad", "failed"],
  SUPERSEDED: ["○", "gone", "superseded"], HELD: ["▲", "look", "held"],
  STOPPED: ["○", "gone", "stopped"], REMOVED: ["○", "gone", "removed"],
};
const ROLLOUTS = {
  ROLLOUT_RUNNING: ["◐", "working", "running"], ROLLOUT_SUCCEEDED: ["●", "good", "succeeded"],
  ROLLOUT_FAILED: ["✘", "bad", "failed"], ROLLOUT_ABORTED: ["✘", "bad", "aborted"],
  ROLLOUT_SUPERSEDED: ["○", "gone", "superseded"],
};

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}
const mark = ([shape, meaning, word]) => make("span", { class: meaning }, `${shape} ${word}`);
const state = (name) => mark(STATES[name] ?? ["○", "gone", (name ?? "unknown").toLowerCase()]);
const mebibytes = (bytes) => {
  const mib = Number(bytes ?? 0) / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(1)} GiB` : `${mib.toFixed(0)} MiB`;
};
const clock = (ms) => new Date(Number(ms)).toLocaleTimeString([], { hour12: false });
function age(ms) {
  const seconds = Math.max(0, Math.round((Date.now() - Number(ms)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86400)}d`;
}
function table(titles, rows) {
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell ?? ""))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}
function empty(text, ...lines) {
  return make("div", { class: "empty" }, make("p", { class: "soft" }, text),
    ...lines.map((line) => make("code", {}, line)));
}

async function get(path) {
  const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
  if (answer.status === 401 || answer.status === 403) throw new Error("refused");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function slotCell(app) {
  const slot = (name, value) => {
    const live = app.live_slot === name ? " ◀" : "";
    const word = { EMPTY: "empty", ON_TRIAL: "trial", GOOD: "good", BAD: "bad" }[value?.state] ?? "empty";
    return `${name} ${word}${value?.release && value.release !== "0" ? ` ${value.release}` : ""}${live}`;
  };
  return make("span", { class: "soft" }, `${slot("A", app.a)} · ${slot("B", app.b)}`);
}

function drawDevices(devices) {
  if (devices.length === 0) {
    return empty("No device yet. On your machine, then on the device:",
      "fleetctl enroll-token --group edge -o edge.boot",
      "sudo fleet-agent enroll --bootstrap edge.boot", "sudo systemctl enable --now fleet-agent");
  }
  const rows = devices.flatMap((device) => {
    const here = device.online ? mark(["●", "good", "online"]) : mark(["○", "gone", `offline, seen ${age(device.seen_ms)} ago`]);
    const apps = device.apps?.length ? device.apps : [null];
    return apps.map((app, index) => [
      index === 0 ? make("strong", {}, device.name) : "", index === 0 ? here : "",
      index === 0 ? (device.groups ?? []).join(", ") : "",
      app ? `${app.app} ${app.live_release ?? ""}` : make("span", { class: "soft" }, "no app"),
      app ? state(app.state) : "", app ? slotCell(app) : "",
      app?.instance?.monitor ?? "", (app?.ports ?? []).join(", "),
      index === 0 ? mebibytes(device.inventory?.memory_free_bytes) : "",
    ]);
  });
  return table(["Name", "State", "Group", "App", "", "Slots", "Monitor", "Ports", "Memory free"], rows);
}

function drawRollout(rollout) {
  const counts = rollout.counts ?? {};
  const total = Math.max(1, counts.devices ?? 0);
  const parts = [["good", counts.healthy], ["working", counts.busy],
    ["bad", (counts.reverted ?? 0) + (counts.failed ?? 0)], ["gone", counts.offline]];
  const words = `${counts.healthy ?? 0} ● · ${counts.busy ?? 0} ◐ · ${(counts.reverted ?? 0) + (counts.failed ?? 0)} ✘ · ${counts.offline ?? 0} ○ of ${counts.devices ?? 0}`;
  const bar = make("div", { class: "bar", role: "img", "aria-label": words });
  for (const [meaning, count] of parts) {
    if (!count) continue;
    const piece = make("i", { class: meaning });
    piece.style.width = `${(100 * count) / total}%`;
    bar.append(piece);
  }
  const before = Number(rollout.previous_release ?? 0) ? `${rollout.previous_release} → ` : "";
  const kind = (rollout.kind ?? "").replace("KIND_", "").toLowerCase();
  return make("div", { class: "rollout" },
    make("div", { class: "head" }, make("h3", {}, `${rollout.id} ${kind} ${rollout.app} ${before}${rollout.release ?? ""}`),
      mark(ROLLOUTS[rollout.state] ?? ["○", "gone", "unknown"]),
      make("span", { class: "soft" }, `to ${rollout.selector} by ${rollout.by ?? ""}, ${age(rollout.created_ms)} ago`)),
    bar, make("div", {}, words), rollout.verdict ? make("p", { class: "soft" }, rollout.verdict) : null);
}

function drawRollouts(rollouts) {
  const running = rollouts.filter((rollout) => rollout.state === "ROLLOUT_RUNNING");
  if (running.length) return running.map(drawRollout);
  const last = rollouts[0];
  return last ? [make("p", { class: "soft" }, "Nothing runs. The last one:"), drawRollout(last)]
    : [empty("No rollout yet. The first is one command:", "fleetctl push dns --to edge")];
}

async function drawApps(apps) {
  if (apps.length === 0) return [empty("No app yet. In a folder with a manifest.yml:", "fleetctl push dns --to edge")];
  const rows = [];
  for (const app of apps) {
    const { releases = [] } = await get(`/v1/apps/${encodeURIComponent(app.name)}/releases`);
    for (const release of releases.slice(0, 6)) {
      rows.push([make("strong", {}, `${app.name} ${release.number}`),
        release.number === app.wanted_release ? mark(["●", "good", "wanted"]) : "",
        `${release.devices ?? 0} devices`, make("code", {}, (release.manifest_sha256 ?? "").slice(0, 8)),
        make("span", { class: "soft" }, `${release.by ?? ""}, ${age(release.created_ms)} ago`)]);
    }
  }
  return [table(["Release", "", "Runs on", "Digest", "Pushed"], rows)];
}

let drawing = false, again = false;
async function draw() {
  if (drawing) { again = true; return; }
  drawing = true;
  try {
    const [{ devices = [] }, { apps = [] }, { rollouts = [] }] = await Promise.all(
      [get("/v1/devices"), get("/v1/apps"), get("/v1/rollouts")]);
    const online = devices.filter((device) => device.online).length;
    element("fleet").textContent = `${devices.length} devices · ${online} ● online · ${devices.length - online} ○ offline`;
    element("devices").replaceChildren(drawDevices(devices));
    element("running").replaceChildren(...drawRollouts(rollouts));
    element("apps").replaceChildren(...await drawApps(apps));
  } finally {
    drawing = false;
    if (again) { again = false; draw(); }
  }
}

function addEvent(event) {
  element("events").prepend(make("li", {}, make("time", {}, clock(event.time_ms)), make("span", {}, event.text || event.kind)));
  while (element("events").children.length > 40) element("events").lastChild.remove();
}

function setLive(meaning, text) {
  element("live").className = meaning;
  element("live").textContent = text;
}

let lastId = "";
async function follow() {
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
  if (lastId) headers["last-event-id"] = lastId;
  const answer = await fetch("/v1/events?recent=40", { headers });
  if (!answer.ok) throw new Error(answer.status === 401 ? "refused" : `events: ${answer.status}`);
  setLive("good", "● live");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "", timer;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      const id = lines.find((line) => line.startsWith("id:"));
      if (id) lastId = id.slice(3).trim();
      if (!data) continue;
      addEvent(JSON.parse(data));
      clearTimeout(timer);
      timer = setTimeout(draw, 80);
    }
  }
}

function askToken(refused) {
  element("page").hidden = true;
  element("login").hidden = false;
  element("refused").textContent = refused ? "That token is not known here." : "";
  setLive("gone", "○ not logged in");
}

async function run() {
  element("login").hidden = true;
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      await draw();
      sessionStorage.setItem("token", token);
      element("page").hidden = false;
      await follow();
      wait = 500;
    } catch (error) {
      if (error.message === "refused") { sessionStorage.removeItem("token"); askToken(true); return; }
    }
    setLive("look", `▲ stale since ${clock(Date.now())}`);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value.trim();
  run();
});
setInterval(() => { if (!element("page").hidden) draw().catch(() => {}); }, 10000);
if (token) run(); else askToken(false);
