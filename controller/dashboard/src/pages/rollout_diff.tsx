// What a rollout's release changes against the one before it.
import { useMemo } from "preact/hooks";
import { differences } from "../manifest_diff";
import { Card } from "../parts";
import { useResource } from "../resource";
import type { Release, Rollout } from "../types";
import * as words from "../words";

export function Changes({ rollout }: { rollout: Rollout }) {
  const { data } = useResource<{ releases?: Release[] }>(
    `/v1/apps/${encodeURIComponent(rollout.app ?? "")}/releases`,
    { matters: () => false, every_ms: 3600000 }, // a release never changes
  );
  const found = useMemo(() => {
    const manifest = (number: number) =>
      data?.releases?.find((one) => words.num(one.number) === number)?.manifest;
    const before = manifest(words.num(rollout.previous_release));
    const after = manifest(words.num(rollout.release));
    return before && after ? differences(before, after) : undefined;
  }, [data, rollout.previous_release, rollout.release]);
  if (!found) return null;
  return (
    <Card
      title="What it changes"
      side={
        <span class="soft">
          {rollout.app} {rollout.previous_release} → {rollout.release}
        </span>
      }
    >
      {found.length === 0 && <p class="soft">Nothing but its number.</p>}
      <dl class="diff">
        {found.map(({ name, before, after }) => (
          <div key={name}>
            <dt>{name}</dt>
            {before !== undefined && (
              <dd class="gone">
                <span aria-hidden="true">−</span> <del>{before}</del>
              </dd>
            )}
            {after !== undefined && (
              <dd>
                <span aria-hidden="true">+</span> <ins>{after}</ins>
              </dd>
            )}
          </div>
        ))}
      </dl>
    </Card>
  );
}
