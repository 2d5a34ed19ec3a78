import { NODE_WORDS } from "./node-layout.js";
import { itemAt, wordAt } from "./words.js";

const NODES_SHIFT = 6;
const BLOCK_NODES = 1 << NODES_SHIFT;
const NO_BLOCK = new Int32Array(0);
const NO_NODE = -1;

interface BlockState {
  live: number;
  /** Nodes that were never used begin here. */
  fresh: number;
  /** First of the freed ones, each with the next in its first word. */
  freed: number;
  /** Its nodes are being moved away: nothing new goes here. */
  isLeaving: boolean;
}

/** The nodes of the tree, all of one size, in blocks of 64. A block without a node is given back. */
export class NodePool {
  readonly blocks: Int32Array[] = [];
  readonly #states: BlockState[] = [];
  readonly #freeBlocks: number[] = [];
  #open = -1;
  #live = 0;
  #mapped = 0;

  get live(): number {
    return this.#live;
  }

  /** In nodes that are used. */
  get liveBytes(): number {
    return this.#live * NODE_WORDS * 4;
  }

  get byteLength(): number {
    return this.#mapped * BLOCK_NODES * NODE_WORDS * 4;
  }

  /** Nodes of the blocks there are, used or not. */
  get capacity(): number {
    return this.#mapped * BLOCK_NODES;
  }

  allocate(): number {
    let block = this.#open;
    if (block < 0 || !hasRoom(itemAt(this.#states, block))) block = this.#openBlock();
    const state = itemAt(this.#states, block);
    this.#live++;
    state.live++;
    if (state.freed === NO_NODE) return (block << NODES_SHIFT) | state.fresh++;
    const index = state.freed;
    state.freed = wordAt(itemAt(this.blocks, block), index * NODE_WORDS);
    return (block << NODES_SHIFT) | index;
  }

  free(node: number): void {
    const block = node >>> NODES_SHIFT;
    const index = node & (BLOCK_NODES - 1);
    const state = itemAt(this.#states, block);
    this.#live--;
    state.live--;
    itemAt(this.blocks, block)[index * NODE_WORDS] = state.freed;
    state.freed = index;
    if (state.live === 0 && block !== this.#open) this.#unmap(block);
  }

  isLeaving(node: number): boolean {
    return itemAt(this.#states, node >>> NODES_SHIFT).isLeaving;
  }

  /** Marks the blocks that are less than half full as leaving: their nodes are to be moved away. */
  markLeaving(): void {
    for (const [block, state] of this.#states.entries()) {
      if (block !== this.#open) state.isLeaving = state.live > 0 && state.live < BLOCK_NODES / 2;
    }
  }

  /** The words of the block that a node is in; it stands there from `nodeStart(node)`. */
  wordsOf(node: number): Int32Array {
    return itemAt(this.blocks, node >>> NODES_SHIFT);
  }

  #openBlock(): number {
    this.#open = this.#fullestWithRoom();
    if (this.#open < 0) this.#open = this.#map();
    return this.#open;
  }

  /** Filling the fullest lets the others run empty. */
  #fullestWithRoom(): number {
    let best = -1;
    for (const [block, state] of this.#states.entries()) {
      if (state.live === 0 || state.isLeaving || !hasRoom(state)) continue;
      if (best < 0 || state.live > itemAt(this.#states, best).live) best = block;
    }
    return best;
  }

  #map(): number {
    const block = this.#freeBlocks.pop() ?? this.blocks.length;
    this.blocks[block] = new Int32Array(BLOCK_NODES * NODE_WORDS);
    this.#states[block] = { live: 0, fresh: 0, freed: NO_NODE, isLeaving: false };
    this.#mapped++;
    return block;
  }

  #unmap(block: number): void {
    this.blocks[block] = NO_BLOCK;
    itemAt(this.#states, block).isLeaving = false;
    this.#freeBlocks.push(block);
    this.#mapped--;
  }
}

export function nodeStart(node: number): number {
  return (node & (BLOCK_NODES - 1)) * NODE_WORDS;
}

function hasRoom(state: BlockState): boolean {
  return state.live < BLOCK_NODES;
}
