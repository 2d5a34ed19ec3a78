import type { Address, Arena } from "./arena.js";
import { keyOf } from "./record.js";
import { byteAt } from "./words.js";

/**
 * Four bytes of a key from `at`, zeros behind its end, as a number that orders as they do (the top bit is turned over: the
 * words of a node are signed).
 */
export function prefixWord(key: Uint8Array, at: number): number {
  const left = key.length - at;
  if (left >= 4) {
    const word =
      (byteAt(key, at) << 24) |
      (byteAt(key, at + 1) << 16) |
      (byteAt(key, at + 2) << 8) |
      byteAt(key, at + 3);
    return word ^ 0x80000000;
  }
  let word = 0;
  for (let i = 0; i < left; i++) word |= byteAt(key, at + i) << (24 - 8 * i);
  return word ^ 0x80000000;
}

/** How many bytes two keys begin with alike. */
export function commonLength(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  let length = 0;
  while (length < shared && byteAt(a, length) === byteAt(b, length)) length++;
  return length;
}

/** The shortest key above `below` and not above `above`. Keys near each other have short ones between them. */
export function separatorBetween(below: Uint8Array, above: Uint8Array): Uint8Array {
  return above.subarray(0, commonLength(below, above) + 1);
}

/** How many leading bytes all keys from one separator to the next share. */
export function sharedByAllBetween(separators: Arena, low: Address, high: Address): number {
  return low === 0 || high === 0 ? 0 : commonLength(keyOf(separators, low), keyOf(separators, high));
}
