import type { Arena } from "./arena.js";
import { addressesOf, countOf, highsOf, lowsOf, skipOf } from "./node-layout.js";
import { prefixWord } from "./prefix.js";
import { compareKey } from "./record.js";
import { wordAt } from "./words.js";

/**
 * The slot of a node that has this key, or, where none has, minus one minus the slot before which it belongs. `arena` holds
 * what the node's addresses lead to: it is looked at only where eight bytes behind the shared ones do not decide.
 */
export function search(
  words: Int32Array,
  at: number,
  capacity: number,
  key: Uint8Array,
  arena: Arena,
): number {
  const skip = skipOf(words, at);
  const high = prefixWord(key, skip);
  const low = prefixWord(key, skip + 4);
  const highs = highsOf(at);
  const lows = lowsOf(at, capacity);
  let from = 0;
  let to = countOf(words, at);
  while (from < to) {
    const middle = (from + to) >>> 1;
    let order = compare(wordAt(words, highs + middle), high);
    if (order === 0) {
      order = compare(wordAt(words, lows + middle), low);
      if (order === 0) {
        order = compareKey(arena, wordAt(words, addressesOf(at, capacity) + middle), key, skip);
        if (order === 0) return middle;
      }
    }
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return ~from;
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
