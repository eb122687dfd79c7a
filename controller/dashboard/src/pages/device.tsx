// One device: how it is, what runs in which slot, what it measured, said and recorded.
import { useEffect, useMemo, useState } from "preact/hooks";
import { send } from "../api";
import { useEvents } from "../live";
import { Act, Card, Command, Mark, Moment, Waiting } from "../parts";
import { Plot, type PlotOptions } from "../plot";
import { useResource } from "../resource";
import { devicesAddress, go } from "../route";
import type { Device, FleetEvent, Sample, Session } from "../types";
import * as words from "../words";
import { AppOnDevice } from "./device_app";
import { ConsoleOf } from "./device_console";
import { FlightsOf } from "./device_flights";
import { EventList } from "./overview";
import { readStream } from "../stream";

const kEvents = 30;

function stateOf(device: Device): words.Sign {
  if (!device.online) return ["○", "gone", "offline"];
  const states = (device.apps ?? []).map((app) => words.stateSign(app.state));
  return (
    states.find(([, meaning]) => meaning === "bad") ??
    states.find(([, meaning]) => meaning === "working") ?? ["●", "good", "online"]
  );
}

function Facts({ device }: { device: Device }) {
  const { inventory = {} } = device;
  const fresh = words.num(inventory.metadata?.fresh_until_ms);
  const until = words.num(device.certificate_until_ms);
  const facts: [string, preact.ComponentChildren][] = [
    ["Board", inventory.board || "unknown"],
    ["Link", device.online ? `up, ${device.address}` : `down, seen ${words.ago(device.seen_ms)}`],
    [
      "Memory",
      `${words.size(inventory.memory_free_bytes)} free of ${words.size(inventory.memory_total_bytes)}`,
    ],
    ["Disk", `${words.size(inventory.disk_free_bytes)} free`],
    ["Agent", device.agent_version || "?"],
    ["Kernel", inventory.kernel || "?"],
    ["Up", words.lasting(inventory.uptime_ms)],
    [
      "Clock",
      inventory.clock_synchronised ? (
        "synchronised"
      ) : (
        <Mark sign={["▲", "look", "not synchronised"]} />
      ),
    ],
    [
      "Metadata",
      inventory.metadata?.why?.text ? (
        <Mark sign={["▲", "look", inventory.metadata.why.text]} />
      ) : fresh ? (
        `fresh for ${words.lasting(fresh - Date.now())}`
      ) : (
        "none yet"
      ),
    ],
    ["Certificate", until ? `${words.lasting(until - Date.now())} left, renews itself` : "?"],
    ["Enrolled", <Moment ms={device.enrolled_ms} seconds={false} />],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

// The head of the page: what one looks for first.
function Head({ device }: { device: Device }) {
  const { inventory = {} } = device;
  const best = (inventory.monitors ?? []).find((monitor) => monitor.usable);
  const facts = [
    inventory.board || "unknown board",
    best ? `${best.name}, ${best.evidence}` : "nothing runs a unikernel here",
    device.online ? `link up, ${device.address}` : `link down, seen ${words.ago(device.seen_ms)}`,
    `agent ${device.agent_version || "?"}`,
    inventory.clock_synchronised ? "clock ok" : "clock not synchronised",
  ];
  return <p class="soft">{facts.join(" · ")}</p>;
}

function Monitors({ device }: { device: Device }) {
  return (
    <ul class="monitors">
      {(device.inventory?.monitors ?? []).map((monitor) => (
        <li key={monitor.name}>
          <Mark
            sign={monitor.usable ? ["●", "good", ""] : ["○", "gone", ""]}
            word={<strong>{monitor.name}</strong>}
          />
          <span class="soft">{monitor.evidence}</span>
        </li>
      ))}
    </ul>
  );
}

function plotsOf(samples: Sample[]): { memory: PlotOptions; cpu: PlotOptions; free: PlotOptions } {
  const x = samples.map((sample) => words.num(sample.at_ms));
  const names = [
    ...new Set(samples.flatMap((sample) => (sample.apps ?? []).map(({ app }) => app))),
  ];
  const colors = ["work", "good", "old", "look"];
  const series = (value: (app: NonNullable<Sample["apps"]>[number]) => number) =>
    names.slice(0, 4).map((name, index) => ({
      name,
      color: colors[index]!,
      values: samples.map((sample) => {
        const app = sample.apps?.find((one) => one.app === name);
        return app ? value(app) : null;
      }),
    }));
  const base = { x, height: 110, axis: 58 };
  return {
    memory: {
      ...base,
      series: series((app) => words.num(app.memory_bytes)),
      format: (value) => words.size(value),
      steps: "bytes",
      least: 1024 * 1024,
    },
    cpu: {
      ...base,
      series: series((app) => (app.cpu_permille ?? 0) / 10),
      format: (value) => `${value}%`,
      least: 5,
    },
    free: {
      ...base,
      series: [
        {
          name: "free",
          color: "good",
          values: samples.map((one) => words.num(one.memory_free_bytes)),
        },
      ],
      format: (value) => words.size(value),
      steps: "bytes",
      least: 1024 * 1024,
    },
  };
}

function Measured({ name }: { name: string }) {
  const { data } = useResource<{ samples?: Sample[]; interval_ms?: string }>(
    `/v1/devices/${encodeURIComponent(name)}/history`,
    { matters: () => false, every_ms: 20000 },
  );
  const samples = data?.samples ?? [];
  const plots = useMemo(() => plotsOf(samples), [data]);
  return (
    <Card
      title="Measured"
      side={<span class="soft">the last hour at most, since the controller started</span>}
    >
      {samples.length < 2 ? (
        <p class="soft">
          A sample comes every {words.lasting(data?.interval_ms ?? 20000)}; wait for the second.
        </p>
      ) : (
        <div class="three">
          <figure>
            <figcaption>Memory of apps</figcaption>
            <Plot options={plots.memory} name="Memory of apps" />
          </figure>
          <figure>
            <figcaption>CPU of apps, of one core</figcaption>
            <Plot options={plots.cpu} name="CPU of apps" />
          </figure>
          <figure>
            <figcaption>Free memory of the device</figcaption>
            <Plot options={plots.free} name="Free memory" />
          </figure>
        </div>
      )}
    </Card>
  );
}

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

function Labels({ device }: { device: Device }) {
  const labels = Object.entries(device.labels ?? {});
  return (
    <p class="chips" aria-label="Groups and labels">
      {(device.groups ?? []).map((group) => (
        <a key={group} class="chip group" href={devicesAddress({ selector: group })}>
          {group}
        </a>
      ))}
      {labels.map(([name, value]) => (
        <a key={name} class="chip" href={devicesAddress({ selector: `${name}=${value}` })}>
          {name}={value}
        </a>
      ))}
      {labels.length === 0 && (
        <span class="soft">
          no label yet: <code>fleetctl device label {device.name} site=lyon</code>
        </span>
      )}
    </p>
  );
}

export function DevicePage({ name, session }: { name: string; session: Session }) {
  const { data: device, refused } = useResource<Device>(`/v1/devices/${encodeURIComponent(name)}`, {
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
  const apps = (device.apps ?? []).filter((app) => app.state !== "REMOVED");
  const first = apps[0]?.app ?? "APP";
  return (
    <>
      <div class="page-head">
        <h1>{device.name}</h1>
        <Mark sign={stateOf(device)} />
        <Head device={device} />
        <Labels device={device} />
      </div>
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
        {session.role === "admin" && (
          <div class="acts">
            <Act
              label="Revoke"
              danger
              effect={`Revoke ${name}`}
              type={name}
              explain={
                <p>
                  Its certificate is refused from now on, and its flight records are deleted. What
                  runs on it runs on. It has to be enrolled again to come back.
                </p>
              }
              act={async () => {
                await send("DELETE", `/v1/devices/${encodeURIComponent(name)}`);
                go("/devices");
              }}
            />
          </div>
        )}
      </Card>
    </>
  );
}
