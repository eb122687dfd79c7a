// A rollout in a few lines, with what may be done about it.
import { Bar, CountWords, Mark } from "../parts";
import { rolloutAddress } from "../route";
import type { Rollout, Session } from "../types";
import * as words from "../words";
import { RolloutActs } from "./rollout_acts";

function waveText(rollout: Rollout): string {
  const waves = rollout.waves ?? [];
  if (waves.length < 2) return "";
  const soak = words.num(rollout.soak_until_ms) - Date.now();
  const soaking = soak > 0 ? `, soaks ${words.lasting(soak)} more` : "";
  return `wave ${rollout.wave ?? 1} of ${waves.length}${soaking}`;
}

/** Who, when, for whom. */
export function Origin({ rollout }: { rollout: Rollout }) {
  return (
    <p class="soft">
      to <code>{rollout.selector}</code> by {rollout.by || "?"}, {words.ago(rollout.created_ms)}
      {waveText(rollout) && ` · ${waveText(rollout)}`}
    </p>
  );
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
      {rollout.verdict && !words.isRunning(rollout) && <p class="verdict">{rollout.verdict}</p>}
      {(rollout.paused_why || rollout.halted_why) && (
        <p class="look">▲ {rollout.halted_why || rollout.paused_why}</p>
      )}
      <RolloutActs rollout={rollout} session={session} />
    </article>
  );
}
