import type { Entry } from "./entry.js";
import { type Bound, type KeyRange, lowerBoundOf, upperBoundOf } from "./key-range.js";
import { LeafWalk } from "./leaf-walk.js";
import { countBelow, countUpTo, type Leaf, type Node } from "./node.js";

const NO_ENTRIES: readonly Entry[] = [];

/**
 * The entries of a range of a frozen tree. Bounds and limit are applied once a leaf, as the slice of it that is in the
 * range; a step within the slice compares nothing.
 */
export class RangeIterator implements IterableIterator<Entry, undefined> {
  readonly #lower: Bound | undefined;
  readonly #upper: Bound | undefined;
  readonly #step: 1 | -1;
  /** Undefined once the current slice is the last one. */
  #walk: LeafWalk | undefined;
  #remaining: number;
  #entries = NO_ENTRIES;
  #position = 0;
  #left = 0;

  constructor(root: Node, range: KeyRange) {
    const reverse = range.reverse ?? false;
    this.#lower = lowerBoundOf(range);
    this.#upper = upperBoundOf(range);
    this.#step = reverse ? -1 : 1;
    this.#walk = new LeafWalk(root, reverse);
    this.#remaining = range.limit ?? Number.POSITIVE_INFINITY;
    const first = reverse ? this.#upper : this.#lower;
    if (this.#remaining > 0) this.#enter(this.#walk.start(first?.key));
    else this.#walk = undefined;
  }

  next(): IteratorResult<Entry, undefined> {
    while (this.#left === 0) {
      const leaf = this.#walk?.next();
      if (leaf === undefined) return this.return();
      this.#enter(leaf);
    }
    const value = this.#entries[this.#position] as Entry;
    this.#position += this.#step;
    this.#left--;
    return { value, done: false };
  }

  /** Ends the iteration and lets go of the tree. */
  return(): IteratorResult<Entry, undefined> {
    this.#walk = undefined;
    this.#entries = NO_ENTRIES;
    this.#left = 0;
    return { value: undefined, done: true };
  }

  [Symbol.iterator](): this {
    return this;
  }

  #enter(leaf: Leaf): void {
    const from = this.#lower === undefined ? 0 : countBefore(leaf, this.#lower, !this.#lower.inclusive);
    const to =
      this.#upper === undefined ? leaf.keys.length : countBefore(leaf, this.#upper, this.#upper.inclusive);
    // Bounds that exclude each other give from > to.
    this.#left = Math.min(Math.max(to - from, 0), this.#remaining);
    this.#remaining -= this.#left;
    this.#entries = leaf.entries;
    this.#position = this.#step > 0 ? from : to - 1;
    const reachesBound = this.#step > 0 ? to < leaf.keys.length : from > 0;
    if (reachesBound || this.#remaining === 0) this.#walk = undefined;
  }
}

/** How many entries of the leaf are before the bound; those equal to it too where `orEqual`. */
function countBefore(leaf: Leaf, bound: Bound, orEqual: boolean): number {
  return orEqual ? countUpTo(leaf.keys, bound.key) : countBelow(leaf.keys, bound.key);
}
