// Small parts that every page is made of. A state is always a shape, a colour and a word.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Counts, Long } from "./types";
import * as words from "./words";
import type { Sign } from "./words";

/** Shape and word; the shape is for the eye alone. */
export function Mark({ sign, word }: { sign: Sign; word?: ComponentChildren }) {
  const [shape, meaning, own] = sign;
  return (
    <span class={`mark ${meaning}`}>
      <span class="shape" aria-hidden="true">
        {shape}
      </span>
      {word ?? own}
    </span>
  );
}

export function Moment({ ms, seconds = true }: { ms: Long; seconds?: boolean }) {
  const date = new Date(words.num(ms));
  const time = seconds ? words.clock(ms) : words.shortClock(ms);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString("en-GB")}>
      {words.isToday(ms) ? time : `${words.day(ms)} ${time}`}
    </time>
  );
}

/** What is left until then, counted down by itself. */
export function Countdown({ until_ms }: { until_ms: Long }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <time role="timer">{words.countdown(words.num(until_ms) - now)}</time>;
}

export function Card(props: {
  title: string;
  id?: string;
  side?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const id = props.id ?? `h-${props.title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return (
    <section class={`card ${props.class ?? ""}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{props.title}</h2>
        {props.side}
      </div>
      {props.children}
    </section>
  );
}

/** A command to copy: what a page cannot do, and what teaches the next step. */
export function Command({ lines }: { lines: string | string[] }) {
  const text = Array.isArray(lines) ? lines.join("\n") : lines;
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => undefined);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <div class="command">
      <pre tabIndex={0} aria-label="command">
        <code>{text}</code>
      </pre>
      <button type="button" class="quiet" onClick={copy}>
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}

export function Console({ lines, name }: { lines: string[]; name: string }) {
  return (
    <pre class="console" tabIndex={0} aria-label={name}>
      <code>{lines.join("\n")}</code>
    </pre>
  );
}

/** How a rollout stands, as one bar; its numbers stand beside it in words. */
export function Bar({ counts, kind }: { counts: Counts | undefined; kind?: string }) {
  const all = Math.max(1, counts?.devices ?? 0);
  return (
    <div class="bar" aria-hidden="true">
      {words.countSigns(counts, kind).map(([[, meaning, word], value]) => (
        <i key={word} class={meaning} style={{ width: `${(100 * value) / all}%` }} />
      ))}
    </div>
  );
}

export function CountWords({ counts, kind }: { counts: Counts | undefined; kind?: string }) {
  const signs = words.countSigns(counts, kind);
  return (
    <p class="counts">
      {signs.map(([sign, value]) => (
        <Mark key={sign[2]} sign={sign} word={`${value.toLocaleString("en")} ${sign[2]}`} />
      ))}
      {signs.length === 0 && <span class="soft">nobody yet</span>}
    </p>
  );
}

export function Waiting({ what }: { what: string }) {
  return (
    <p class="soft waiting" role="status">
      Reading {what}…
    </p>
  );
}

/** A button that names its effect and asks once before it does it. */
export function Act(props: {
  label: string;
  effect: string; // the button that does it: "Revert 67 devices to dns 3"
  explain: ComponentChildren;
  danger?: boolean;
  type?: string; // what a person must write first
  ready?: boolean; // false: what `explain` asks for is not there yet
  onOpen?: () => void;
  act: () => Promise<unknown>;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState("");
  const open = () => {
    setProblem("");
    setTyped("");
    props.onOpen?.();
    dialog.current?.showModal();
  };
  const close = () => dialog.current?.close();
  const act = async () => {
    setBusy(true);
    try {
      await props.act();
      close();
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" class={props.danger ? "danger" : ""} onClick={open}>
        {props.label}
      </button>
      <dialog ref={dialog} aria-label={props.effect}>
        <form method="dialog" onSubmit={(event) => (event.preventDefault(), void act())}>
          <h2>{props.effect}?</h2>
          <div class="explain">{props.explain}</div>
          {props.type && (
            <label>
              Write <strong>{props.type}</strong> to go on
              <input
                value={typed}
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => setTyped(event.currentTarget.value)}
              />
            </label>
          )}
          {problem && (
            <p class="bad" role="alert">
              {problem}
            </p>
          )}
          <div class="choices">
            <button type="button" onClick={close}>
              Leave it
            </button>
            <button
              class={props.danger ? "danger strong" : "strong"}
              disabled={
                busy || props.ready === false || (props.type !== undefined && typed !== props.type)
              }
            >
              {props.effect}
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
