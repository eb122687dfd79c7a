// A device's groups and labels, and how a person changes the labels.
import { useState } from "preact/hooks";
import { send } from "../api";
import { Act } from "../parts";
import { devicesAddress } from "../route";
import type { Device, Session } from "../types";
import { mayChange } from "./rollout_acts";

interface Change {
  set: Record<string, string>;
  remove: string[];
}

/** "site=lyon role=resolver"; a word without "=" is no label yet. */
function parse(text: string): { set: Record<string, string>; wrong: string | undefined } {
  const set: Record<string, string> = {};
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const [, name, value] = word.match(/^([^=]+)=(.+)$/) ?? [];
    if (!name || !value) return { set, wrong: word };
    set[name] = value;
  }
  return { set, wrong: undefined };
}

function effectOf(device: string, { set, remove }: Change): string {
  const added = Object.entries(set).map(([name, value]) => `${name}=${value}`);
  const parts = [
    added.length > 0 ? `set ${added.join(", ")}` : "",
    remove.length > 0 ? `take away ${remove.join(", ")}` : "",
  ].filter(Boolean);
  const text = parts.length > 0 ? parts.join(", ") : "change labels";
  return `${text[0]!.toUpperCase()}${text.slice(1)} on ${device}`;
}

function Edit({ device, onDone }: { device: Device; onDone: () => void }) {
  const [text, setText] = useState("");
  const [remove, setRemove] = useState<string[]>([]);
  const { set, wrong } = parse(text);
  const has = Object.keys(device.labels ?? {});
  const change = { set, remove: remove.filter((name) => has.includes(name) && !(name in set)) };
  const none = Object.keys(set).length + change.remove.length === 0;
  return (
    <Act
      label="Edit labels"
      effect={effectOf(device.name, change)}
      ready={!none && !wrong}
      onOpen={() => {
        setText("");
        setRemove([]);
      }}
      explain={
        <>
          <label>
            New or changed labels, a blank between
            <input
              value={text}
              placeholder="site=lyon role=resolver"
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              aria-invalid={wrong !== undefined}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
          {wrong && <p class="soft">“{wrong}”: write NAME=VALUE</p>}
          {has.length > 0 && (
            <fieldset class="takes">
              <legend>Take away</legend>
              {Object.entries(device.labels ?? {}).map(([name, value]) => (
                <label key={name}>
                  <input
                    type="checkbox"
                    checked={remove.includes(name)}
                    onChange={({ currentTarget: { checked } }) =>
                      setRemove((old) => [
                        ...old.filter((one) => one !== name),
                        ...(checked ? [name] : []),
                      ])
                    }
                  />
                  {name}={value}
                </label>
              ))}
            </fieldset>
          )}
          <p class="soft">
            A push whose selector names a label takes in who gets it. Who loses it keeps its apps
            until they are deleted or pushed anew.
          </p>
        </>
      }
      act={async () => {
        await send("PATCH", `/v1/devices/${encodeURIComponent(device.name)}`, change);
        onDone();
      }}
    />
  );
}

export function Labels(props: { device: Device; session: Session; onDone: () => void }) {
  const { device, session } = props;
  const labels = Object.entries(device.labels ?? {});
  const may = mayChange(session);
  return (
    <div class="chips">
      {(device.groups ?? []).map((group) => (
        <a
          key={group}
          class="chip group"
          href={devicesAddress({ selector: group })}
          aria-label={`Group ${group}`}
        >
          {group}
        </a>
      ))}
      {labels.map(([name, value]) => (
        <a key={name} class="chip" href={devicesAddress({ selector: `${name}=${value}` })}>
          {name}={value}
        </a>
      ))}
      {labels.length === 0 && (
        <span class="soft">
          no label yet{!may && <>: an operator with the role deployer sets them</>}
        </span>
      )}
      {may && <Edit device={device} onDone={props.onDone} />}
    </div>
  );
}
