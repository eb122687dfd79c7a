// Devices, apps with their releases, and what happened.
import { code, make, soft, table } from "./dom.js";
import * as words from "./words.js";

const { mark, number, count } = words;
const kReleasesShown = 6;
const kOld = ["◇", "old", "old release"];

const commands = (...lines) => make("pre", { class: "commands" }, code(lines.join("\n")));

// --- devices

function slotChip(name, slot, live) {
  const word = {
    ON_TRIAL: ["◐", "working", "trial"],
    GOOD: ["●", "good", "good"],
    BAD: ["✘", "bad", "bad"],
  }[slot?.state];
  const release = number(slot?.release) ? ` ${slot.release}` : "";
  return make(
    "span",
    { class: live ? "slot live" : "slot", title: slot?.why?.text || undefined },
    make("b", {}, name),
    release,
    " ",
    word ? mark(word) : soft("empty"),
    live && soft(" live"),
  );
}

function upText(app) {
  const restarts = app.instance?.restarts ?? 0;
  if (!app.instance?.id) return "";
  const up = `${words.age(Date.now() - number(app.instance.up_ms))}`;
  return restarts ? [up, " ", make("span", { class: "look" }, count(restarts, "restart"))] : up;
}

function appCells(device, app) {
  if (!app) return [soft("no app"), "", "", "", "", ""];
  const release = number(app.live_release) ? app.live_release : "";
  const state = app.stopped ? words.stateOf("STOPPED") : words.stateOf(app.state);
  const known = device.online
    ? mark(state)
    : [mark(["○", "gone", "unknown"]), soft(`, was ${state[2]}`)];
  return [
    [
      make("strong", {}, app.app),
      ` ${release}`,
      words.wantedInstead(device, app) && [" ", mark(kOld)],
    ],
    known,
    make(
      "span",
      { class: "slots" },
      ["A", "B"].map((name) => slotChip(name, app[name.toLowerCase()], app.live_slot === name)),
    ),
    device.online ? upText(app) : "",
    device.online ? (app.instance?.monitor ?? "") : "",
    (app.ports ?? []).join(", "),
  ];
}

const kDeviceColumns = [
  { title: "Device" },
  { title: "State" },
  { title: "App", label: "App" },
  { title: "" },
  { title: "Slots", label: "Slots" },
  { title: "Up", label: "Up" },
  { title: "Monitor", label: "Monitor" },
  { title: "Ports", label: "Ports" },
  { title: "Memory free", label: "Memory free" },
];

export function drawDevices(devices) {
  if (devices.length === 0) {
    return [
      make("p", { class: "soft" }, "No device yet. On your machine, then on the device:"),
      commands(
        "fleetctl enroll-token --group edge -o edge-1.boot",
        "sudo fleet-agent enroll --bootstrap edge-1.boot",
        "sudo systemctl enable --now fleet-launcher fleet-agent",
      ),
      make("p", {}, mark(["◐", "working", "waiting for the first device…"])),
    ];
  }
  const appsOf = (device) => (device.apps ?? []).filter((app) => app.state !== "REMOVED");
  const rows = devices.flatMap((device) =>
    (appsOf(device).length ? appsOf(device) : [null]).map((app, index) => {
      const first = index === 0;
      const seen = number(device.seen_ms)
        ? `, seen ${words.age(device.seen_ms)} ago`
        : ", never seen";
      const state = device.online
        ? mark(["●", "good", "online"])
        : [mark(["○", "gone", "offline"]), soft(seen)];
      const free = device.online && number(device.inventory?.memory_free_bytes);
      return {
        key: `${device.id} ${app?.app ?? ""}`,
        first,
        cells: [
          first && [make("strong", {}, device.name), " ", soft((device.groups ?? []).join(", "))],
          first && state,
          ...appCells(device, app),
          first && free && words.size(free),
        ],
      };
    }),
  );
  return [table("devices and their apps", kDeviceColumns, rows)];
}

// --- apps and releases

function releaseState(fleet, app, release) {
  if (release.yanked) return mark(["✘", "bad", "yanked"]);
  if (release.number === app.wanted_release) return mark(["●", "good", "wanted"]);
  if (release.devices) return mark(kOld);
  const pushed = fleet.rollouts.find(
    (rollout) =>
      rollout.app === app.name && words.isRelease(rollout) && rollout.release === release.number,
  );
  return pushed && pushed.state !== "ROLLOUT_SUCCEEDED" ? mark(words.rolloutState(pushed)) : "";
}

const kReleaseColumns = [
  { title: "Release" },
  { title: "" },
  { title: "Runs on", label: "Runs on" },
  { title: "Size", label: "Size" },
  { title: "Signed by key", label: "Key" },
  { title: "Manifest", label: "Manifest" },
  { title: "Pushed", label: "Pushed" },
];

export function drawApps(fleet) {
  if (fleet.apps.length === 0) {
    return [
      make("p", { class: "soft" }, "No app yet. In a folder with a manifest.yml:"),
      commands("fleetctl keys delegate dns", "fleetctl push dns --to edge"),
    ];
  }
  return fleet.apps.map((app) => {
    const releases = fleet.releases.get(app.name) ?? [];
    const rows = releases.slice(0, kReleasesShown).map((release) => ({
      key: release.number,
      cells: [
        make("strong", {}, `${app.name} ${release.number}`),
        releaseState(fleet, app, release),
        count(release.devices ?? 0, "device"),
        words.size(release.size_bytes),
        code((release.key_id ?? "").slice(0, 8)),
        code((release.manifest_sha256 ?? "").slice(0, 8)),
        soft(`${release.by || "?"}, ${words.age(release.created_ms)} ago`),
      ],
    }));
    const hidden = releases.length - kReleasesShown;
    return make(
      "article",
      { "data-key": app.name },
      make("h3", {}, app.name, " ", soft(app.description ?? "")),
      table(`releases of ${app.name}`, kReleaseColumns, rows),
      hidden > 0 &&
        make(
          "p",
          { class: "soft" },
          `and ${hidden} older: `,
          code(`fleetctl releases ${app.name}`),
        ),
    );
  });
}

// --- events

function eventMark(event) {
  if (event.rollout_device) return words.stateOf(event.rollout_device.state);
  if (event.kind === "rollout.started") return ["◐", "working", ""];
  if (event.kind === "rollout.ended") return words.rolloutState(event.rollout ?? {});
  if (event.kind === "device.offline") return ["○", "gone", ""];
  return event.kind?.startsWith("device.") && event.kind !== "device.removed"
    ? ["●", "good", ""]
    : ["○", "gone", ""];
}

export function drawEvent(event) {
  const [shape, meaning] = eventMark(event);
  const isRollout = (event.kind ?? "").startsWith("rollout.");
  return make(
    "li",
    { class: isRollout ? "rollout-event" : undefined },
    words.moment(event.time_ms),
    make("span", { class: meaning, "aria-hidden": "true" }, shape),
    make("span", {}, event.text || event.kind || ""),
  );
}
