import type { Address } from "./arena.js";
import { wordAt } from "./words.js";

// A node of the tree: 200 words. First its header …
const COUNT = 0;
const LEVEL = 1;
const SKIP = 2;
const BIRTH_LOW = 3;
const BIRTH_HIGH = 4;
const HEADER_WORDS = 6;
export const NODE_WORDS = 200;

// … then column by column, so that a search reads few cache lines: the first four bytes of the keys behind what they all
// share, the next four, and the addresses of records (in a leaf) or separators (in an inner node, with its children behind).
export const LEAF_CAPACITY = 64;
export const INNER_CAPACITY = 48;
const CHILDREN = HEADER_WORDS + 3 * INNER_CAPACITY;

/** A node in the words of its block, from `at`. */
export interface NodeWords {
  readonly words: Int32Array;
  readonly at: number;
}

export function countOf(words: Int32Array, at: number): number {
  return wordAt(words, at + COUNT);
}

export function setCount(words: Int32Array, at: number, count: number): void {
  words[at + COUNT] = count;
}

/** 0 for a leaf; the root has the highest. */
export function levelOf(words: Int32Array, at: number): number {
  return wordAt(words, at + LEVEL);
}

export function capacityOf(level: number): number {
  return level === 0 ? LEAF_CAPACITY : INNER_CAPACITY;
}

/** How many leading bytes of all keys that can be in the node are the same, and left out of its columns. */
export function skipOf(words: Int32Array, at: number): number {
  return wordAt(words, at + SKIP);
}

export function setSkip(words: Int32Array, at: number, skip: number): void {
  words[at + SKIP] = skip;
}

/** The memtable's clock when the node was made. */
export function birthOf(words: Int32Array, at: number): number {
  return wordAt(words, at + BIRTH_HIGH) * 2 ** 32 + (wordAt(words, at + BIRTH_LOW) >>> 0);
}

export function initNode(words: Int32Array, at: number, level: number, birth: number): void {
  words[at + COUNT] = 0;
  words[at + LEVEL] = level;
  words[at + SKIP] = 0;
  setBirth(words, at, birth);
}

export function setBirth(words: Int32Array, at: number, birth: number): void {
  words[at + BIRTH_LOW] = birth | 0;
  words[at + BIRTH_HIGH] = Math.floor(birth / 2 ** 32);
}

/** Where the columns of prefixes begin. */
export function highsOf(at: number): number {
  return at + HEADER_WORDS;
}

export function lowsOf(at: number, capacity: number): number {
  return at + HEADER_WORDS + capacity;
}

export function addressesOf(at: number, capacity: number): number {
  return at + HEADER_WORDS + 2 * capacity;
}

export function addressAt(words: Int32Array, at: number, capacity: number, slot: number): Address {
  return wordAt(words, addressesOf(at, capacity) + slot);
}

export function setAddress(
  words: Int32Array,
  at: number,
  capacity: number,
  slot: number,
  address: Address,
): void {
  words[addressesOf(at, capacity) + slot] = address;
}

/** An inner node of n separators has n + 1 children; child i holds the keys below separator i. */
export function childAt(words: Int32Array, at: number, index: number): number {
  return wordAt(words, at + CHILDREN + index);
}

export function setChild(words: Int32Array, at: number, index: number, child: number): void {
  words[at + CHILDREN + index] = child;
}

export function childrenOf(at: number): number {
  return at + CHILDREN;
}
