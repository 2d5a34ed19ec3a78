import { type Arena, chunkOf, wordOffset } from "./arena.js";
import { addressAt, countOf, LEAF_CAPACITY } from "./node-layout.js";
import { lengthOf } from "./record.js";
import { fetchLines, itemAt, wordAt } from "./words.js";

/** Of a record: what is behind them comes in order, and the processor fetches it by itself. */
const MOST_BYTES = 256;

/**
 * Looks at all records of a leaf, as `fetchLines` does: they stand all over the arena, and one after the other each would be waited for.
 */
export function fetchRecords(arena: Arena, words: Int32Array, at: number): number {
  const count = countOf(words, at);
  let seen = 0;
  // The first line of each before any other: it has the length.
  for (let slot = 0; slot < count; slot++) {
    const address = addressAt(words, at, LEAF_CAPACITY, slot);
    seen ^= wordAt(itemAt(arena.words, chunkOf(address)), wordOffset(address));
  }
  for (let slot = 0; slot < count; slot++) {
    const address = addressAt(words, at, LEAF_CAPACITY, slot);
    const start = wordOffset(address);
    const bytes = Math.min(lengthOf(arena, address), MOST_BYTES);
    seen ^= fetchLines(itemAt(arena.words, chunkOf(address)), start, start + (bytes >>> 2));
  }
  return seen;
}
