// All devices, filtered; the filter is the address. Rows come as they are scrolled to.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Card, Command, Mark, Waiting } from "../parts";
import { useResource } from "../resource";
import { deviceAddress, devicesAddress, rename } from "../route";
import { Rows } from "../rows";
import type { DeviceList, DeviceSummary } from "../types";
import * as words from "../words";

const kStates = ["online", "offline", "updating", "look", "bad"] as const;
const kLabelsShown = 12;
const kWritingMs = 250;

const labelsOf = (device: DeviceSummary) =>
  Object.entries(device.labels ?? {}).map(([name, value]) => `${name}=${value}`);
const appsOf = (device: DeviceSummary) =>
  (device.apps ?? []).map((app) =>
    words.num(app.release) ? `${app.app} ${app.release}` : app.app,
  );

function csvOf(devices: DeviceSummary[]): string {
  const quoted = (text: string) => {
    // A spreadsheet must not take a device's words for a formula.
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return `"${safe.replaceAll('"', '""')}"`;
  };
  const rows = devices.map((device) => [
    device.name,
    device.state,
    (device.groups ?? []).join(" "),
    device.board ?? "",
    device.monitor ?? "",
    appsOf(device).join(" "),
    String(device.memory_free_bytes ?? ""),
    words.num(device.seen_ms) ? new Date(words.num(device.seen_ms)).toISOString() : "",
    labelsOf(device).join(" "),
    device.note ?? "",
  ]);
  const head = [
    "name",
    "state",
    "groups",
    "board",
    "monitor",
    "apps",
    "memory_free_bytes",
    "seen",
    "labels",
    "note",
  ];
  return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n");
}

function save(devices: DeviceSummary[]) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(devices)], { type: "text/csv" }));
  link.download = "devices.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

// The labels that most devices have, to filter by.
function chipsOf(devices: DeviceSummary[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const device of devices) {
    for (const label of labelsOf(device)) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const useful = [...counts].filter(([, value]) => value < devices.length);
  return useful.sort((a, b) => b[1] - a[1]).slice(0, kLabelsShown);
}

function Row({ device }: { device: DeviceSummary }) {
  const offline = device.state === "offline";
  return (
    <>
      <a href={deviceAddress(device.name)} class="name">
        {device.name}
      </a>
      <Mark sign={words.deviceSign(device.state)} />
      <span>{(device.groups ?? []).join(", ")}</span>
      <span class="soft board">{device.board}</span>
      <span class="soft monitor">{device.monitor}</span>
      <span>
        {(device.apps ?? []).map((app) => (
          <span key={app.app} class="app">
            {app.app} {words.num(app.release) || ""}
            {words.num(app.wanted) > 0 && words.num(app.release) > 0 && (
              <>
                {" "}
                <Mark sign={["◇", "old", "old"]} />
              </>
            )}
          </span>
        ))}
      </span>
      <span class="number" data-label="free">
        {offline || !words.num(device.memory_free_bytes)
          ? ""
          : words.size(device.memory_free_bytes)}
      </span>
      <span class="number soft" data-label="seen">
        {words.num(device.seen_ms) ? words.age(device.seen_ms) : "never"}
      </span>
      <span class="soft labels">
        {device.note ? (
          <span class={device.state === "bad" ? "bad" : "look"}>{device.note}</span>
        ) : (
          labelsOf(device).join(", ")
        )}
      </span>
    </>
  );
}

function Nothing({ list, query }: { list: DeviceList; query: URLSearchParams }) {
  const nearest = list.nearest ?? [];
  if (!list.fleet_size) {
    return (
      <>
        <p>No device yet. On your machine, then on the device:</p>
        <Command
          lines={[
            "fleetctl enroll-token --group edge -o edge-1.boot",
            "sudo fleet-agent enroll --bootstrap edge-1.boot",
            "sudo systemctl enable --now fleet-launcher fleet-agent",
          ]}
        />
      </>
    );
  }
  return (
    <p>
      {query.get("selector") || query.get("search") || query.get("state")} matches none of{" "}
      {words.count(list.fleet_size, "device")}.
      {nearest.length > 0 && (
        <>
          {" "}
          Nearest:{" "}
          {nearest.map((word, index) => (
            <>
              {index > 0 && ", "}
              <a href={devicesAddress({ selector: word })}>{word}</a>
            </>
          ))}
        </>
      )}{" "}
      <a href="/devices">All devices</a>
    </p>
  );
}

export function DevicesPage({ query }: { query: URLSearchParams }) {
  const selector = query.get("selector") ?? "";
  const state = query.get("state") ?? "";
  const search = query.get("search") ?? "";
  const asked = new URLSearchParams({ selector, state, search }).toString();
  const { data, refused } = useResource<DeviceList>(`/v1/fleet/devices?${asked}`);
  const [last, setLast] = useState<DeviceList>();
  useEffect(() => {
    if (data) setLast(data);
  }, [data]);
  useEffect(() => {
    document.title = "Devices · Unifleet";
  }, []);
  const list = data ?? last;
  const devices = list?.devices ?? [];
  const matched = (list?.matched ?? 0).toLocaleString("en");
  const chips = useMemo(() => chipsOf(devices), [list]);
  const [written, setWritten] = useState(selector || search);
  useEffect(() => setWritten(selector || search), [selector, search]);
  useEffect(() => {
    if (written === (selector || search)) return;
    // A word is looked for anywhere; what reads like a selector is one.
    const isSelector = /[=!,]| in /.test(written);
    const timer = setTimeout(() => {
      const text = written.trim();
      rename(devicesAddress({ state, ...(isSelector ? { selector: text } : { search: text }) }));
    }, kWritingMs);
    return () => clearTimeout(timer);
  }, [written]);
  const toggled = (label: string) => {
    const parts = selector.split(",").filter(Boolean);
    const next = parts.includes(label) ? parts.filter((part) => part !== label) : [...parts, label];
    return devicesAddress({ state, search, selector: next.join(",") });
  };
  return (
    <>
      <h1>Devices</h1>
      <div class="filters">
        <input
          type="search"
          aria-label="Selector or part of a name"
          placeholder="site=lyon, role=resolver or a name"
          spellcheck={false}
          autocomplete="off"
          value={written}
          onInput={(event) => setWritten(event.currentTarget.value)}
        />
        <span class="choice" role="group" aria-label="State">
          <a
            href={devicesAddress({ selector, search })}
            aria-current={state === "" ? "true" : undefined}
          >
            all
          </a>
          {kStates.map((name) => {
            const [shape, meaning, word] = words.deviceSign(name === "online" ? "ok" : name);
            return (
              <a
                key={name}
                href={devicesAddress({ selector, search, state: name })}
                aria-current={state === name ? "true" : undefined}
              >
                <span class={meaning} aria-hidden="true">
                  {shape}
                </span>{" "}
                {word}
              </a>
            );
          })}
        </span>
      </div>
      {chips.length > 0 && (
        <p class="chips" aria-label="Labels">
          {chips.map(([label, value]) => (
            <a
              key={label}
              class="chip"
              href={toggled(label)}
              aria-current={selector.split(",").includes(label) ? "true" : undefined}
            >
              {label} <span class="soft">{value}</span>
            </a>
          ))}
        </p>
      )}
      <Card
        title={list ? `${matched} of ${words.count(list.fleet_size ?? 0, "device")}` : "Devices"}
        id="h-devices"
        class="devices"
        side={
          <button
            type="button"
            class="quiet"
            disabled={devices.length === 0}
            onClick={() => save(devices)}
          >
            CSV
          </button>
        }
      >
        {refused && <p class="bad">{refused.message}</p>}
        {!list && !refused && <Waiting what="the devices" />}
        {list && devices.length === 0 && !refused && <Nothing list={list} query={query} />}
        {devices.length > 0 && (
          <>
            <div class="rows-head device-rows" aria-hidden="true">
              {["Name", "State", "Group", "Board", "Monitor", "Apps", "Free", "Seen", "Labels"].map(
                (name) => (
                  <span
                    key={name}
                    class={name === "Free" || name === "Seen" ? "number" : name.toLowerCase()}
                  >
                    {name}
                  </span>
                ),
              )}
            </div>
            <Rows
              class="device-rows"
              name="Devices"
              items={devices}
              keyOf={(device) => device.name}
              row={(device) => <Row device={device} />}
            />
          </>
        )}
      </Card>
    </>
  );
}
