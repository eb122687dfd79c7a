// What a device measured: memory and CPU of its apps, and what is free.
import { useMemo } from "preact/hooks";
import { Card } from "../parts";
import { Plot, type PlotOptions } from "../plot";
import { useResource } from "../resource";
import type { Sample } from "../types";
import * as words from "../words";

const kGapMs = 25 * 60 * 1000; // two spans of ten minutes, and patience

// Where nothing was measured, no line is drawn.
function withGaps(samples: Sample[]): Sample[] {
  const out: Sample[] = [];
  for (const sample of samples) {
    const before = words.num(out.at(-1)?.at_ms);
    if (before && words.num(sample.at_ms) - before > kGapMs) out.push({ at_ms: before + 1 });
    out.push(sample);
  }
  return out;
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
          values: samples.map((one) =>
            one.memory_free_bytes === undefined ? null : words.num(one.memory_free_bytes),
          ),
        },
      ],
      format: (value) => words.size(value),
      steps: "bytes",
      least: 1024 * 1024,
    },
  };
}

export function Measured({ name }: { name: string }) {
  const { data } = useResource<{ samples?: Sample[]; interval_ms?: string }>(
    `/v1/devices/${encodeURIComponent(name)}/history`,
    { matters: () => false, every_ms: 20000 },
  );
  const samples = useMemo(() => withGaps(data?.samples ?? []), [data]);
  const plots = useMemo(() => plotsOf(samples), [samples]);
  return (
    <Card
      title="Measured"
      side={
        <span class="soft">
          a day by ten minutes (the most used, the least free), the last hour as it was
        </span>
      }
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
