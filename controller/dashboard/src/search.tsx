// The search of the header: devices by name, label, group or app, then apps and rollouts.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api";
import { Mark } from "./parts";
import { appAddress, deviceAddress, devicesAddress, go, rolloutAddress } from "./route";
import type { App, DeviceList, Rollout } from "./types";
import * as words from "./words";
import type { Sign } from "./words";

const kShown = 6;
const kPauseMs = 120;

interface Hit {
  address: string;
  name: string;
  detail: string;
  sign?: Sign;
}

async function find(text: string): Promise<Hit[]> {
  const [devices, { apps = [] }, { rollouts = [] }] = await Promise.all([
    get<DeviceList>(`/v1/fleet/devices?limit=${kShown}&search=${encodeURIComponent(text)}`),
    get<{ apps?: App[] }>("/v1/apps"),
    get<{ rollouts?: Rollout[] }>("/v1/rollouts"),
  ]);
  const hits: Hit[] = (devices.devices ?? []).map((device) => ({
    address: deviceAddress(device.name),
    name: device.name,
    detail: Object.entries(device.labels ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join(", "),
    sign: words.deviceSign(device.state),
  }));
  const matched = devices.matched ?? 0;
  if (matched > kShown) {
    hits.push({
      address: devicesAddress({ search: text }),
      name: `All ${words.count(matched, "device")}`,
      detail: `with “${text}”`,
    });
  }
  for (const app of apps.filter(({ name }) => name.includes(text)).slice(0, kShown)) {
    hits.push({ address: appAddress(app.name), name: app.name, detail: "app" });
  }
  const found = rollouts.filter((one) => `${one.id} ${words.subject(one)}`.includes(text));
  for (const one of found.slice(0, kShown)) {
    hits.push({
      address: rolloutAddress(one.id),
      name: one.id,
      detail: words.title(one),
      sign: words.rolloutSign(one),
    });
  }
  return hits;
}

export function Search() {
  const [text, setText] = useState("");
  const [hits, setHits] = useState<Hit[]>();
  const [chosen, setChosen] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const wanted = text.trim();
    setHits(undefined);
    setChosen(0);
    if (!wanted) return;
    let gone = false;
    const timer = setTimeout(async () => {
      const found = await find(wanted).catch(() => []);
      if (!gone) setHits(found);
    }, kPauseMs);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [text]);

  const open = (hit: Hit | undefined) => {
    setText("");
    input.current?.blur();
    go(hit?.address ?? devicesAddress({ search: text.trim() }));
  };
  const press = (event: KeyboardEvent) => {
    const last = (hits?.length ?? 0) - 1;
    if (event.key === "ArrowDown") setChosen(Math.min(last, chosen + 1));
    else if (event.key === "ArrowUp") setChosen(Math.max(0, chosen - 1));
    else if (event.key === "Enter" && text.trim()) open(hits?.[chosen]);
    else if (event.key === "Escape") {
      setText("");
      input.current?.blur();
    } else return;
    event.preventDefault();
  };
  return (
    <div class="search" role="search">
      <input
        id="search"
        ref={input}
        type="search"
        placeholder="Search device, label, app"
        aria-label="Search device, label, app, rollout"
        role="combobox"
        aria-expanded={hits !== undefined}
        aria-controls="hits"
        aria-activedescendant={hits?.length ? `hit-${chosen}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={press}
        onBlur={() =>
          setTimeout(() => document.activeElement !== input.current && setText(""), 150)
        }
      />
      <kbd aria-hidden="true">/</kbd>
      <ul id="hits" role="listbox" aria-label="What was found" hidden={hits === undefined}>
        {hits?.map((hit, index) => (
          <li
            key={hit.address}
            id={`hit-${index}`}
            role="option"
            aria-selected={index === chosen}
            onPointerDown={(event) => {
              event.preventDefault();
              open(hit);
            }}
          >
            {hit.sign ? <Mark sign={hit.sign} word={hit.name} /> : <span>{hit.name}</span>}
            <span class="soft">{hit.detail}</span>
          </li>
        ))}
        {hits?.length === 0 && <li class="soft">Nothing is named like that.</li>}
      </ul>
    </div>
  );
}
