// One rollout, live: waves as rows of dots, faults put together, every device, what may be done.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, Refused } from "../api";
import { useEvents } from "../live";
import { Card, Command, CountWords, Mark, Waiting } from "../parts";
import { appAddress, deviceAddress } from "../route";
import { Rows } from "../rows";
import type { FleetEvent, Rollout, RolloutDevice, Session } from "../types";
import * as words from "../words";
import { RolloutActs } from "./rollout_acts";
import { Origin } from "./rollout_card";
import { Changes } from "./rollout_diff";
import { Fault, faultsOf } from "./rollout_faults";
import { offlineSign, Threshold, Waves } from "./rollout_waves";

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
  if (rollout.state === "ROLLOUT_RUNNING") lines.push(`fleetctl rollout pause ${id}`);
  if (rollout.state === "ROLLOUT_PAUSED") lines.push(`fleetctl rollout resume ${id}`);
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
        <Waves rollout={rollout} rows={rows} />
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
      {words.isRelease(rollout) && words.num(rollout.previous_release) > 0 && (
        <Changes rollout={rollout} />
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
