import { NODE_WORDS } from "./node-layout.js";
import { itemAt, wordAt } from "./words.js";

const NODES_SHIFT = 6;
const BLOCK_NODES = 1 << NODES_SHIFT;
const NO_NODE = -1;

/** The nodes of the tree, all of one size, in blocks of 64. A freed one is the next to be allocated. */
export class NodePool {
  readonly #blocks: Int32Array[] = [];
  /** How many were ever in use at a time. */
  #count = 0;
  #live = 0;
  /** The first freed one, each with the next in its first word. */
  #freed = NO_NODE;

  get live(): number {
    return this.#live;
  }

  /** In nodes that are in use, or were. */
  get usedBytes(): number {
    return this.#count * NODE_WORDS * 4;
  }

  /** In nodes that are freed. */
  get deadBytes(): number {
    return (this.#count - this.#live) * NODE_WORDS * 4;
  }

  get byteLength(): number {
    return this.#blocks.length * BLOCK_NODES * NODE_WORDS * 4;
  }

  allocate(): number {
    this.#live++;
    const node = this.#freed;
    if (node === NO_NODE) return this.#append();
    this.#freed = wordAt(this.wordsOf(node), nodeStart(node));
    return node;
  }

  free(node: number): void {
    this.#live--;
    this.wordsOf(node)[nodeStart(node)] = this.#freed;
    this.#freed = node;
  }

  /** The words of the block that a node is in; it stands there from `nodeStart(node)`. */
  wordsOf(node: number): Int32Array {
    return itemAt(this.#blocks, node >>> NODES_SHIFT);
  }

  #append(): number {
    const node = this.#count++;
    if (node === this.#blocks.length << NODES_SHIFT)
      this.#blocks.push(new Int32Array(BLOCK_NODES * NODE_WORDS));
    return node;
  }
}

export function nodeStart(node: number): number {
  return (node & (BLOCK_NODES - 1)) * NODE_WORDS;
}
