// One rollout, live: waves as rows of dots, faults put together, every device, what may be done.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, Refused } from "../api";
import { useEvents } from "../live";
import { Bar, Card, Command, Console, CountWords, Mark, Waiting } from "../parts";
import { appAddress, deviceAddress } from "../route";
import { Rows } from "../rows";
import type { FleetEvent, Rollout, RolloutDevice, Session, Wave } from "../types";
import * as words from "../words";
import { RolloutActs } from "./rollout_acts";
import { Origin } from "./rollout_card";

const kDots = 1000;
const kConsoleLines = 12;
const kAgainMs = 15000;
const kPauseMs = 400;

// The rollout with its devices: read whole once, then moved on by its events.
function useRollout(id: string) {
  const [rollout, setRollout] = useState<Rollout>();
  const [refused, setRefused] = useState<Refused>();
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const read = async () => {
    try {
      setRollout(await get<Rollout>(`/v1/rollouts/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error instanceof Refused) setRefused(error);
    }
  };
  const soon = () => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void read();
    }, kPauseMs);
  };
  useEffect(() => {
    void read();
    const again = setInterval(() => {
      if (!document.hidden) void read();
    }, kAgainMs);
    return () => {
      clearInterval(again);
      clearTimeout(timer.current);
    };
  }, [id]);
  useEvents(
    (events) => {
      if (events.length === 0) return soon();
      const mine = events.filter((event) => event.rollout?.id === id);
      if (mine.length === 0) return;
      const unknown = apply(mine);
      if (unknown) soon();
    },
    [id, rollout === undefined],
  );

  // True if the whole has to be read again.
  const apply = (events: FleetEvent[]): boolean => {
    let unknown = events.some((event) => event.kind !== "device.reported" || !event.rollout_device);
    setRollout((old) => {
      if (!old) return old;
      const fresh = events.filter((event) => words.num(event.id) > words.num(old.last_event));
      if (fresh.length === 0) return old;
      const rows = new Map((old.devices ?? []).map((row) => [row.device, row]));
      let next = old;
      for (const event of fresh) {
        next = { ...next, ...event.rollout, devices: old.devices };
        const row = event.rollout_device;
        if (row && rows.has(row.device)) rows.set(row.device, row);
        else if (row) unknown = true;
      }
      const last = fresh[fresh.length - 1]!;
      return { ...next, last_event: last.id, devices: [...rows.values()] };
    });
    return unknown;
  };
  return { rollout, refused };
}

function Dot({ row }: { row: RolloutDevice }) {
  const [shape, meaning, word] = row.online ? words.stateSign(row.state) : offlineSign(row);
  return (
    <a
      class={meaning}
      href={deviceAddress(row.device)}
      title={`${row.device} ${word}`}
      tabIndex={-1}
    >
      {shape}
    </a>
  );
}

// Who is away and has not ended is offline; who ended keeps its verdict.
function offlineSign(row: RolloutDevice): words.Sign {
  return words.num(row.ended_ms) ? words.stateSign(row.state) : ["○", "gone", "offline"];
}

function Dots({ rows }: { rows: RolloutDevice[] }) {
  return (
    <div class="dots" aria-hidden="true">
      {rows.map((row) => (
        <Dot key={row.device} row={row} />
      ))}
    </div>
  );
}

function WaveRow(props: { wave: Wave; index: number; rollout: Rollout; rows: RolloutDevice[] }) {
  const { wave, index, rollout } = props;
  const opened = words.num(wave.opened_ms);
  const ended = words.num(wave.ended_ms);
  const soak = words.num(rollout.soak_until_ms) - Date.now();
  const isNext = (rollout.wave ?? 1) === index && !opened;
  const when = ended
    ? `took ${words.lasting(ended - opened)}`
    : opened
      ? "under way"
      : isNext && soak > 0
        ? `opens in ${words.lasting(soak)}`
        : "not yet open";
  return (
    <li class={opened ? "open" : "closed"}>
      <div class="wave-head">
        <strong>
          {ended ? "✔" : opened ? "▶" : ""} Wave {index + 1}
        </strong>
        <span class="soft">
          {words.count(wave.counts?.devices ?? 0, "device")}
          {wave.share ? ` (${wave.share})` : ""}, {when}
        </span>
        <CountWords counts={wave.counts} kind={words.kind(rollout)} />
      </div>
      {props.rows.length > 0 && props.rows.length <= kDots ? (
        <Dots rows={props.rows} />
      ) : (
        <Bar counts={wave.counts} kind={words.kind(rollout)} />
      )}
    </li>
  );
}

// How many failed, and where the line is.
function Threshold({ rollout }: { rollout: Rollout }) {
  const { policy, counts = {} } = rollout;
  if (!policy?.max_failed) return null;
  const all = Math.max(1, counts.devices ?? 0);
  const failed = (counts.failed ?? 0) + (counts.reverted ?? 0);
  const limit = policy.max_failed.endsWith("%")
    ? (all * Number.parseFloat(policy.max_failed)) / 100
    : Number(policy.max_failed);
  const scale = Math.max(2 * limit, failed, 1);
  return (
    <div class="threshold">
      <p>
        {failed} failed or reverted of {all}: {((100 * failed) / all).toFixed(1)}%
        <span class="soft">
          , stops above {policy.max_failed}
          {policy.min_finished ? `, once ${policy.min_finished} ended` : ""}
        </span>
      </p>
      <div class="gauge" aria-hidden="true">
        <i
          class={failed > limit ? "bad" : "look"}
          style={{ width: `${(100 * failed) / scale}%` }}
        />
        <b style={{ left: `${(100 * limit) / scale}%` }} />
      </div>
    </div>
  );
}

interface FaultGroup {
  key: string;
  rows: RolloutDevice[];
}

function faultsOf(rows: RolloutDevice[]): FaultGroup[] {
  const groups = new Map<string, RolloutDevice[]>();
  for (const row of rows.filter(words.isBad)) {
    const key = row.why?.fingerprint || row.why?.text || row.detail || "";
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups]
    .map(([key, group]) => ({ key, rows: group }))
    .sort((a, b) => b.rows.length - a.rows.length);
}

function Fault({ group, rollout }: { group: FaultGroup; rollout: Rollout }) {
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

function DeviceRow({ row }: { row: RolloutDevice }) {
  const took = words.num(row.ended_ms) - words.num(row.started_ms);
  return (
    <>
      <a href={deviceAddress(row.device)}>{row.device}</a>
      <Mark sign={row.online ? words.stateSign(row.state) : offlineSign(row)} />
      <span class="detail" title={row.why?.text || row.detail}>
        {row.why?.text || row.detail}
      </span>
      <span class="soft">{row.monitor}</span>
      <span class="number soft">
        {words.num(row.ended_ms) && words.num(row.started_ms) ? words.lasting(took) : ""}
      </span>
    </>
  );
}

function commandsOf(rollout: Rollout): string[] {
  const { app, selector, id } = rollout;
  const lines = [`fleetctl rollout show ${id} -w`];
  if (words.isRunning(rollout)) lines.push(`fleetctl rollout abort ${id}`);
  if (words.isRelease(rollout) && words.num(rollout.previous_release)) {
    lines.push(`fleetctl revert ${app} --to '${selector}'`);
    lines.push(`fleetctl rollback ${app} --release ${rollout.previous_release} --to '${selector}'`);
  }
  return lines;
}

export function RolloutPage({ id, session }: { id: string; session: Session }) {
  const { rollout, refused } = useRollout(id);
  useEffect(() => {
    document.title = `${id} · Unifleet`;
  }, [id]);
  const rows = useMemo(() => rollout?.devices ?? [], [rollout]);
  const faults = useMemo(() => faultsOf(rows), [rows]);
  if (refused) {
    return (
      <Card title={id}>
        <p>{refused.message}</p>
        <p>
          <a href="/rollouts">All rollouts</a>
        </p>
      </Card>
    );
  }
  if (!rollout) return <Waiting what={id} />;
  const waves = rollout.waves ?? [];
  const took = words.num(rollout.ended_ms) - words.num(rollout.created_ms);
  const kind = words.kind(rollout);
  return (
    <>
      <div class="page-head">
        <h1>
          {rollout.id} {kind} <a href={appAddress(rollout.app ?? "")}>{words.subject(rollout)}</a>
        </h1>
        <Mark sign={words.rolloutSign(rollout)} />
        <Origin rollout={rollout} />
      </div>
      <Card
        title="Progress"
        side={<span class="soft">{took > 0 ? `took ${words.lasting(took)}` : ""}</span>}
      >
        <CountWords counts={rollout.counts} kind={kind} />
        {waves.length > 1 ? (
          <ol class="waves">
            {waves.map((wave, index) => (
              <WaveRow
                key={index}
                wave={wave}
                index={index}
                rollout={rollout}
                rows={rows.filter((row) => (row.wave ?? 1) === index + 1)}
              />
            ))}
          </ol>
        ) : (
          <>
            <Bar counts={rollout.counts} kind={kind} />
            {rows.length <= kDots && <Dots rows={rows} />}
          </>
        )}
        <Threshold rollout={rollout} />
        {rollout.verdict && <p class="verdict">{rollout.verdict}</p>}
        {(rollout.halted_why || rollout.paused_why) && (
          <p class="look">▲ {rollout.halted_why || rollout.paused_why}</p>
        )}
        <RolloutActs rollout={rollout} session={session} />
      </Card>
      {faults.length > 0 && (
        <Card title={faults.length === 1 ? "One fault" : `${faults.length} faults`} id="h-faults">
          {faults.map((group) => (
            <Fault key={group.key} group={group} rollout={rollout} />
          ))}
        </Card>
      )}
      <Card title={words.count(rows.length, "device")} id="h-devices">
        <Rows
          class="rollout-rows"
          name={`Devices of ${id}`}
          items={rows}
          keyOf={(row) => row.device}
          row={(row) => <DeviceRow row={row} />}
        />
      </Card>
      <Card title="The same from your terminal">
        <Command lines={commandsOf(rollout)} />
      </Card>
    </>
  );
}
