import { logOut } from "./api";
import * as live from "./live";
import { Search } from "./search";
import type { Session } from "./types";
import { shortClock } from "./words";

const kPages = [
  ["/", "Fleet"],
  ["/rollouts", "Rollouts"],
  ["/apps", "Apps"],
  ["/devices", "Devices"],
  ["/audit", "Audit"],
] as const;

function LiveMark() {
  const { live: isLive, since } = live.useLive();
  const [meaning, shape, text] = isLive
    ? ["good", "●", "live"]
    : since
      ? ["look", "▲", `stale since ${shortClock(since)}`]
      : ["working", "◐", "connecting"];
  return (
    <p id="live" class={meaning} role="status">
      <span aria-hidden="true">{shape}</span> {text}
    </p>
  );
}

export function Header(props: {
  path: string;
  session: Session;
  onHelp: () => void;
  onLogout: () => void;
}) {
  const leave = async () => {
    await logOut().catch(() => undefined);
    live.stop();
    props.onLogout();
  };
  const isHere = (address: string) =>
    address === "/" ? props.path === "/" : props.path.startsWith(address);
  return (
    <header>
      <a class="brand" href="/">
        <img src="/icon.svg" alt="" width="22" height="22" /> Unifleet
      </a>
      <nav aria-label="Pages">
        {kPages.map(([address, name]) => (
          <a key={address} href={address} aria-current={isHere(address) ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <Search />
      <LiveMark />
      <details class="menu">
        <summary>
          {props.session.name}
          <span class="heard">, who is logged in</span>
        </summary>
        <div class="menu-list">
          <p class="soft">
            {props.session.name}, {props.session.role}
          </p>
          <button type="button" class="quiet" onClick={props.onHelp}>
            Keys <kbd>?</kbd>
          </button>
          <button type="button" class="quiet" id="leave" onClick={leave}>
            Log out
          </button>
        </div>
      </details>
    </header>
  );
}
