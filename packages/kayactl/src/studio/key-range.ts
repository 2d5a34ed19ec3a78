import type { KeyBounds } from "@kaya/engine";
import type { Parameters } from "./parameters.js";

/** The parameters of requests for a range of keys. */
export const RANGE_PARAMETERS: readonly string[] = ["prefix", "gt", "gte", "lt", "lte", "internal"];

/** Keys of Kaya's own begin with this: `\xffkaya\0`. */
export const RESERVED_PREFIX: Uint8Array = Buffer.from("\xffkaya\0", "latin1");

/** Bounds in bytes. All of them hold at once. */
export type ByteBounds = { readonly [K in keyof KeyBounds]: Uint8Array };

const BOUNDS = ["prefix", "gt", "gte", "lt", "lte"] as const;

/** @throws Refusal */
export function readBounds(parameters: Parameters): ByteBounds {
  const bounds: { -readonly [K in keyof ByteBounds]: ByteBounds[K] } = {};
  for (const name of BOUNDS) {
    const bytes = parameters.bytes(name);
    if (bytes !== undefined) bounds[name] = bytes;
  }
  return bounds;
}

export function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  return key.length >= prefix.length && Buffer.compare(key.subarray(0, prefix.length), prefix) === 0;
}

/** The first key after all keys with a prefix; undefined if there can be none. */
export function endOfPrefix(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.findLastIndex((byte) => byte !== 0xff);
  if (last === -1) return undefined;
  const end = Buffer.from(prefix.subarray(0, last + 1));
  end[last] = (end[last] as number) + 1;
  return end;
}

/** Narrows bounds to the keys after this one. */
export function behind(bounds: ByteBounds, key: Uint8Array): ByteBounds {
  return bounds.gt !== undefined && Buffer.compare(bounds.gt, key) > 0 ? bounds : { ...bounds, gt: key };
}

/** Narrows bounds to this key and those after it. */
export function from(bounds: ByteBounds, key: Uint8Array): ByteBounds {
  return bounds.gte !== undefined && Buffer.compare(bounds.gte, key) > 0 ? bounds : { ...bounds, gte: key };
}

/** Narrows bounds to the keys before this one. */
export function before(bounds: ByteBounds, key: Uint8Array): ByteBounds {
  return bounds.lt !== undefined && Buffer.compare(bounds.lt, key) < 0 ? bounds : { ...bounds, lt: key };
}

const RESERVED_END = endOfPrefix(RESERVED_PREFIX) as Uint8Array; // it is not of 0xff alone

/** The parts of a range to scan, in order. They leave out Kaya's own keys, unless `isInternal`. */
export function shownParts(
  bounds: ByteBounds,
  isInternal: boolean,
  isReverse = false,
): readonly ByteBounds[] {
  if (isInternal) return [bounds];
  const parts = [before(bounds, RESERVED_PREFIX), from(bounds, RESERVED_END)];
  return isReverse ? parts.reverse() : parts;
}
