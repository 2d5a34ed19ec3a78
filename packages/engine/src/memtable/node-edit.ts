import type { Address, Arena } from "./arena.js";
import {
  addressAt,
  addressesOf,
  childrenOf,
  countOf,
  highsOf,
  lowsOf,
  setAddress,
  setCount,
  setSkip,
  skipOf,
} from "./node-layout.js";
import { prefixWord } from "./prefix.js";
import { keyOf } from "./record.js";

/** Makes room for a key at `slot` and sets it. The node has room. */
export function insertKey(
  words: Int32Array,
  at: number,
  capacity: number,
  slot: number,
  key: Uint8Array,
  address: Address,
): void {
  const count = countOf(words, at);
  shift(words, highsOf(at) + slot, highsOf(at) + count);
  shift(words, lowsOf(at, capacity) + slot, lowsOf(at, capacity) + count);
  shift(words, addressesOf(at, capacity) + slot, addressesOf(at, capacity) + count);
  setCount(words, at, count + 1);
  setKey(words, at, capacity, slot, key, address);
}

/** Makes room for a child at `index`, before the count of keys is changed, and sets it. */
export function insertChild(words: Int32Array, at: number, index: number, child: number): void {
  const children = childrenOf(at);
  shift(words, children + index, children + countOf(words, at) + 1);
  words[children + index] = child;
}

/** Copies the keys from slot `from` to `to` of one node behind those of another, which has the same skip. */
export function copyKeys(
  source: Int32Array,
  sourceAt: number,
  from: number,
  to: number,
  target: Int32Array,
  targetAt: number,
  capacity: number,
): void {
  const count = countOf(target, targetAt);
  for (const columnOf of [highsOf, lowsOf, addressesOf]) {
    const column = columnOf(sourceAt, capacity);
    target.set(source.subarray(column + from, column + to), columnOf(targetAt, capacity) + count);
  }
  setCount(target, targetAt, count + to - from);
}

/** Sets how many leading bytes are left out of the columns, and makes the columns anew. */
export function setPrefixes(
  words: Int32Array,
  at: number,
  capacity: number,
  skip: number,
  arena: Arena,
): void {
  if (skip === skipOf(words, at)) return;
  setSkip(words, at, skip);
  const count = countOf(words, at);
  for (let slot = 0; slot < count; slot++) {
    const address = addressAt(words, at, capacity, slot);
    setKey(words, at, capacity, slot, keyOf(arena, address), address);
  }
}

function setKey(
  words: Int32Array,
  at: number,
  capacity: number,
  slot: number,
  key: Uint8Array,
  address: Address,
): void {
  const skip = skipOf(words, at);
  words[highsOf(at) + slot] = prefixWord(key, skip);
  words[lowsOf(at, capacity) + slot] = prefixWord(key, skip + 4);
  setAddress(words, at, capacity, slot, address);
}

/** Makes room for a word at `from`. In a loop: for the few of a node that is faster than a call of `copyWithin`. */
function shift(words: Int32Array, from: number, to: number): void {
  for (let i = to - 1; i >= from; i--) words[i + 1] = words[i] as number;
}
