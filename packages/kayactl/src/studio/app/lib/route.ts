import { signal } from "@preact/signals";
import { fromPercent, toPercent } from "./bytes.js";

// Where the page is stands in the URL's hash alone: `#/keys?prefix=user:&key=user:1`. So each place is a link, and Back goes back.

export const PAGES = ["keys", "changes", "store"] as const;
export type PageName = (typeof PAGES)[number];

export interface Route {
  readonly page: PageName;
  /** As they stand in the hash: percent-encoded. */
  readonly params: ReadonlyMap<string, string>;
}

export function parseHash(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s);
  const page = PAGES.find((name) => name === path) ?? "keys";
  const pairs = query.split("&").filter((pair) => pair !== "");
  return { page, params: new Map(pairs.map((pair) => splitPair(pair))) };
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return at === -1 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
}

export function hashOf(page: PageName, params: ReadonlyMap<string, string>): string {
  const query = [...params].map(([name, value]) => `${name}=${value}`).join("&");
  return `#/${page}${query === "" ? "" : `?${query}`}`;
}

export const route = signal<Route>(parseHash(location.hash));
addEventListener("hashchange", () => {
  route.value = parseHash(location.hash);
});

type Changes = Readonly<Record<string, Uint8Array | string | undefined>>;

/** The same place but for these parameters; undefined takes one away. */
export function hashWith(changes: Changes, page = route.value.page): string {
  const params = new Map(page === route.value.page ? route.value.params : []);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) params.delete(name);
    else params.set(name, typeof value === "string" ? encodeURIComponent(value) : toPercent(value));
  }
  return hashOf(page, params);
}

/** @param isNewPlace false: Back does not return to what was before */
export function go(changes: Changes, isNewPlace = true): void {
  const hash = hashWith(changes);
  if (hash === location.hash) return;
  if (isNewPlace) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
  route.value = parseHash(hash);
}

export function bytesOf({ params }: Route, name: string): Uint8Array | undefined {
  const value = params.get(name);
  return value === undefined ? undefined : fromPercent(value);
}

export function textOf({ params }: Route, name: string): string | undefined {
  const value = params.get(name);
  if (value === undefined) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
