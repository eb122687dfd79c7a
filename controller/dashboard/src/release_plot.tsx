// On how many devices each release of an app ran, stacked; a vertical line is a push.
import { useMemo, useState } from "preact/hooks";
import { Card } from "./parts";
import { Plot, type PlotOptions } from "./plot";
import { useResource } from "./resource";
import type { ReleaseHistory } from "./types";
import { num } from "./words";

const kSpans = [
  [24, "24 h"],
  [24 * 7, "7 d"],
  [24 * 90, "90 d"],
] as const;
// The newest release has the first colour.
const kColors = ["work", "good", "old", "look", "gone", "soft"];

function plotOf(history: ReleaseHistory, app: string): PlotOptions {
  const releases = (history.releases ?? []).map(Number);
  const moments = history.moments ?? [];
  // Sums from the oldest release up, so that each area stands on the one below; largest first.
  const sums = moments.map(({ devices = [] }) => {
    let sum = 0;
    return releases.map((_, index) => (sum += devices[index] ?? 0));
  });
  const series = releases.map((release, index) => ({
    name: `${app} ${release}`,
    color: kColors[Math.min(releases.length - 1 - index, kColors.length - 1)]!,
    values: sums.map((each) => each[index] ?? 0),
  }));
  return {
    x: moments.map((moment) => num(moment.at_ms)),
    series: series.reverse(),
    height: 190,
    stacked: true,
    stepped: true,
    steps: "whole",
    format: (value) => value.toLocaleString("en"),
    lines: (history.pushes ?? [])
      .map((push) => ({ at_ms: num(push.at_ms), text: `${app} ${push.release}` }))
      .sort((a, b) => a.at_ms - b.at_ms),
  };
}

export function ReleasesOverTime({ apps, only }: { apps: string[]; only?: boolean }) {
  const [chosen, setChosen] = useState("");
  const [hours, setHours] = useState(24);
  const app = apps.includes(chosen) ? chosen : (apps[0] ?? "");
  return (
    <Card
      title="Releases over time"
      side={
        <span class="choices-line">
          {apps.length > 1 && !only && (
            <select
              aria-label="App"
              value={app}
              onChange={(event) => setChosen(event.currentTarget.value)}
            >
              {apps.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
          <span class="choice" role="group" aria-label="Time shown">
            {kSpans.map(([value, name]) => (
              <button
                key={value}
                type="button"
                aria-pressed={value === hours}
                onClick={() => setHours(value)}
              >
                {name}
              </button>
            ))}
          </span>
        </span>
      }
    >
      {app ? <AppPlot app={app} hours={hours} /> : <p class="soft">No app yet.</p>}
    </Card>
  );
}

function AppPlot({ app, hours }: { app: string; hours: number }) {
  const { data } = useResource<ReleaseHistory>(
    `/v1/apps/${encodeURIComponent(app)}/history?hours=${hours}`,
    { matters: (event) => event.kind?.startsWith("rollout.") ?? false, every_ms: 30000 },
  );
  const options = useMemo(() => (data ? plotOf(data, app) : undefined), [data, app]);
  if (!options) return <div class="plot empty" />;
  if (options.series.length === 0) return <p class="soft">{app} ran nowhere yet.</p>;
  const now = (data?.moments?.at(-1)?.devices ?? []).map(
    (devices, index) => [data?.releases?.[index], devices] as const,
  );
  return (
    <>
      <p class="legend">
        {options.series.map((one) => {
          const release = one.name.split(" ").at(-1);
          const devices = now.find(([number]) => String(number) === release)?.[1] ?? 0;
          return (
            <span key={one.name}>
              <i class={`swatch ${one.color}`} aria-hidden="true" /> {one.name}
              <span class="soft"> on {devices}</span>
            </span>
          );
        })}
      </p>
      <Plot options={options} name={`Devices by release of ${app}`} />
    </>
  );
}
