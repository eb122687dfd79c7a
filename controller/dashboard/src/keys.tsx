// Keys: `/` searches, `g` and a letter goes to a page, `?` tells them.
import { useEffect, useRef } from "preact/hooks";
import { go } from "./route";

const kGo: Record<string, [address: string, name: string]> = {
  f: ["/", "fleet"],
  r: ["/rollouts", "rollouts"],
  a: ["/apps", "apps"],
  d: ["/devices", "devices"],
  u: ["/audit", "audit"],
};
const kSecondKeyMs = 1500;

const isWriting = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest("input, textarea, select, dialog") !== null;

export function useKeys(onHelp: () => void, active: boolean) {
  useEffect(() => {
    if (!active) return;
    let first = 0;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
      const { key } = event;
      if (Date.now() - first < kSecondKeyMs) {
        first = 0;
        const target = kGo[key];
        if (target) {
          event.preventDefault();
          go(target[0]);
        }
      } else if (key === "g") {
        first = Date.now();
      } else if (key === "/") {
        event.preventDefault();
        document.getElementById("search")?.focus();
      } else if (key === "?") {
        event.preventDefault();
        onHelp();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [active]);
}

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="help" aria-label="Keys" onClose={onClose}>
      <h2>Keys</h2>
      <dl>
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>search devices, labels, apps and rollouts</dd>
        {Object.entries(kGo).map(([key, [, name]]) => (
          <>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>go to {name}</dd>
          </>
        ))}
        <dt>
          <kbd>?</kbd>
        </dt>
        <dd>this help</dd>
      </dl>
      <p class="signs">
        <span class="good">● healthy, online</span> <span class="working">◐ under way</span>{" "}
        <span class="look">▲ needs a look</span> <span class="bad">✘ reverted, failed</span>{" "}
        <span class="gone">○ offline, unknown</span> <span class="old">◇ old release</span>
      </p>
      <form method="dialog">
        <button>Close</button>
      </form>
    </dialog>
  );
}
