// The fleet on one screen: what needs a person, what runs now, how each site is, what happened.
import { useEffect, useState } from "preact/hooks";
import { recent, useEvents } from "../live";
import { Card, Command, Mark, Moment, Waiting } from "../parts";
import { ReleasesOverTime } from "../release_plot";
import { useResource } from "../resource";
import { deviceAddress, devicesAddress, rolloutAddress } from "../route";
import type { App, Certificates, Expiry, FleetEvent, Long, Overview, Session } from "../types";
import * as words from "../words";
import type { Sign } from "../words";
import { Needs } from "./needs";
import { RolloutCard } from "./rollout_card";
import { Tiles } from "./tiles";

const kRestartedMs = 60000;

function Sum({ sign, value, to }: { sign: Sign; value: number; to: string }) {
  const [shape, meaning, word] = sign;
  return (
    <li class={value ? meaning : "none"}>
      <a href={to}>
        <span class="shape" aria-hidden="true">
          {shape}
        </span>
        <b>{value.toLocaleString("en")}</b> {word}
      </a>
    </li>
  );
}

// Devices renew theirs themselves, long before they end.
function DeviceCertificates({ of }: { of: Certificates }) {
  if (!of.first_until_ms) return null;
  if (!of.ending) return <span class="soft">certs ok</span>;
  const left = words.num(of.first_until_ms) - Date.now();
  const end = left > 0 ? `ends in ${words.lasting(left)}` : "has ended";
  const which = of.ending === 1 ? "1 cert not renewed: it" : `${of.ending} certs not renewed: one`;
  return <Mark sign={["▲", "look", ""]} word={`${which} ${end}`} />;
}

// The signature that ends first, of those that a person has to renew.
function Keys({ expiries }: { expiries: Expiry[] }) {
  const online = ["snapshot", "timestamp"];
  const first = expiries
    .filter(({ role }) => !online.includes(role))
    .sort((a, b) => words.num(a.expires_ms) - words.num(b.expires_ms))[0];
  const late = expiries.filter((role) => role.needs_care);
  if (late[0]) {
    const name = words.roleName(late[0].role);
    const left = words.lasting(words.num(late[0].expires_ms) - Date.now());
    return <Mark sign={["▲", "look", ""]} word={`keys: ${name} ends in ${left}`} />;
  }
  if (!first) return null;
  const left = words.lasting(words.num(first.expires_ms) - Date.now());
  return (
    <span class="soft">
      keys ok: {words.roleName(first.role)} {left}
    </span>
  );
}

function eventSign(event: FleetEvent): Sign {
  if (event.rollout_device) return words.stateSign(event.rollout_device.state);
  if (event.kind === "rollout.started") return ["◐", "working", ""];
  if (event.kind?.startsWith("rollout.")) return words.rolloutSign(event.rollout ?? { id: "" });
  if (event.kind === "flight.recorded") return ["✘", "bad", ""];
  if (event.kind === "device.online" || event.kind === "device.enrolled") return ["●", "good", ""];
  return ["○", "gone", ""];
}

function eventAddress(event: FleetEvent): string | undefined {
  if (event.kind?.startsWith("rollout.") && event.rollout) return rolloutAddress(event.rollout.id);
  return event.device ? deviceAddress(event.device) : undefined;
}

export function EventList({ events }: { events: FleetEvent[] }) {
  if (events.length === 0) return <p class="soft">Nothing yet.</p>;
  return (
    <ol class="events" tabIndex={0} aria-label="What happened, newest first">
      {events.map((event) => {
        const [shape, meaning] = eventSign(event);
        const address = eventAddress(event);
        const text = event.text || event.kind || "";
        return (
          <li key={String(event.id)} class={event.kind?.startsWith("rollout.") ? "important" : ""}>
            <Moment ms={event.time_ms} />
            <span class={meaning} aria-hidden="true">
              {shape}
            </span>
            {address ? <a href={address}>{text}</a> : <span>{text}</span>}
          </li>
        );
      })}
    </ol>
  );
}

function Happened() {
  const [events, setEvents] = useState(() => [...recent]);
  useEvents(() => setEvents([...recent]));
  return (
    <Card title="What happened" class="happened">
      <EventList events={events} />
    </Card>
  );
}

function FirstDevice() {
  return (
    <Card title="No device yet">
      <p>Make a bootstrap file on your machine, copy it to the device, enrol it there:</p>
      <Command
        lines={[
          "fleetctl enroll-token --group edge -o edge-1.boot",
          "sudo fleet-agent enroll --bootstrap edge-1.boot",
          "sudo systemctl enable --now fleet-launcher fleet-agent",
        ]}
      />
      <p>
        <Mark sign={["◐", "working", "waiting for the first device…"]} />
      </p>
    </Card>
  );
}

export function OverviewPage({ session }: { session: Session }) {
  const [by, setBy] = useState(() => localStorage.getItem("tiles-by") ?? "");
  const { data } = useResource<Overview>(`/v1/fleet?by=${encodeURIComponent(by)}`);
  const [kept, keep] = useState<Overview>(); // while the tiles change what they count by
  const { data: apps } = useResource<{ apps?: App[] }>("/v1/apps", {
    matters: (event) => event.kind?.startsWith("rollout.") ?? false,
    every_ms: 60000,
  });
  useEffect(() => {
    if (!data) return;
    keep(data);
    // A fleet without that label any more counts as it thinks best.
    if (by && data.groupings && !data.groupings.includes(by)) setBy("");
  }, [data]);
  const { data: server } = useResource<{ up_ms?: Long }>("/v1/status", { matters: () => false });
  const up = words.num(server?.up_ms);
  const fleet = data ?? kept;
  useEffect(() => {
    const sign = fleet?.bad ? `✘ ${fleet.bad} ` : fleet?.updating ? "◐ " : "";
    document.title = `${sign}Fleet · Unifleet`;
  }, [fleet?.bad, fleet?.updating]);

  if (!fleet) return <Waiting what="the fleet" />;
  const running = fleet.running ?? [];
  const shown = running.length ? running : fleet.last ? [fleet.last] : [];
  const restarted = up > 0 && up < kRestartedMs && (fleet.offline ?? 0) > 0;
  const choose = (name: string) => {
    localStorage.setItem("tiles-by", name);
    setBy(name);
  };
  return (
    <div class="overview">
      <h1 class="heard">Fleet</h1>
      <div class="sums">
        <ul aria-label="Devices">
          <Sum
            sign={["●", "good", "online"]}
            value={fleet.online ?? 0}
            to={devicesAddress({ state: "online" })}
          />
          <Sum
            sign={["○", "gone", "offline"]}
            value={fleet.offline ?? 0}
            to={devicesAddress({ state: "offline" })}
          />
          <Sum
            sign={["◐", "working", "updating"]}
            value={fleet.updating ?? 0}
            to={devicesAddress({ state: "updating" })}
          />
          <Sum
            sign={["✘", "bad", "reverted or failed"]}
            value={fleet.bad ?? 0}
            to={devicesAddress({ state: "bad" })}
          />
        </ul>
        <DeviceCertificates of={fleet.certificates ?? {}} />
        <Keys expiries={fleet.expiries ?? []} />
      </div>
      {restarted && (
        <p class="restarted">
          <Mark
            sign={["◐", "working", ""]}
            word={
              `the controller started ${words.lasting(up)} ago; ` +
              `${fleet.online ?? 0} of ${words.count(fleet.devices ?? 0, "device")} are back`
            }
          />
        </p>
      )}
      {!fleet.devices && <FirstDevice />}
      <Card title="Needs you" class="needs-card">
        <Needs needs={fleet.needs ?? []} last={fleet.last} />
      </Card>
      <div class="two">
        <div class="column">
          <Card title={running.length || !shown.length ? "Running now" : "Last rollout"}>
            {shown.map((rollout) => (
              <RolloutCard key={rollout.id} rollout={rollout} session={session} />
            ))}
            {shown.length === 0 && (
              <>
                <p class="soft">No rollout yet. In a folder with a manifest.yml:</p>
                <Command lines={["fleetctl keys delegate dns", "fleetctl push dns --to edge"]} />
              </>
            )}
          </Card>
          <ReleasesOverTime apps={(apps?.apps ?? []).map(({ name }) => name)} />
        </div>
        <div class="column">
          <Tiles fleet={fleet} onBy={choose} />
          <Happened />
        </div>
      </div>
    </div>
  );
}
