// The waves of a rollout: a dot for each device, what is left of the soak, and where the limit is.
import { Bar, Countdown, CountWords } from "../parts";
import { deviceAddress } from "../route";
import type { Rollout, RolloutDevice, Wave } from "../types";
import * as words from "../words";

const kDots = 1000;

function Dot({ row }: { row: RolloutDevice }) {
  const [shape, meaning, word] = row.online ? words.stateSign(row.state) : offlineSign(row);
  return (
    <a
      class={meaning}
      href={deviceAddress(row.device)}
      title={`${row.device} ${word}`}
      tabIndex={-1}
    >
      {shape}
    </a>
  );
}

/** Who is away and has not ended is offline; who ended keeps its verdict. */
export function offlineSign(row: RolloutDevice): words.Sign {
  return words.num(row.ended_ms) ? words.stateSign(row.state) : ["○", "gone", "offline"];
}

function Dots({ rows }: { rows: RolloutDevice[] }) {
  return (
    <div class="dots" aria-hidden="true">
      {rows.map((row) => (
        <Dot key={row.device} row={row} />
      ))}
    </div>
  );
}

function WaveTime({ wave, index, rollout }: { wave: Wave; index: number; rollout: Rollout }) {
  const opened = words.num(wave.opened_ms);
  const ended = words.num(wave.ended_ms);
  if (ended) return <>took {words.lasting(ended - opened)}</>;
  if (opened) return <>{words.isRunning(rollout) ? "under way" : "stopped"}</>;
  const isNext = (rollout.wave ?? 1) === index;
  if (!words.isRunning(rollout) || rollout.state === "ROLLOUT_REVERTING") return <>never opened</>;
  if (rollout.state === "ROLLOUT_PAUSED") return <>waits for a person</>;
  if (isNext && words.num(rollout.soak_until_ms) > Date.now()) {
    return (
      <>
        soak, opens in <Countdown until_ms={rollout.soak_until_ms} />
      </>
    );
  }
  return <>not yet open</>;
}

function WaveRow(props: { wave: Wave; index: number; rollout: Rollout; rows: RolloutDevice[] }) {
  const { wave, index, rollout } = props;
  const opened = words.num(wave.opened_ms);
  const ended = words.num(wave.ended_ms);
  return (
    <li class={opened ? "open" : "closed"}>
      <div class="wave-head">
        <strong>
          {ended ? "✔" : opened && words.isRunning(rollout) ? "▶" : ""} Wave {index + 1}
        </strong>
        <span class="soft">
          {words.count(wave.counts?.devices ?? 0, "device")}
          {wave.share ? ` (${wave.share})` : ""}, <WaveTime {...props} />
        </span>
        <CountWords counts={wave.counts} kind={words.kind(rollout)} />
      </div>
      {props.rows.length > 0 && props.rows.length <= kDots ? (
        <Dots rows={props.rows} />
      ) : (
        <Bar counts={wave.counts} kind={words.kind(rollout)} />
      )}
    </li>
  );
}

// How many failed, and where the line is.
export function Threshold({ rollout }: { rollout: Rollout }) {
  const { policy, counts = {} } = rollout;
  if (!policy?.max_failed) return null;
  const all = Math.max(1, counts.devices ?? 0);
  const failed = (counts.failed ?? 0) + (counts.reverted ?? 0);
  const limit = policy.max_failed.endsWith("%")
    ? (all * Number.parseFloat(policy.max_failed)) / 100
    : Number(policy.max_failed);
  const scale = Math.max(2 * limit, failed, 1);
  return (
    <div class="threshold">
      <p>
        {failed} failed or reverted of {all}: {((100 * failed) / all).toFixed(1)}%
        <span class="soft">
          , stops above {policy.max_failed}
          {policy.min_finished ? `, once ${policy.min_finished} ended` : ""}
        </span>
      </p>
      <div class="gauge" aria-hidden="true">
        <i
          class={failed > limit ? "bad" : "look"}
          style={{ width: `${(100 * failed) / scale}%` }}
        />
        <b style={{ left: `${(100 * limit) / scale}%` }} />
      </div>
    </div>
  );
}

export function Waves({ rollout, rows }: { rollout: Rollout; rows: RolloutDevice[] }) {
  const waves = rollout.waves ?? [];
  if (waves.length < 2) {
    return (
      <>
        <Bar counts={rollout.counts} kind={words.kind(rollout)} />
        {rows.length <= kDots && <Dots rows={rows} />}
      </>
    );
  }
  return (
    <ol class="waves">
      {waves.map((wave, index) => (
        <WaveRow
          key={index}
          wave={wave}
          index={index}
          rollout={rollout}
          rows={rows.filter((row) => (row.wave ?? 1) === index + 1)}
        />
      ))}
    </ol>
  );
}
