// Addresses: each page has one, and links change it without loading the page anew.
import { useEffect, useState } from "preact/hooks";

export interface Place {
  path: string;
  query: URLSearchParams;
}

const here = (): Place => ({
  path: decodeURI(location.pathname),
  query: new URLSearchParams(location.search),
});
const watchers = new Set<(place: Place) => void>();
const tell = () => {
  for (const watcher of watchers) watcher(here());
};

export function go(address: string) {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  tell();
  scrollTo(0, 0);
  // A reader with a screen reader or the keys goes on at the new page.
  queueMicrotask(() => document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true }));
}

/** Changes the address of the page that is shown; no step back leads to the old one. */
export function rename(address: string) {
  history.replaceState(null, "", address);
  tell();
}

export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    watchers.add(setPlace);
    addEventListener("popstate", tell);
    document.addEventListener("click", follow);
    return () => {
      watchers.delete(setPlace);
      removeEventListener("popstate", tell);
      document.removeEventListener("click", follow);
    };
  }, []);
  return place;
}

function follow(event: MouseEvent) {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest?.("a");
  if (!link || link.origin !== location.origin || link.download || link.target) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}

type Query = Record<string, string | undefined>;

const withQuery = (path: string, query: Query) => {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) params.set(name, value);
  const text = params.toString();
  return `${path}${text ? `?${text}` : ""}`;
};
export const devicesAddress = (query: Query) => withQuery("/devices", query);
export const auditAddress = (query: Query) => withQuery("/audit", query);
export const deviceAddress = (name: string) => `/devices/${encodeURIComponent(name)}`;
export const whyAddress = (name: string) => `${deviceAddress(name)}/why`;
export const rolloutAddress = (id: string) => `/rollouts/${encodeURIComponent(id)}`;
export const appAddress = (name: string) => `/apps/${encodeURIComponent(name)}`;
