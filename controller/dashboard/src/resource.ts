// What a page reads: asked for at once, again after events, and now and then, since what devices
// measure comes without an event. The slower the answer, the longer the pause before the next.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Refused } from "./api";
import { useEvents } from "./live";
import type { FleetEvent } from "./types";

const kPauseMs = 500;
const kAgainMs = 10000;

export interface Resource<T> {
  data: T | undefined;
  refused: Refused | undefined; // by the controller; a lost line is no refusal, its data is kept
  reload: () => void;
}

export interface ResourceOptions {
  /** Which events make it worth reading again; all when left out. */
  matters?: (event: FleetEvent) => boolean;
  every_ms?: number;
}

export function useResource<T>(path: string, options: ResourceOptions = {}): Resource<T> {
  const [state, setState] = useState<{ path: string; data?: T; refused?: Refused }>({ path });
  const pending = useRef<{ timer?: ReturnType<typeof setTimeout>; busy: boolean; again: boolean }>({
    busy: false,
    again: false,
  });
  const current = useRef(path);
  current.current = path;

  const read = useCallback(async () => {
    const run = pending.current;
    if (run.busy) {
      run.again = true;
      return;
    }
    run.busy = true;
    run.again = false;
    const asked = current.current;
    const began = performance.now();
    try {
      const data = await get<T>(asked);
      if (asked === current.current) setState({ path: asked, data });
    } catch (error) {
      if (error instanceof Refused && asked === current.current) {
        setState((old) => ({ ...(old.path === asked ? old : { path: asked }), refused: error }));
      }
    }
    const took = performance.now() - began;
    run.busy = false;
    if (asked !== current.current) void read();
    else if (run.again) soon(Math.max(kPauseMs, 3 * took));
  }, []);

  const soon = useCallback((ms: number) => {
    const run = pending.current;
    run.timer ??= setTimeout(() => {
      run.timer = undefined;
      void read();
    }, ms);
  }, []);

  useEffect(() => {
    void read();
  }, [path]);
  useEvents(
    (events) => {
      const { matters } = options;
      if (events.length === 0 || !matters || events.some(matters)) soon(kPauseMs);
    },
    [path],
  );
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) void read();
    }, options.every_ms ?? kAgainMs);
    const seen = () => {
      if (!document.hidden) void read();
    };
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearInterval(timer);
      clearTimeout(pending.current.timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, []);
  const fresh = state.path === path;
  return {
    data: fresh ? state.data : undefined,
    refused: fresh ? state.refused : undefined,
    reload: () => void read(),
  };
}
