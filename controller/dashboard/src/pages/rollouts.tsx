// Every rollout that the controller lists, newest first.
import { useEffect } from "preact/hooks";
import { Bar, Card, Command, Mark, Moment, Waiting } from "../parts";
import { useResource } from "../resource";
import { rolloutAddress } from "../route";
import type { Rollout } from "../types";
import * as words from "../words";

function Row({ rollout }: { rollout: Rollout }) {
  const counts = rollout.counts ?? {};
  const kind = words.kind(rollout);
  const took = words.num(rollout.ended_ms) - words.num(rollout.created_ms);
  return (
    <tr>
      <td>
        <a href={rolloutAddress(rollout.id)}>
          <strong>{rollout.id}</strong>
        </a>
      </td>
      <td>
        {words.title(rollout)} <span class="soft">to {rollout.selector}</span>
      </td>
      <td>
        <Mark sign={words.rolloutSign(rollout)} />
      </td>
      <td class="wide">
        <Bar counts={counts} kind={kind} />
        <span class="soft">
          {words
            .countSigns(counts, kind)
            .map(([[, , word], value]) => `${value} ${word}`)
            .join(", ")}
        </span>
      </td>
      <td>{rollout.by}</td>
      <td>
        <Moment ms={rollout.created_ms} seconds={false} />
      </td>
      <td class="number">{words.num(rollout.ended_ms) ? words.lasting(took) : ""}</td>
    </tr>
  );
}

export function RolloutsPage() {
  const { data } = useResource<{ rollouts?: Rollout[] }>("/v1/rollouts", {
    matters: (event) => event.rollout !== undefined || event.rollout_device !== undefined,
  });
  useEffect(() => {
    document.title = "Rollouts · Unifleet";
  }, []);
  if (!data) return <Waiting what="the rollouts" />;
  const rollouts = data.rollouts ?? [];
  const running = rollouts.filter(words.isRunning).length;
  return (
    <>
      <h1>Rollouts</h1>
      <Card
        title="Newest first"
        side={<span class="soft">{running ? `${running} under way` : "none under way"}</span>}
      >
        {rollouts.length === 0 ? (
          <>
            <p class="soft">None yet. A push is the first one; it shows here, live.</p>
            <Command lines="fleetctl push dns --to edge" />
          </>
        ) : (
          <div class="scroll">
            <table class="rollouts">
              <thead>
                <tr>
                  <th scope="col">Rollout</th>
                  <th scope="col">What</th>
                  <th scope="col">State</th>
                  <th scope="col">Devices</th>
                  <th scope="col">By</th>
                  <th scope="col">Began</th>
                  <th scope="col" class="number">
                    Took
                  </th>
                </tr>
              </thead>
              <tbody>
                {rollouts.map((rollout) => (
                  <Row key={rollout.id} rollout={rollout} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
    </>
  );
}
