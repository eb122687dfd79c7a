// Why a device does not run what is wanted of it: what `fleetctl why` says, app by app.
import { Card, Command, Mark, Waiting } from "../parts";
import { useResource } from "../resource";
import { rolloutAddress } from "../route";
import type { Why, WhyApp, WhyRule } from "../types";
import * as words from "../words";

// A rollout that a sentence names is a link.
function Sentence({ text }: { text: string }) {
  const parts = text.split(/\b(r-\d+)\b/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 ? (
          <a key={index} href={rolloutAddress(part)}>
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}

function Holding({ rules }: { rules: WhyRule[] }) {
  return (
    <ul class="why-rules">
      {rules.map(({ rule, text }) => (
        <li key={rule}>
          <Mark sign={["▲", "look", rule]} />
          <span>
            <Sentence text={text ?? ""} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function WhyOf({ app, device }: { app: WhyApp; device: string }) {
  const held = app.held_by ?? [];
  const clear = app.clear ?? [];
  const wants = words.num(app.wants);
  const facts: [string, preact.ComponentChildren][] = [];
  if (wants) {
    facts.push([
      "Wants",
      <>
        {app.app} {wants}
        {app.wanted_by && (
          <>
            {" by "}
            <Sentence text={app.wanted_by} />
          </>
        )}
      </>,
    ]);
  }
  if (held.length > 0) facts.push(["Held by", <Holding rules={held} />]);
  if (app.tried) facts.push(["Last said", app.tried]);
  if (clear.length > 0) facts.push(["Clear", clear.map(({ text }) => text).join(" · ")]);
  const next = [...(app.next ?? []), `fleetctl why ${device} ${app.app}`];
  facts.push([held.length > 0 ? "Do" : "The same", <Command lines={next} />]);
  return (
    <Card
      title={app.app}
      id={`h-why-${app.app}`}
      side={
        <Mark
          sign={held.length > 0 ? ["▲", "look", "held back"] : ["●", "good", "nothing holds it"]}
        />
      }
    >
      <p class="why-summary">{app.summary}</p>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

export function WhyTab({ name }: { name: string }) {
  const { data, refused } = useResource<Why>(`/v1/devices/${encodeURIComponent(name)}/why`, {
    matters: (event) => event.device === name || (event.kind?.startsWith("rollout.") ?? false),
  });
  if (refused && !data) return <p class="soft">{refused.message}</p>;
  if (!data) return <Waiting what={`why, of ${name}`} />;
  const apps = data.apps ?? [];
  return (
    <>
      {apps.map((app) => (
        <WhyOf key={app.app} app={app} device={name} />
      ))}
      {apps.length === 0 && (
        <Card title="Nothing is wanted of it">
          <p class="soft">
            {name} ({data.seen}) runs nothing, and no push names it. To give it something:
          </p>
          <Command lines={`fleetctl push APP --to ${name}`} />
        </Card>
      )}
    </>
  );
}
