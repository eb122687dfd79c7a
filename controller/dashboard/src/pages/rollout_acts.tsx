// What may be done about a rollout: each button names its effect and asks once. Nothing here signs:
// what needs a signature is shown as a command.
import { send } from "../api";
import { Act } from "../parts";
import { go, rolloutAddress } from "../route";
import type { Rollout, Session } from "../types";
import * as words from "../words";

export const mayChange = ({ role }: Session) => role === "deployer" || role === "admin";

const devices = (value: number) => words.count(value, "device");

function Abort({ rollout }: { rollout: Rollout }) {
  const { id, app = "", counts = {} } = rollout;
  const open = (counts.waiting ?? 0) + (counts.busy ?? 0) + (counts.offline ?? 0);
  const healthy = counts.healthy ?? 0;
  return (
    <Act
      label={`Abort ${id}`}
      danger
      effect={`Abort ${id} for ${devices(open)}`}
      explain={
        <p>
          {devices(open)} that {open === 1 ? "has" : "have"} not ended {open === 1 ? "goes" : "go"}{" "}
          back to what was wanted before. {devices(healthy)} that took it{" "}
          {healthy === 1 ? "keeps" : "keep"}{" "}
          {words.isRelease(rollout) ? `${app} ${rollout.release}` : "it"}.
        </p>
      }
      act={() => send("POST", `/v1/rollouts/${id}/abort`)}
    />
  );
}

function Revert({ rollout }: { rollout: Rollout }) {
  const { app = "", counts = {}, selector = "" } = rollout;
  const release = words.num(rollout.release);
  const previous = words.num(rollout.previous_release);
  const healthy = counts.healthy ?? 0;
  if (!healthy || !previous || !words.isRelease(rollout)) return null;
  const effect = `Revert ${devices(healthy)} to ${app} ${previous}`;
  return (
    <Act
      label={effect}
      danger
      effect={effect}
      explain={
        <>
          <p>
            Each device that runs {app} {release} goes back to the good release in its other slot,
            now and without a signature.
          </p>
          <p class="soft">
            A device beyond the manifest's fallback window, or without another slot, keeps what runs
            and shows “held”. For those:{" "}
            <code>
              fleetctl rollback {app} --release {previous} --to {selector}
            </code>
          </p>
        </>
      }
      act={async () => {
        const body = { app, selector, kind: "ORDER_REVERT", release };
        const begun = await send<Rollout>("POST", "/v1/orders", body);
        go(rolloutAddress(begun.id));
      }}
    />
  );
}

// Of a controller that knows waves: its rollouts say so.
function Waves({ rollout }: { rollout: Rollout }) {
  if (!rollout.waves) return null;
  const { id, counts = {}, state } = rollout;
  const post = (word: string, body?: unknown) => () =>
    send("POST", `/v1/rollouts/${id}/${word}`, body);
  const bad = (counts.failed ?? 0) + (counts.reverted ?? 0);
  return (
    <>
      {state === "ROLLOUT_RUNNING" && (
        <Act
          label={`Pause ${id}`}
          effect={`Pause ${id}, ${devices(counts.waiting ?? 0)} to wait`}
          explain={
            <p>
              {devices(counts.busy ?? 0)} under way {counts.busy === 1 ? "goes" : "go"} on; nobody
              else is let in until it is resumed.
            </p>
          }
          act={post("pause")}
        />
      )}
      {state === "ROLLOUT_PAUSED" && (
        <Act
          label={`Resume ${id}`}
          effect={`Resume ${id} for ${devices(counts.waiting ?? 0)}`}
          explain={
            <p>
              {rollout.paused_why || "It was paused."} The next devices are let in
              {bad > 0 ? `, in spite of ${devices(bad)} that did not take it` : ""}.
            </p>
          }
          act={post("resume")}
        />
      )}
      {bad > 0 && state !== "ROLLOUT_REVERTING" && (
        <Act
          label={`Retry ${devices(bad)}`}
          effect={`Retry ${devices(bad)}`}
          explain={<p>They are asked again to take what they refused or reverted.</p>}
          act={post("retry", {})}
        />
      )}
    </>
  );
}

export function RolloutActs({ rollout, session }: { rollout: Rollout; session: Session }) {
  if (!mayChange(session)) {
    return words.isRunning(rollout) ? (
      <p class="soft">
        Pause, abort and revert need the role deployer; yours is {session.role}. An admin can give
        it.
      </p>
    ) : null;
  }
  return (
    <div class="acts">
      <Waves rollout={rollout} />
      {words.isRunning(rollout) && <Abort rollout={rollout} />}
      <Revert rollout={rollout} />
    </div>
  );
}
