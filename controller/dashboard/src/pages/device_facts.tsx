// What a device is: its state, its board, its link, what runs a unikernel on it.
import { Mark, Moment } from "../parts";
import type { Device } from "../types";
import * as words from "../words";

export function stateOf(device: Device): words.Sign {
  if (!device.online) return ["○", "gone", "offline"];
  const states = (device.apps ?? []).map((app) => words.stateSign(app.state));
  return (
    states.find(([, meaning]) => meaning === "bad") ??
    states.find(([, meaning]) => meaning === "working") ?? ["●", "good", "online"]
  );
}

export function Facts({ device }: { device: Device }) {
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
export function Head({ device }: { device: Device }) {
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

export function Monitors({ device }: { device: Device }) {
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
