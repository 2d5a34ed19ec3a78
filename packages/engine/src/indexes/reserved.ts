import type { Extent } from "@kaya/lsm";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import { compareBytes, successorOfPrefix } from "../memtable/bytes.js";

/** Keys that begin with this are Kaya's own. UTF-8 text never begins with 0xff. */
export const RESERVED_PREFIX: Uint8Array = new Uint8Array([0xff, 0x6b, 0x61, 0x79, 0x61, 0x00]); // "\xffkaya\0"
/** Behind all of them. */
const RESERVED_END = successorOfPrefix(RESERVED_PREFIX) as Uint8Array; // it is not of 0xff alone

export function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (key[i] !== prefix[i]) return false;
  return true;
}

/**
 * True for a key of the engine itself, which indexes and their definitions have: it begins with the bytes ff 6b
 * 61 79 61 00. Leave these keys out when you copy a store.
 */
export function isReserved(key: Uint8Array): boolean {
  return key[0] === 0xff && hasPrefix(key, RESERVED_PREFIX);
}

/** @throws KayaError KAYA_INVALID_ARGUMENT for a key that only the engine itself writes */
export function assertNotReserved(key: Uint8Array): void {
  if (!isReserved(key)) return;
  throw invalid(
    `the key ${showKey(key)} is reserved for indexes. Write the rows with their view, which keeps their indexes; \`view.dropIndex(name)\` removes an index`,
  );
}

/** The parts of a range that hold no keys of Kaya's own, in the order of their keys: two where it goes over all of these, none where it has no others. */
export function aroundReserved({ start, end }: Extent): readonly Extent[] {
  if (end !== undefined && compareBytes(end, RESERVED_PREFIX) <= 0) return [{ start, end }];
  if (compareBytes(start, RESERVED_END) >= 0) return [{ start, end }];
  const parts: Extent[] = [];
  if (compareBytes(start, RESERVED_PREFIX) < 0) parts.push({ start, end: RESERVED_PREFIX });
  if (end === undefined || compareBytes(RESERVED_END, end) < 0) parts.push({ start: RESERVED_END, end });
  return parts;
}

/** The keys that begin with a prefix, which is not of 0xff alone. */
export function rangeOfPrefix(prefix: Uint8Array): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: prefix, lt: successorOfPrefix(prefix) as Uint8Array };
}
