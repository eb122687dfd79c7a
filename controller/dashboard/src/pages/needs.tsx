// What needs a person, sorted by harm; the same fault of many devices is one line.
import { Console, Mark } from "../parts";
import { deviceAddress, devicesAddress, rolloutAddress, whyAddress } from "../route";
import type { Need, Rollout } from "../types";
import * as words from "../words";
import type { Sign } from "../words";

// "edge-1, edge-2 and 7 more", each a link.
function Names({ need }: { need: Need }) {
  const names = need.names ?? [];
  const rest = (need.devices ?? 0) - names.length;
  return (
    <span class="names">
      {names.map((name, index) => (
        <>
          {index > 0 && ", "}
          <a href={deviceAddress(name)}>{name}</a>
        </>
      ))}
      {rest > 0 && ` and ${rest.toLocaleString("en")} more`}
    </span>
  );
}

function FaultItem({ need }: { need: Need }) {
  const [shape, meaning, word] = words.stateSign(need.state);
  const release = words.num(need.release) ? ` ${need.release}` : "";
  const many = (need.devices ?? 0) > 1;
  const where = many ? words.count(need.devices ?? 0, "device") : need.names?.[0];
  const live = words.num(need.live_release);
  const now = live
    ? `${many ? "run" : "runs"} ${need.app} ${live}`
    : `${need.app} does not run there`;
  const first = need.names?.[0] ?? "";
  return (
    <details>
      <summary>
        <Mark sign={[shape, meaning, ""]} word={`${need.app}${release} ${word} on ${where}`} />
        <span class="text">{need.text}</span>
        <span class="soft">
          {now}
          {words.num(need.since_ms) ? `, ${words.ago(need.since_ms)}` : ""}
        </span>
      </summary>
      <div class="more">
        <p>
          <Names need={need} />
          {need.fingerprint && (
            <span class="soft">
              {" "}
              · fault <code>{need.fingerprint}</code>
            </span>
          )}
        </p>
        {need.console_tail && need.console_tail.length > 0 && (
          <Console lines={need.console_tail} name={`Console of ${first}, its last lines`} />
        )}
        <p class="links">
          <a href={rolloutAddress(need.rollout ?? "")}>Open {need.rollout}</a>
          <a href={`${deviceAddress(first)}#flights`}>Flight record of {first}</a>
          <a href={whyAddress(first)}>Why {first} does not run it</a>
        </p>
      </div>
    </details>
  );
}

const kKindStates: Record<string, string> = {
  offline: "offline",
  memory: "look",
  ahead: "look",
  app: "bad,look",
};

function DeviceItem({ need }: { need: Need }) {
  const sign: Sign = need.level === "bad" ? ["✘", "bad", ""] : ["▲", "look", ""];
  const devices = need.devices ?? 0;
  if (devices > 1) {
    return (
      <div class="line">
        <Mark sign={sign} word={words.count(devices, "device")} />
        <span class="text">{need.text}</span>
        <a href={devicesAddress({ state: kKindStates[need.kind] })}>open</a>
      </div>
    );
  }
  const name = need.names?.[0] ?? "";
  const since = words.num(need.since_ms) ? ` for ${words.age(need.since_ms)}` : "";
  return (
    <div class="line">
      <Mark sign={sign} word={<a href={deviceAddress(name)}>{name}</a>} />
      <span class="text">
        {need.text}
        {since}
      </span>
      <a href={whyAddress(name)} aria-label={`Why ${name} needs you`}>
        why
      </a>
    </div>
  );
}

function calm(last: Rollout | undefined): string {
  if (!last) return "Nothing needs you.";
  return `Nothing needs you. Last change: ${words.title(last)}, ${words.ago(last.created_ms)}.`;
}

export function Needs({ needs, last }: { needs: Need[]; last: Rollout | undefined }) {
  if (needs.length === 0) {
    return (
      <p class="calm">
        <span class="good" aria-hidden="true">
          ●
        </span>{" "}
        {calm(last)}
      </p>
    );
  }
  return (
    <ul class="needs">
      {needs.map((need) => (
        <li
          key={`${need.kind} ${need.rollout} ${need.fingerprint || need.text} ${need.names?.[0]}`}
        >
          {need.kind === "fault" ? <FaultItem need={need} /> : <DeviceItem need={need} />}
        </li>
      ))}
    </ul>
  );
}
