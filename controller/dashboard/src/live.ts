// One stream of the fleet's events for the whole page. Followers get them in bundles, so that a
// push to a thousand devices draws a few times and not five thousand.
import { useEffect, useState } from "preact/hooks";
import { Refused } from "./api";
import { readStream } from "./stream";
import type { FleetEvent } from "./types";

const kRecent = 60;
const kBundleMs = 150;
const kWaitMs = [500, 1000, 2000, 4000];

export interface LiveState {
  live: boolean;
  since: number; // when it was lost, or 0: never there yet
}

type Follower = (events: FleetEvent[]) => void;
const followers = new Set<Follower>();
const watchers = new Set<(state: LiveState) => void>();
let state: LiveState = { live: false, since: 0 };
export const recent: FleetEvent[] = []; // newest first
let waiting: FleetEvent[] = [];
let bundle: ReturnType<typeof setTimeout> | undefined;
let run: AbortController | undefined;

function setState(next: LiveState) {
  if (next.live === state.live && next.since === state.since) return;
  state = next;
  for (const watcher of watchers) watcher(state);
}

function deliver() {
  bundle = undefined;
  const events = waiting;
  waiting = [];
  recent.unshift(...events.slice(-kRecent).reverse());
  recent.length = Math.min(recent.length, kRecent);
  for (const follower of [...followers]) follower(events);
}

function take(data: string) {
  waiting.push(JSON.parse(data) as FleetEvent);
  bundle ??= setTimeout(deliver, kBundleMs);
}

/** Follows until stop(); comes again by itself. */
export async function start() {
  stop();
  const mine = new AbortController();
  run = mine;
  let lastId = "";
  let failures = 0;
  while (!mine.signal.aborted) {
    try {
      const onOpen = () => {
        const again = state.since !== 0;
        failures = 0;
        setState({ live: true, since: 0 });
        if (again) for (const follower of [...followers]) follower([]); // look at everything anew
      };
      await readStream(`/v1/events?recent=${kRecent}`, lastId, mine.signal, onOpen, (data, id) => {
        if (id) lastId = id;
        take(data);
      });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return;
    }
    if (mine.signal.aborted) return;
    setState({ live: false, since: state.since || Date.now() });
    await new Promise((resolve) => setTimeout(resolve, kWaitMs[Math.min(failures++, 3)]));
  }
}

export function stop() {
  run?.abort();
  run = undefined;
  recent.length = 0;
  setState({ live: false, since: 0 });
}

export function useLive(): LiveState {
  const [now, set] = useState(state);
  useEffect(() => {
    watchers.add(set);
    set(state);
    return () => void watchers.delete(set);
  }, []);
  return now;
}

/** Calls `follower` with each bundle of events for as long as the component is there. */
export function useEvents(follower: Follower, deps: unknown[] = []) {
  useEffect(() => {
    followers.add(follower);
    return () => void followers.delete(follower);
  }, deps);
}
