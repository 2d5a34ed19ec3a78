import type { Change } from "../../api.js";
import { compare, fromBase64Url, startsWith } from "../lib/bytes.js";
import type { Params } from "../lib/client.js";

const NAMES = ["prefix", "gt", "gte", "lt", "lte"] as const;

/** Bounds in bytes, which all hold at once. */
export type KeyBounds = Readonly<Partial<Record<(typeof NAMES)[number], Uint8Array>>>;

/** @param params as `API.rows` takes them */
export function boundsOf(params: Params): KeyBounds {
  const given = NAMES.flatMap((name) => {
    const text = params[name];
    return typeof text === "string" ? [[name, fromBase64Url(text)] as const] : [];
  });
  return Object.fromEntries(given);
}

export function isInBounds(key: Uint8Array, { prefix, gt, gte, lt, lte }: KeyBounds): boolean {
  return (
    (prefix === undefined || startsWith(key, prefix)) &&
    (gt === undefined || compare(key, gt) > 0) &&
    (gte === undefined || compare(key, gte) >= 0) &&
    (lt === undefined || compare(key, lt) < 0) &&
    (lte === undefined || compare(key, lte) <= 0)
  );
}

/** Whether a change wrote or deleted this key: a range deletes each key in it. */
export function changesKey({ kind, key, end }: Change, bytes: Uint8Array): boolean {
  const first = fromBase64Url(key);
  if (kind !== "deleteRange") return compare(bytes, first) === 0;
  return compare(bytes, first) >= 0 && (end === undefined || compare(bytes, fromBase64Url(end)) < 0);
}
