// Whether the audit log holds together, as this browser found it.
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "../api";
import { Broken, check, forgetEnd, keepEnd, type Sound } from "../audit_chain";
import { Card, Command, Mark } from "../parts";

const kAtOnce = 1000; // entries that are checked without being asked for

export type Found = { sound?: Sound; broken?: Broken; busy: boolean };

/** Checks again when the log has grown. in  newest: 0 while nothing is known of it */
export function useChain(newest: number): { found: Found; all: () => void } {
  const [found, setFound] = useState<Found>({ busy: true });
  const least = useRef<number>();
  const running = useRef(false);
  const wanted = useRef(newest);
  wanted.current = newest;
  const run = async () => {
    if (running.current) return;
    running.current = true;
    try {
      least.current ??= Math.max(1, newest - kAtOnce);
      let { sound } = found;
      do {
        sound = await check(least.current, sound);
        if (sound.end.sequence > 0) keepEnd(sound.end);
      } while (sound.end.sequence < wanted.current);
      setFound({ sound, busy: false });
    } catch (error) {
      // What was known is kept while the line is lost; who is refused sees it in the table's place.
      if (error instanceof Broken) setFound({ broken: error, busy: false });
      else if (error instanceof Refused) setFound((old) => ({ ...old, busy: false }));
    } finally {
      running.current = false;
    }
  };
  useEffect(() => {
    if (newest > 0 && !found.broken) void run();
  }, [newest]);
  const all = () => {
    least.current = 1;
    setFound((old) => ({ ...old, busy: true }));
    void run();
  };
  return { found, all };
}

export function Verdict({ found }: { found: Found }) {
  const { sound, broken } = found;
  if (broken) {
    return (
      <Mark sign={["✘", "bad", ""]} word={`not sound at #${broken.sequence}: ${broken.message}`} />
    );
  }
  if (!sound) return <Mark sign={["◐", "working", "checking…"]} />;
  const { first, end, seen } = sound;
  const since = seen ? `, and #${seen.sequence} is the one seen here before` : "";
  return (
    <Mark
      sign={["✔", "good", ""]}
      word={
        first <= 1
          ? `verified to #${end.sequence}${since}`
          : `verified from #${first} to #${end.sequence}${since}`
      }
    />
  );
}

export function Chain({ found, all }: { found: Found; all: () => void }) {
  const { sound, broken, busy } = found;
  const unchecked = sound && sound.first > 1;
  return (
    <Card title="How that is known">
      <p class="soft">
        Each entry's hash covers all before it. This browser computed them anew and keeps the end,{" "}
        {sound && sound.end.sequence > 0 && <code>{sound.end.hash.slice(0, 16)}</code>} for its next
        visit. The page itself came from the controller; a machine of your own checks without it:
      </p>
      <Command lines="fleetctl audit verify" />
      {unchecked && (
        <p>
          <button type="button" disabled={busy} onClick={all}>
            {busy ? "Checking…" : `Check the ${(sound.first - 1).toLocaleString("en")} before, too`}
          </button>
        </p>
      )}
      {broken && (
        <p>
          <button
            type="button"
            onClick={() => {
              forgetEnd();
              location.reload();
            }}
          >
            Forget what this browser saw, after an older backup
          </button>
        </p>
      )}
    </Card>
  );
}
