// A plot; what draws it comes after the page. Who does not see it reads the words above it.
import { useEffect, useRef, useState } from "preact/hooks";

export interface PlotOptions {
  x: number[]; // Unix ms
  series: { name: string; color: string; values: (number | null)[] }[];
  height: number;
  format: (value: number) => string;
  stacked?: boolean; // values are sums already, the largest first
  stepped?: boolean;
  steps?: "whole" | "bytes"; // of the axis; left out: as it comes
  least?: number; // the axis goes at least so far
  axis?: number; // its width, px
  lines?: { at_ms: number; text: string }[];
}

export function Plot({ options, name }: { options: PlotOptions; name: string }) {
  const target = useRef<HTMLDivElement>(null);
  const [missing, setMissing] = useState(false);
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setDark(scheme.matches);
    scheme.addEventListener("change", changed);
    return () => scheme.removeEventListener("change", changed);
  }, []);
  useEffect(() => {
    let gone = false;
    let remove = () => {};
    const show = async () => {
      try {
        const { draw } = await import("./plots");
        if (!gone && target.current) remove = draw(target.current, options);
      } catch {
        setMissing(!gone); // the line was lost before it came
      }
    };
    void show();
    return () => {
      gone = true;
      remove();
    };
  }, [options, dark]);
  if (missing) return <p class="soft">The plot did not come; load the page again.</p>;
  return (
    <div
      ref={target}
      class="plot"
      role="img"
      aria-label={name}
      style={{ minHeight: `${options.height}px` }}
    />
  );
}
