// uPlot with our colours: a file of its own, so that the page shows before it is there.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { PlotOptions } from "./plot";

const color = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const clock = (seconds: number, span: number) => {
  const date = new Date(seconds * 1000);
  const second = span < 900 ? ({ second: "2-digit" } as const) : {};
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...second });
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return span > 2 * 86400 ? day : time;
};

// How far apart ticks may be.
const kSteps = {
  whole: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
  bytes: Array.from({ length: 35 }, (_, power) => 2 ** (power + 8)),
};

// Vertical lines with a word: pushes.
function lines(options: PlotOptions): uPlot.Plugin {
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.strokeStyle = color("ink");
        ctx.fillStyle = color("ink");
        ctx.lineWidth = devicePixelRatio;
        ctx.textAlign = "left";
        ctx.textBaseline = "alphabetic";
        ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
        let free = -Infinity;
        for (const line of options.lines ?? []) {
          const x = plot.valToPos(line.at_ms / 1000, "x", true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          if (x < free) continue;
          const width = ctx.measureText(line.text).width;
          const left = Math.min(x + 4 * devicePixelRatio, bbox.left + bbox.width - width);
          ctx.fillText(line.text, left, bbox.top + 11 * devicePixelRatio);
          free = left + width;
        }
        ctx.restore();
      },
    },
  };
}

export function draw(target: HTMLElement, options: PlotOptions): () => void {
  const span = (options.x.at(-1) ?? 0) - (options.x[0] ?? 0);
  const axis = {
    stroke: color("soft"),
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const plot = new uPlot(
    {
      width: Math.max(100, target.clientWidth),
      height: options.height,
      legend: { show: false },
      cursor: { show: false },
      padding: [12, 24, 0, 0],
      scales: { y: { range: (_, __, max) => [0, Math.max(max, options.least ?? 1)] } },
      axes: [
        {
          ...axis,
          size: 24,
          space: 90,
          values: (_, ticks) => ticks.map((tick) => clock(tick, span / 1000)),
        },
        {
          ...axis,
          size: options.axis ?? 44,
          values: (_, ticks) => ticks.map((tick) => options.format(tick)),
          ...(options.steps && { incrs: kSteps[options.steps] }),
        },
      ],
      series: [
        {},
        ...options.series.map((one) => ({
          stroke: color(one.color),
          fill: options.stacked ? color(`${one.color}-fill`) || color(one.color) : undefined,
          width: 1.5,
          points: { show: false },
          paths: options.stepped ? uPlot.paths.stepped!({ align: 1 }) : undefined,
        })),
      ],
      plugins: [lines(options)],
    } as uPlot.Options,
    [options.x.map((at) => at / 1000), ...options.series.map((one) => one.values)],
    target,
  );
  // In the next frame: what changes sizes while they are told is told as an error.
  let frame = 0;
  const resize = () => {
    const width = target.clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: options.height });
  };
  const fit = new ResizeObserver(() => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(resize);
  });
  fit.observe(target);
  return () => {
    fit.disconnect();
    cancelAnimationFrame(frame);
    plot.destroy();
  };
}
