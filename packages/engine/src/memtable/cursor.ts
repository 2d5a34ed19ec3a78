import type { Address } from "./arena.js";
import { type Bound, type KeyRange, lowerBoundOf, upperBoundOf } from "./key-range.js";
import { LeafWalk } from "./leaf-walk.js";
import { addressAt, countOf, LEAF_CAPACITY } from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { search } from "./node-search.js";
import { compareKey } from "./record.js";
import type { Tree } from "./tree.js";

/**
 * The records of a range, in order, under a root that stays as it is. Bounds and limit are applied once a leaf, as the slice
 * of it that is in the range; a step within the slice compares nothing.
 */
export class Cursor {
  readonly #tree: Tree;
  readonly #walk: LeafWalk;
  readonly #lower: Bound | undefined;
  readonly #upper: Bound | undefined;
  readonly #step: 1 | -1;
  #remaining: number;
  /** Whether leaves behind the current one may have more. */
  #hasMore: boolean;
  #words: Int32Array = new Int32Array(0);
  #at = 0;
  #slot = 0;
  #left = 0;

  constructor(tree: Tree, root: number, range: KeyRange) {
    const reverse = range.reverse ?? false;
    this.#tree = tree;
    this.#lower = lowerBoundOf(range);
    this.#upper = upperBoundOf(range);
    this.#step = reverse ? -1 : 1;
    this.#remaining = Math.max(range.limit ?? Number.POSITIVE_INFINITY, 0);
    this.#hasMore = this.#remaining > 0;
    this.#walk = new LeafWalk(tree, root, reverse, (reverse ? this.#upper : this.#lower)?.key);
  }

  /** Puts the next records into `addresses`, as many as fit or are left in a leaf. @returns how many; 0 behind the last */
  read(addresses: Int32Array, limit: number): number {
    while (this.#left === 0) {
      if (!this.#hasMore || !this.#walk.next()) return 0;
      this.#enter(this.#walk.leaf);
    }
    const count = Math.min(this.#left, limit, addresses.length);
    for (let i = 0; i < count; i++) {
      addresses[i] = addressAt(this.#words, this.#at, LEAF_CAPACITY, this.#slot);
      this.#slot += this.#step;
    }
    this.#left -= count;
    return count;
  }

  /** The last `count` records that were read are to be read again. Not more than the last call gave. */
  giveBack(count: number): void {
    this.#slot -= count * this.#step;
    this.#left += count;
  }

  /** Nothing is left for sure. */
  get isAtEnd(): boolean {
    return this.#left === 0 && !this.#hasMore;
  }

  #enter(leaf: number): void {
    this.#words = this.#tree.nodes.wordsOf(leaf);
    this.#at = nodeStart(leaf);
    const count = countOf(this.#words, this.#at);
    const from =
      this.#lower === undefined ? 0 : this.#countBefore(this.#lower, count, !this.#lower.inclusive);
    const to =
      this.#upper === undefined ? count : this.#countBefore(this.#upper, count, this.#upper.inclusive);
    // Bounds that exclude each other give from > to.
    this.#left = Math.min(Math.max(to - from, 0), this.#remaining);
    this.#remaining -= this.#left;
    this.#slot = this.#step > 0 ? from : to - 1;
    const reachesBound = this.#step > 0 ? to < count : from > 0;
    this.#hasMore = !reachesBound && this.#remaining > 0;
  }

  /** How many keys of the leaf are before the bound; one equal to it too where `orEqual`. */
  #countBefore({ key }: Bound, count: number, orEqual: boolean): number {
    if (count === 0) return 0;
    // Most leaves lie on one side of a bound as a whole.
    const first = compareKey(this.#tree.records, this.#addressAt(0), key, 0);
    if (first > 0) return 0;
    if (compareKey(this.#tree.records, this.#addressAt(count - 1), key, 0) < 0) return count;
    const slot = search(this.#words, this.#at, LEAF_CAPACITY, key, this.#tree.records);
    return slot < 0 ? ~slot : orEqual ? slot + 1 : slot;
  }

  #addressAt(slot: number): Address {
    return addressAt(this.#words, this.#at, LEAF_CAPACITY, slot);
  }
}
