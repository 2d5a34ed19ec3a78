import { successorOfPrefix } from "../memtable/bytes.js";

/** Keys that begin with this are Kaya's own. UTF-8 text never begins with 0xff. */
export const RESERVED_PREFIX: Uint8Array = new Uint8Array([0xff, 0x6b, 0x61, 0x79, 0x61, 0x00]); // "\xffkaya\0"

export function hasPrefix(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (key[i] !== prefix[i]) return false;
  return true;
}

/** Whether a key is in the space that holds indexes and their definitions. */
export function isReserved(key: Uint8Array): boolean {
  return key[0] === 0xff && hasPrefix(key, RESERVED_PREFIX);
}

/** The keys that begin with a prefix, which is not of 0xff alone. */
export function rangeOfPrefix(prefix: Uint8Array): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: prefix, lt: successorOfPrefix(prefix) as Uint8Array };
}
