// A rollout in a few lines, with what may be done about it.
import { Bar, Countdown, CountWords, Mark } from "../parts";
import { rolloutAddress } from "../route";
import type { Rollout, Session } from "../types";
import * as words from "../words";
import { RolloutActs } from "./rollout_acts";

function WaveText({ rollout }: { rollout: Rollout }) {
  const waves = rollout.waves ?? [];
  if (waves.length < 2) return null;
  const names = waves.map((wave, index) => {
    const name = wave.share || String(wave.counts?.devices ?? "");
    return index + 1 === (rollout.wave ?? 1) ? `▶ ${name}` : name;
  });
  const soaks =
    rollout.state === "ROLLOUT_RUNNING" && words.num(rollout.soak_until_ms) > Date.now();
  return (
    <>
      {" "}
      · waves {names.join(" | ")}
      {soaks && (
        <>
          , soaks <Countdown until_ms={rollout.soak_until_ms} /> more
        </>
      )}
    </>
  );
}

/** Who, when, for whom. */
export function Origin({ rollout }: { rollout: Rollout }) {
  return (
    <p class="soft">
      to <code>{rollout.selector}</code> by {rollout.by || "?"}, {words.ago(rollout.created_ms)}
      <WaveText rollout={rollout} />
    </p>
  );
}

function limitText({ policy, counts = {} }: Rollout): string {
  if (!policy?.max_failed) return "";
  const failed = (counts.failed ?? 0) + (counts.reverted ?? 0);
  const now = ((100 * failed) / Math.max(1, counts.devices ?? 0)).toFixed(1);
  return `limit ${policy.max_failed}, now ${now}%`;
}

export function RolloutCard({ rollout, session }: { rollout: Rollout; session: Session }) {
  return (
    <article class="rollout">
      <div class="rollout-head">
        <h3>
          <a href={rolloutAddress(rollout.id)}>
            {rollout.id} {words.title(rollout)}
          </a>
        </h3>
        <Mark sign={words.rolloutSign(rollout)} />
      </div>
      <Origin rollout={rollout} />
      <Bar counts={rollout.counts} kind={words.kind(rollout)} />
      <CountWords counts={rollout.counts} kind={words.kind(rollout)} />
      {words.isRunning(rollout) && <p class="soft">{limitText(rollout)}</p>}
      {rollout.verdict && !words.isRunning(rollout) && <p class="verdict">{rollout.verdict}</p>}
      {(rollout.paused_why || rollout.halted_why) && (
        <p class="look">▲ {rollout.halted_why || rollout.paused_why}</p>
      )}
      <RolloutActs rollout={rollout} session={session} />
    </article>
  );
}
