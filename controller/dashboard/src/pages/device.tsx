// One device: how it is, what runs in which slot, what it measured, said and recorded.
import { useEffect, useState } from "preact/hooks";
import { send } from "../api";
import { useEvents } from "../live";
import { Act, Card, Command, Mark, Waiting } from "../parts";
import { useResource } from "../resource";
import { deviceAddress, go, whyAddress } from "../route";
import { readStream } from "../stream";
import type { Device, FleetEvent, Session } from "../types";
import { AppOnDevice } from "./device_app";
import { ConsoleOf } from "./device_console";
import { Facts, Head, Monitors, stateOf } from "./device_facts";
import { FlightsOf } from "./device_flights";
import { Labels } from "./device_labels";
import { Measured } from "./device_measured";
import { WhyTab } from "./device_why";
import { EventList } from "./overview";

const kEvents = 30;

// The newest events of this device, then live.
function Happened({ name }: { name: string }) {
  const [events, setEvents] = useState<FleetEvent[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const path = `/v1/events?recent=${kEvents}&device=${encodeURIComponent(name)}`;
    const take = (data: string) => {
      const event = JSON.parse(data) as FleetEvent;
      setEvents((old) => [event, ...old].slice(0, kEvents));
    };
    // Live ones come with the page's own stream; this one ends as soon as it has the older ones.
    readStream(path, "", stop.signal, () => setTimeout(() => stop.abort(), 1500), take).catch(
      () => undefined,
    );
    return () => stop.abort();
  }, [name]);
  useEvents(
    (fresh) => {
      const mine = fresh.filter((event) => event.device === name).reverse();
      if (mine.length === 0) return;
      setEvents((old) => {
        const known = new Set(old.map(({ id }) => id));
        return [...mine.filter(({ id }) => !known.has(id)), ...old].slice(0, kEvents);
      });
    },
    [name],
  );
  return (
    <Card title="What happened here">
      <EventList events={events} />
    </Card>
  );
}

function Revoke({ name, session }: { name: string; session: Session }) {
  if (session.role !== "admin") return null;
  return (
    <div class="acts">
      <Act
        label="Revoke"
        danger
        effect={`Revoke ${name}`}
        type={name}
        explain={
          <p>
            Its certificate is refused from now on, and its flight records are deleted. What runs on
            it runs on. It has to be enrolled again to come back.
          </p>
        }
        act={async () => {
          await send("DELETE", `/v1/devices/${encodeURIComponent(name)}`);
          go("/devices");
        }}
      />
    </div>
  );
}

function Tabs({ name, tab }: { name: string; tab: string }) {
  const tabs = [
    ["", "Device", deviceAddress(name)],
    ["why", "Why", whyAddress(name)],
  ] as const;
  return (
    <nav class="choice" aria-label={`About ${name}`}>
      {tabs.map(([key, word, address]) => (
        <a key={key} href={address} aria-current={tab === key ? "page" : undefined}>
          {word}
        </a>
      ))}
    </nav>
  );
}

/** Everything but why. */
function Overall({ device, session }: { device: Device; session: Session }) {
  const { name } = device;
  const apps = (device.apps ?? []).filter((app) => app.state !== "REMOVED");
  const first = apps[0]?.app ?? "APP";
  return (
    <>
      {apps.map((app) => (
        <AppOnDevice key={app.app} device={device} app={app} session={session} />
      ))}
      {apps.length === 0 && (
        <Card title="No app yet">
          <p class="soft">Nothing was pushed to this device.</p>
          <Command lines={`fleetctl push APP --to ${device.name}`} />
        </Card>
      )}
      {apps.length > 0 && <ConsoleOf device={device} apps={apps} />}
      {apps.length > 0 && <Measured name={name} />}
      <FlightsOf name={name} apps={apps.map(({ app }) => app)} />
      <div class="two even">
        <Card title="Device">
          <Facts device={device} />
        </Card>
        <Happened name={name} />
      </div>
      <Card title="What runs a unikernel here">
        <Monitors device={device} />
      </Card>
      <Card title="From your terminal">
        <Command
          lines={[
            `fleetctl device show ${name}`,
            `fleetctl logs ${first} --device ${name} -f`,
            `fleetctl flights ${first} --device ${name}`,
          ]}
        />
        <Revoke name={name} session={session} />
      </Card>
    </>
  );
}

export function DevicePage(props: { name: string; tab: string; session: Session }) {
  const { name, tab, session } = props;
  const {
    data: device,
    refused,
    reload,
  } = useResource<Device>(`/v1/devices/${encodeURIComponent(name)}`, {
    matters: (event) => event.device === name,
    every_ms: 5000,
  });
  useEffect(() => {
    document.title = `${name} · Unifleet`;
  }, [name]);
  const arrived = device !== undefined;
  useEffect(() => {
    if (arrived && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [arrived]);
  if (refused && !device) {
    return (
      <Card title={name}>
        <p>{refused.message}</p>
        <p>
          <a href="/devices">All devices</a>
        </p>
      </Card>
    );
  }
  if (!device) return <Waiting what={name} />;
  return (
    <>
      <div class="page-head">
        <h1>{device.name}</h1>
        <Mark sign={stateOf(device)} />
        <Head device={device} />
        <Labels device={device} session={session} onDone={reload} />
        <Tabs name={name} tab={tab} />
      </div>
      {tab === "why" ? <WhyTab name={name} /> : <Overall device={device} session={session} />}
    </>
  );
}
