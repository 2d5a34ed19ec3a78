import { encodeText, toBase64Url } from "../lib/bytes.js";
import type { Params } from "../lib/client.js";
import { bytesOf, type Route, textOf } from "../lib/route.js";

export const DELIMITERS: readonly string[] = [":", "/", ".", "-", "_", "|", "#"];

export const BOUNDS = [
  { name: "gte", label: "From (≥)" },
  { name: "gt", label: "After (>)" },
  { name: "lt", label: "Before (<)" },
  { name: "lte", label: "To (≤)" },
] as const;

/** The keys that the page shows, as the hash says. */
export interface KeyQuery {
  readonly prefix: Uint8Array;
  readonly layout: "tree" | "list";
  readonly delimiter: string;
  readonly isReverse: boolean;
  readonly bounds: Readonly<Partial<Record<(typeof BOUNDS)[number]["name"], Uint8Array>>>;
}

export function queryOf(route: Route): KeyQuery {
  const bounds: Partial<Record<(typeof BOUNDS)[number]["name"], Uint8Array>> = {};
  for (const { name } of BOUNDS) {
    const bytes = bytesOf(route, name);
    if (bytes !== undefined) bounds[name] = bytes;
  }
  const isReverse = route.params.has("reverse");
  const isRange = isReverse || Object.keys(bounds).length > 0;
  const delimiter = textOf(route, "delimiter") ?? ":";
  return {
    prefix: bytesOf(route, "prefix") ?? new Uint8Array(),
    layout: isRange || textOf(route, "layout") === "list" ? "list" : "tree",
    delimiter: encodeText(delimiter).length === 1 ? delimiter : ":",
    isReverse,
    bounds,
  };
}

export function hasRange({ isReverse, bounds }: KeyQuery): boolean {
  return isReverse || Object.keys(bounds).length > 0;
}

/** As `API.rows` and `API.export` take it. */
export function rowParams({ prefix, bounds, isReverse }: KeyQuery): Params {
  const params: Record<string, string | number | undefined> = {
    prefix: prefix.length === 0 ? undefined : toBase64Url(prefix),
    reverse: isReverse ? 1 : undefined,
  };
  for (const [name, bytes] of Object.entries(bounds)) params[name] = toBase64Url(bytes);
  return params;
}
