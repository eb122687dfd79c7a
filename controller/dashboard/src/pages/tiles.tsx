// How each site is: a tile for each, a dot for each device while they are few, then a bar.
import { Card } from "../parts";
import { appAddress, devicesAddress } from "../route";
import type { Overview, Tile } from "../types";
import * as words from "../words";
import type { Meaning } from "../words";

const kDots = 36;
const kFewTiles = 12; // above, tiles are small: a bar and no words but what is wrong
const kTiles = 100;

const parts = (tile: Tile): [Meaning, string, number, string][] => [
  ["bad", "✘", tile.bad ?? 0, "failed"],
  ["look", "▲", tile.look ?? 0, "to look at"],
  ["working", "◐", tile.updating ?? 0, "updating"],
  ["good", "●", tile.ok ?? 0, "ok"],
  ["gone", "○", tile.offline ?? 0, "offline"],
];

function address(by: string, key: string): string {
  if (!key) return "/devices";
  if (by === "release") return appAddress(key.split(" ")[0] ?? "");
  if (by === "board") return devicesAddress({ search: key });
  return devicesAddress({ selector: by === "group" ? key : `${by}=${key}` });
}

function OneTile({ tile, by, small }: { tile: Tile; by: string; small: boolean }) {
  const all = tile.devices ?? 0;
  const there = parts(tile).filter(([, , value]) => value > 0);
  const told = there.map(([meaning, , value, word]) => [meaning, `${value} ${word}`] as const);
  const text = told.map(([, words]) => words).join(", ");
  const wrong = told.filter(([meaning]) => meaning !== "good" && meaning !== "gone");
  const worst = there[0]?.[0] ?? "gone";
  return (
    <li class={`tile ${worst}`}>
      <a
        href={address(by, tile.key ?? "")}
        aria-label={`${tile.key || `no ${by}`}: ${words.count(all, "device")}, ${text}`}
      >
        <span class="tile-head">
          <strong>{tile.key || `no ${by}`}</strong>
          <span class="soft">{all.toLocaleString("en")}</span>
        </span>
        {all <= kDots && !small ? (
          <span class="dots" aria-hidden="true">
            {there.flatMap(([meaning, shape, value]) =>
              Array.from({ length: value }, (_, index) => (
                <i key={`${meaning}${index}`} class={meaning}>
                  {shape}
                </i>
              )),
            )}
          </span>
        ) : (
          <span class="bar" aria-hidden="true">
            {there.map(([meaning, , value]) => (
              <i key={meaning} class={meaning} style={{ width: `${(100 * value) / all}%` }} />
            ))}
          </span>
        )}
        {worst !== "good" && !small && <span class="tile-text">{text}</span>}
        {small && wrong[0] && <span class="tile-text">{wrong[0][1]}</span>}
      </a>
    </li>
  );
}

export function Tiles(props: { fleet: Overview; onBy: (name: string) => void }) {
  const tiles = props.fleet.tiles ?? [];
  const by = props.fleet.by ?? "group";
  const more = tiles.length - kTiles;
  return (
    <Card
      title={`Health by ${by}`}
      id="h-health"
      side={
        <span class="choice" role="group" aria-label="Count by">
          {(props.fleet.groupings ?? []).slice(0, 8).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === by}
              onClick={() => props.onBy(name)}
            >
              {name}
            </button>
          ))}
        </span>
      }
    >
      {tiles.length === 0 && <p class="soft">No device yet.</p>}
      <ul class={tiles.length > kFewTiles ? "tiles many" : "tiles"}>
        {tiles.slice(0, kTiles).map((tile) => (
          <OneTile key={tile.key} tile={tile} by={by} small={tiles.length > kFewTiles} />
        ))}
      </ul>
      {more > 0 && (
        <p class="soft">
          and {more} smaller: <a href="/devices">all devices</a>
        </p>
      )}
    </Card>
  );
}
