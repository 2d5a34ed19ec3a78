import { childAt, countOf, INNER_CAPACITY, levelOf } from "./node-layout.js";
import { nodeStart } from "./node-pool.js";
import { search } from "./node-search.js";
import { childFor, type Tree } from "./tree.js";

/** The leaves under a root that stays as it is, one after the other, in either direction. */
export class LeafWalk {
  readonly #tree: Tree;
  readonly #step: 1 | -1;
  /** The inner nodes above the leaf, from the root, and which of their children the walk is in. */
  readonly #nodes: number[] = [];
  readonly #children: number[] = [];
  /** The leaf the walk is at, once `next` gave true. */
  leaf = -1;
  #first: number | undefined;

  /** @param from where to begin: the leaf with this key or its place; without it at the end that the walk leaves */
  constructor(tree: Tree, root: number, reverse: boolean, from: Uint8Array | undefined) {
    this.#tree = tree;
    this.#step = reverse ? -1 : 1;
    this.#first = this.#descend(root, from);
  }

  /** Goes to the next leaf. @returns false behind the last one */
  next(): boolean {
    if (this.#first !== undefined) {
      this.leaf = this.#first;
      this.#first = undefined;
      return true;
    }
    for (let depth = this.#nodes.length - 1; depth >= 0; depth--) {
      const node = this.#nodes[depth] as number;
      const child = (this.#children[depth] as number) + this.#step;
      if (child < 0 || child > this.#countOf(node)) continue;
      this.#nodes.length = depth;
      this.#children.length = depth;
      this.leaf = this.#descendFrom(node, child);
      return true;
    }
    return false;
  }

  #descend(root: number, from: Uint8Array | undefined): number {
    let node = root;
    while (this.#levelOf(node) > 0) node = this.#take(node, this.#childToward(node, from));
    return node;
  }

  #descendFrom(node: number, child: number): number {
    let below = this.#take(node, child);
    while (this.#levelOf(below) > 0) below = this.#take(below, this.#childToward(below, undefined));
    return below;
  }

  #take(node: number, child: number): number {
    this.#nodes.push(node);
    this.#children.push(child);
    return childAt(this.#tree.nodes.wordsOf(node), nodeStart(node), child);
  }

  #childToward(node: number, key: Uint8Array | undefined): number {
    if (key === undefined) return this.#step > 0 ? 0 : this.#countOf(node);
    const words = this.#tree.nodes.wordsOf(node);
    return childFor(search(words, nodeStart(node), INNER_CAPACITY, key, this.#tree.separators));
  }

  #countOf(node: number): number {
    return countOf(this.#tree.nodes.wordsOf(node), nodeStart(node));
  }

  #levelOf(node: number): number {
    return levelOf(this.#tree.nodes.wordsOf(node), nodeStart(node));
  }
}
