import type { Address } from "./arena.js";
import { wordAt } from "./words.js";

/** Higher than any tree that fits in memory. */
const MAX_HEIGHT = 32;

/** The way from the root (depth 0) to a leaf, as the last descent took it. */
export class Path {
  length = 0;
  /** The node at each depth. */
  readonly nodes = new Int32Array(MAX_HEIGHT);
  /** Which of its children was taken. */
  readonly #children = new Int32Array(MAX_HEIGHT);
  /** The separators between which all keys of the node lie; 0 where it has no neighbour on that side. */
  readonly #lows = new Int32Array(MAX_HEIGHT);
  readonly #highs = new Int32Array(MAX_HEIGHT);

  node(depth: number): number {
    return wordAt(this.nodes, depth);
  }

  child(depth: number): number {
    return wordAt(this.#children, depth);
  }

  low(depth: number): Address {
    return wordAt(this.#lows, depth);
  }

  high(depth: number): Address {
    return wordAt(this.#highs, depth);
  }

  enter(depth: number, node: number, low: Address, high: Address): void {
    this.nodes[depth] = node;
    this.#lows[depth] = low;
    this.#highs[depth] = high;
    this.length = depth + 1;
  }

  take(depth: number, child: number): void {
    this.#children[depth] = child;
  }
}
