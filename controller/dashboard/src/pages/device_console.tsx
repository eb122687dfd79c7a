// The console of an app on a device: what is kept of it, then live, until it is paused.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api";
import { Card } from "../parts";
import { readStream } from "../stream";
import type { Device, DeviceApp, LogEvent } from "../types";
import { num } from "../words";

const kKept = 64 * 1024;
const kAgainMs = 2000;

// Bytes of a guest: nothing in them may move the cursor or end the line elsewhere.
function textOf(data: string): string {
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  const text = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n");
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "·");
}

interface Chunk {
  instance: string;
  head: string; // what stands above the first of it
  end: number;
  text: string;
}

function useConsole(device: string, app: string, paused: boolean): string {
  const [text, setText] = useState("");
  const waiting = useRef("");
  const seen = useRef(new Map<string, number>());
  const speaking = useRef("");
  const pausedNow = useRef(paused);
  pausedNow.current = paused;
  const flush = () => {
    if (pausedNow.current || !waiting.current) return;
    const more = waiting.current;
    waiting.current = "";
    setText((old) => (old + more).slice(-kKept));
  };
  const take = (chunk: Chunk) => {
    const known = seen.current.get(chunk.instance) ?? 0;
    if (chunk.end <= known) return; // it is in what was kept
    seen.current.set(chunk.instance, chunk.end);
    const head = chunk.instance === speaking.current ? "" : chunk.head;
    speaking.current = chunk.instance;
    waiting.current = (waiting.current + head + chunk.text).slice(-kKept);
    flush();
  };
  useEffect(flush, [paused]);
  useEffect(() => {
    const stop = new AbortController();
    seen.current = new Map();
    speaking.current = "";
    waiting.current = "";
    setText("");
    const event = (log: LogEvent) => {
      const data = log.data ?? "";
      const size = Math.floor((data.length * 3) / 4) - (data.match(/=/g)?.length ?? 0);
      const instance = `${log.release} ${log.instance}`;
      const head = `── ${app} ${log.release} ──\n`;
      take({ instance, head, end: num(log.offset) + size, text: textOf(data) });
    };
    const follow = async () => {
      const query = new URLSearchParams({ app, selector: device }).toString();
      const kept = `/v1/apps/${encodeURIComponent(app)}/logs?device=${encodeURIComponent(device)}`;
      while (!stop.signal.aborted) {
        try {
          const { chunks = [] } = await get<{ chunks?: LogEvent[] }>(kept);
          if (stop.signal.aborted) return;
          chunks.forEach(event);
          await readStream(
            `/v1/logs/stream?${query}`,
            "",
            stop.signal,
            () => {},
            (data) => event(JSON.parse(data) as LogEvent),
          );
        } catch {
          // The header says that the line is lost.
        }
        await new Promise((resolve) => setTimeout(resolve, kAgainMs));
      }
    };
    void follow();
    return () => stop.abort();
  }, [device, app]);
  return text;
}

export function ConsoleOf({ device, apps }: { device: Device; apps: DeviceApp[] }) {
  const [chosen, setChosen] = useState(apps[0]?.app ?? "");
  const [paused, setPaused] = useState(false);
  const text = useConsole(device.name, chosen, paused);
  const view = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const pre = view.current;
    if (pre && atEnd.current) pre.scrollTop = pre.scrollHeight;
  }, [text]);
  return (
    <Card
      title="Console"
      side={
        <span class="choices-line">
          {apps.length > 1 && (
            <select
              aria-label="App"
              value={chosen}
              onChange={(event) => setChosen(event.currentTarget.value)}
            >
              {apps.map(({ app }) => (
                <option key={app}>{app}</option>
              ))}
            </select>
          )}
          <span class={paused ? "look" : "good"}>
            {paused ? "▲ paused" : device.online ? "● live" : ""}
          </span>
          <button
            type="button"
            class="quiet"
            aria-pressed={paused}
            onClick={() => setPaused(!paused)}
          >
            {paused ? "Go on" : "Pause"}
          </button>
        </span>
      }
    >
      <pre
        id="console"
        class="console tall"
        ref={view}
        tabIndex={0}
        aria-label={`Console of ${chosen} on ${device.name}`}
        onScroll={(event) => {
          const pre = event.currentTarget;
          atEnd.current = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 8;
        }}
      >
        <code>{text || "Nothing said yet."}</code>
      </pre>
    </Card>
  );
}
