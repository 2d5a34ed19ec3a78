import type { SequenceNumber } from "@kaya/core";
import { type Address, type Arena, NO_ADDRESS } from "./arena.js";
import { insertKey } from "./node-edit.js";
import {
  addressAt,
  birthOf,
  childAt,
  countOf,
  INNER_CAPACITY,
  initNode,
  LEAF_CAPACITY,
  levelOf,
  NODE_WORDS,
  setAddress,
  setBirth,
  setChild,
} from "./node-layout.js";
import { type NodePool, nodeStart } from "./node-pool.js";
import { search } from "./node-search.js";
import { Path } from "./path.js";
import type { Pins } from "./pins.js";
import { compareKey } from "./record.js";
import { NODE } from "./retired.js";
import { splitLeaf } from "./split.js";
import { fetchLines } from "./words.js";

const NO_NODE = -1;

/**
 * The order of the keys: a B+tree in typed arrays. A node that a snapshot may see is never changed: a copy takes its place,
 * and that of the nodes above it. Each change begins with a descent, which leaves its way in `path`.
 */
export class Tree {
  readonly records: Arena;
  readonly separators: Arena;
  readonly nodes: NodePool;
  readonly pins: Pins;
  readonly path = new Path();
  /** The sequence of the change that is being made: what it makes is born then. */
  time: SequenceNumber = 0;
  root: number;
  /** See `fetchLines`. */
  fetched = 0;
  /** The leaf behind which nothing is, where the last key went to its end; valid until the node is copied or split. */
  #lastLeaf = NO_NODE;

  constructor(records: Arena, separators: Arena, nodes: NodePool, pins: Pins) {
    this.records = records;
    this.separators = separators;
    this.nodes = nodes;
    this.pins = pins;
    this.root = this.newNode(0);
  }

  /** The record with this key under a root, of now or of a snapshot; `NO_ADDRESS` where there is none. */
  find(root: number, key: Uint8Array): Address {
    let node = root;
    for (;;) {
      const words = this.nodes.wordsOf(node);
      const at = nodeStart(node);
      if (levelOf(words, at) === 0) {
        const slot = search(words, at, LEAF_CAPACITY, key, this.records);
        return slot < 0 ? NO_ADDRESS : addressAt(words, at, LEAF_CAPACITY, slot);
      }
      node = childAt(words, at, childFor(search(words, at, INNER_CAPACITY, key, this.separators)));
    }
  }

  /** Goes from the root to the leaf where the key is or belongs, and gives what `search` says there. */
  descend(key: Uint8Array): number {
    let node = this.root;
    let low = NO_ADDRESS;
    let high = NO_ADDRESS;
    for (let depth = 0; ; depth++) {
      this.path.enter(depth, node, low, high);
      const words = this.nodes.wordsOf(node);
      const at = nodeStart(node);
      if (levelOf(words, at) === 0) {
        // Inner nodes are in the cache, and a leaf is not; a change needs most of it.
        this.fetched = fetchLines(words, at, at + NODE_WORDS);
        return search(words, at, LEAF_CAPACITY, key, this.records);
      }
      const child = childFor(search(words, at, INNER_CAPACITY, key, this.separators));
      this.path.take(depth, child);
      if (child > 0) low = addressAt(words, at, INNER_CAPACITY, child - 1);
      if (child < countOf(words, at)) high = addressAt(words, at, INNER_CAPACITY, child);
      node = childAt(words, at, child);
    }
  }

  /** Adds a record whose key, which is `key`, is not there. */
  insert(key: Uint8Array, address: Address): void {
    if (this.#append(key, address)) return;
    let slot = ~this.descend(key);
    const depth = this.path.length - 1;
    let leaf = this.writable(depth);
    let isRightmost = this.path.high(depth) === NO_ADDRESS;
    if (countOf(this.nodes.wordsOf(leaf), nodeStart(leaf)) === LEAF_CAPACITY) {
      const place = splitLeaf(this, depth, slot, key);
      isRightmost &&= place.node !== leaf;
      leaf = place.node;
      slot = place.slot;
    }
    const [words, at] = [this.nodes.wordsOf(leaf), nodeStart(leaf)];
    this.#lastLeaf = isRightmost && slot === countOf(words, at) ? leaf : NO_NODE;
    insertKey(words, at, LEAF_CAPACITY, slot, key, address);
  }

  /** Keys that come in order need no descent: the next one belongs behind the last, as long as the last leaf has room. */
  #append(key: Uint8Array, address: Address): boolean {
    if (this.#lastLeaf === NO_NODE) return false;
    const [words, at] = [this.nodes.wordsOf(this.#lastLeaf), nodeStart(this.#lastLeaf)];
    const count = countOf(words, at);
    if (count === 0 || count === LEAF_CAPACITY || this.#isShared(this.#lastLeaf)) return false;
    const last = addressAt(words, at, LEAF_CAPACITY, count - 1);
    if (compareKey(this.records, last, key, 0) > 0) return false;
    insertKey(words, at, LEAF_CAPACITY, count, key, address);
    return true;
  }

  /** Puts another record in the place of the one that has this key. */
  replace(key: Uint8Array, address: Address): void {
    const slot = this.descend(key);
    const leaf = this.writable(this.path.length - 1);
    setAddress(this.nodes.wordsOf(leaf), nodeStart(leaf), LEAF_CAPACITY, slot, address);
  }

  newNode(level: number): number {
    const node = this.nodes.allocate();
    initNode(this.nodes.wordsOf(node), nodeStart(node), level, this.time);
    return node;
  }

  /** The node of the path at this depth, as one that may be changed: a copy takes the place of one that a snapshot sees. */
  writable(depth: number): number {
    const node = this.path.node(depth);
    if (!this.#isShared(node)) return node;
    const copy = this.#copyOf(node);
    if (depth === 0) this.root = copy;
    else {
      const parent = this.writable(depth - 1);
      setChild(this.nodes.wordsOf(parent), nodeStart(parent), this.path.child(depth - 1), copy);
    }
    this.path.nodes[depth] = copy;
    if (node === this.#lastLeaf) this.#lastLeaf = NO_NODE;
    this.pins.retire(NODE, node);
    return copy;
  }

  /** Whether a snapshot may see the node: then it stays as it is. */
  #isShared(node: number): boolean {
    return birthOf(this.nodes.wordsOf(node), nodeStart(node)) <= this.pins.newestTime;
  }

  #copyOf(node: number): number {
    const copy = this.nodes.allocate();
    const from = nodeStart(node);
    const words = this.nodes.wordsOf(node).subarray(from, from + NODE_WORDS);
    this.nodes.wordsOf(copy).set(words, nodeStart(copy));
    setBirth(this.nodes.wordsOf(copy), nodeStart(copy), this.time);
    return copy;
  }
}

/** The child behind which a search in an inner node ended: a key equal to a separator is above it. */
export function childFor(found: number): number {
  return found < 0 ? ~found : found + 1;
}
