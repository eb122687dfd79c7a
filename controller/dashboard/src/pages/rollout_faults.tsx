// What went wrong in a rollout: devices with the same fault are one.
import { Console, Mark } from "../parts";
import { deviceAddress } from "../route";
import type { Rollout, RolloutDevice } from "../types";
import * as words from "../words";

const kConsoleLines = 12;

export interface FaultGroup {
  key: string;
  rows: RolloutDevice[];
}

export function faultsOf(rows: RolloutDevice[]): FaultGroup[] {
  const groups = new Map<string, RolloutDevice[]>();
  // Who was taken back has no fault of its own.
  const faulty = rows.filter(
    (row) => words.isBad(row) && (row.why || !words.num(row.going_back_to)),
  );
  for (const row of faulty) {
    const key = row.why?.fingerprint || row.why?.text || row.detail || "";
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups]
    .map(([key, group]) => ({ key, rows: group }))
    .sort((a, b) => b.rows.length - a.rows.length);
}

export function Fault({ group, rollout }: { group: FaultGroup; rollout: Rollout }) {
  const first = group.rows[0]!;
  const why = first.why ?? {};
  const lines = (why.console_tail ?? []).slice(-kConsoleLines);
  const facts = [
    words.num(why.up_ms) ? `ran ${words.lasting(why.up_ms)}` : "",
    why.exit ?? "",
    why.probes_total ? `${why.probes_passed ?? 0} of ${why.probes_total} probes` : "",
  ].filter(Boolean);
  return (
    <article class="fault">
      <div class="rollout-head">
        <h3>{why.text || first.detail || "no reason told"}</h3>
        <Mark
          sign={words.stateSign(first.state)}
          word={`${words.stateSign(first.state)[2]} on ${words.count(group.rows.length, "device")}`}
        />
      </div>
      <p class="soft">
        {why.fingerprint && (
          <>
            fault <code>{why.fingerprint}</code>
          </>
        )}
        {facts.map((fact) => ` · ${fact}`).join("")}
      </p>
      {lines.length > 0 && <Console lines={lines} name={`Console of ${first.device}`} />}
      <p class="links">
        <a href={`${deviceAddress(first.device)}#flights`}>Flight record of {first.device}</a>
        {first.state === "REVERTED" && words.isRelease(rollout) && (
          <span class="soft">
            these devices will not try {rollout.app} {rollout.release} again
          </span>
        )}
      </p>
    </article>
  );
}
