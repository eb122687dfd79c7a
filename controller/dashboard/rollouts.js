// A rollout and its devices, as they move.
import { code, make, soft } from "./dom.js";
import * as words from "./words.js";

const { mark, number } = words;
const kRowsShown = 60;
const kRowsSeen = 10; // without scrolling

const kUrgency = {
  FAILED: 0,
  REVERTED: 0,
  HELD: 0,
  TRIAL: 1,
  STAGED: 1,
  FETCHING: 1,
  OFFERED: 1,
  WAITING: 2,
};
const urgency = (row) => kUrgency[row.state] ?? 3;

function deviceRow(row) {
  const took =
    number(row.started_ms) && words.hasEnded(row)
      ? words.lasting(number(row.ended_ms) - number(row.started_ms))
      : "";
  const state =
    row.state === "WAITING" && !row.online ? ["○", "gone", "offline"] : words.stateOf(row.state);
  return make(
    "li",
    { "data-key": row.device },
    make("strong", {}, row.device),
    mark(state),
    make("span", { class: "detail" }, row.why?.text || row.detail || ""),
    soft(took),
  );
}

function bar(rollout) {
  const counts = rollout.counts ?? {};
  const parts = [
    ["good", counts.healthy],
    ["working", counts.busy],
    ["bad", (counts.reverted ?? 0) + (counts.failed ?? 0)],
    ["look", counts.held],
    ["gone", (counts.offline ?? 0) + (counts.superseded ?? 0)],
  ];
  return make(
    "div",
    { class: "bar", "aria-hidden": "true" },
    parts.map(([meaning, value]) => {
      const piece = make("i", { class: meaning });
      piece.style.width = `${(100 * (value ?? 0)) / Math.max(1, counts.devices ?? 0)}%`;
      return piece;
    }),
  );
}

export function drawRollout(rollout) {
  const rows = [...(rollout.devices ?? [])];
  const hidden = rows.length - kRowsShown;
  // Where all have room, each keeps its place.
  if (hidden > 0) rows.sort((a, b) => urgency(a) - urgency(b));
  return make(
    "article",
    { class: "rollout", "data-key": rollout.id },
    make(
      "div",
      { class: "head" },
      make(
        "h3",
        {},
        make("a", { href: `/rollouts/${encodeURIComponent(rollout.id)}` }, rollout.id),
        ` ${words.kind(rollout)} ${words.subject(rollout)}`,
      ),
      mark(words.rolloutState(rollout)),
      soft(`to ${rollout.selector} by ${rollout.by || "?"}, ${words.age(rollout.created_ms)} ago`),
    ),
    bar(rollout),
    make("p", {}, words.countsText(rollout)),
    make(
      "ul",
      {
        class: "rows",
        "aria-label": `devices of ${rollout.id}`,
        tabindex: rows.length > kRowsSeen && "0", // so that the keys can scroll it
      },
      rows.slice(0, kRowsShown).map(deviceRow),
    ),
    hidden > 0 &&
      make(
        "p",
        { class: "soft" },
        `and ${hidden} more: `,
        code(`fleetctl rollout show ${rollout.id}`),
      ),
  );
}

/** Those under way, or the last one. */
export function drawRollouts(fleet) {
  const running = fleet.rollouts.filter(words.isRunning);
  const shown = running.length ? running : fleet.rollouts.slice(0, 1);
  if (shown.length) return shown.map((one) => drawRollout(fleet.details.get(one.id) ?? one));
  return [make("p", {}, soft("None yet. The first one is a push; its devices show here, live."))];
}
