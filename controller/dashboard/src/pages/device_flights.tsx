// Flight records: what is known of each guest that failed on a device.
import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { useEvents } from "../live";
import { Card, Console, Mark, Moment } from "../parts";
import type { Flight, FlightList } from "../types";
import * as words from "../words";

const kShown = 8;
const kConsoleLines = 30;

const kOutcomes: Record<string, string> = {
  FLIGHT_TRIAL_FAILED: "the trial failed, what ran before runs on",
  FLIGHT_FIRST_FAILED: "a first install that failed; the app is stopped",
  FLIGHT_REVERTED: "it was live; the other slot took over",
  FLIGHT_RESTARTED: "it was started again",
  FLIGHT_ENDED: "it was left as it is",
};

function consoleLines(data: string | undefined): string[] {
  if (!data) return [];
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  const lines = text
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "·")
    .trimEnd()
    .split("\n");
  return lines.slice(-kConsoleLines);
}

function Record({ flight }: { flight: Flight }) {
  const { record } = flight;
  const why = record.why ?? {};
  const probes = record.probes ?? [];
  const facts = [
    why.exit ?? "",
    record.trap?.kind ? `${record.trap.kind} at ${record.trap.pc}` : "",
    words.num(why.up_ms) ? `ran ${words.lasting(why.up_ms)}` : "",
    record.monitor ?? "",
    record.slot ? `slot ${record.slot}` : "",
    (record.count ?? 1) > 1 ? `${record.count} times in a row` : "",
  ].filter(Boolean);
  const lines = consoleLines(record.console);
  return (
    <details class="flight">
      <summary>
        <Mark sign={["✘", "bad", ""]} word={`${record.app} ${record.release ?? ""}`} />
        <span class="text">{why.text}</span>
        <span class="soft">
          <Moment ms={record.last_ms || flight.received_ms} />
        </span>
      </summary>
      <div class="more">
        <p class="soft">
          {why.fingerprint && (
            <>
              fault <code>{why.fingerprint}</code> ·{" "}
            </>
          )}
          {[...facts, kOutcomes[record.outcome ?? ""] ?? ""].filter(Boolean).join(" · ")}
        </p>
        {probes.length > 0 && (
          <div class="trace">
            <span class="soft">
              {probes.filter((probe) => probe.passed).length} of{" "}
              {words.count(probes.length, "probe")} passed
            </span>
            <span class="ticks" aria-hidden="true">
              {probes.map((probe, index) => (
                <i key={index} class={probe.passed ? "good" : "bad"} title={probe.text} />
              ))}
            </span>
          </div>
        )}
        {lines.length > 0 && (
          <Console
            lines={lines}
            name={`Console of ${record.app} ${record.release}, its last lines`}
          />
        )}
      </div>
    </details>
  );
}

export function FlightsOf({ name, apps }: { name: string; apps: string[] }) {
  const [flights, setFlights] = useState<Flight[]>();
  const wanted = apps.join(",");
  const read = async () => {
    const query = `device=${encodeURIComponent(name)}&last=${kShown}`;
    const lists = await Promise.all(
      apps.map((app) => get<FlightList>(`/v1/apps/${encodeURIComponent(app)}/flights?${query}`)),
    ).catch(() => undefined);
    if (!lists) return;
    const all = lists.flatMap((list) => list.flights ?? []);
    all.sort((a, b) => words.num(b.record.last_ms) - words.num(a.record.last_ms));
    setFlights(all.slice(0, kShown));
  };
  useEffect(() => void read(), [name, wanted]);
  useEvents(
    (events) => {
      if (events.some((event) => event.kind === "flight.recorded" && event.device === name))
        void read();
    },
    [name, wanted],
  );
  return (
    <Card
      title="Flight records"
      id="flights"
      side={<span class="soft">{flights?.length ? `newest ${flights.length}` : ""}</span>}
    >
      {flights?.length === 0 && <p class="soft">No guest has failed here.</p>}
      {flights?.map((flight) => (
        <Record key={`${flight.record.id} ${flight.record.count}`} flight={flight} />
      ))}
    </Card>
  );
}
