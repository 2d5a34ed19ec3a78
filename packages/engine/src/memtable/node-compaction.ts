import { keyOf } from "./record.js";
import type { Tree } from "./tree.js";

/** What the blocks of nodes may hold, as a multiple of the nodes in use, before compaction begins. */
const TOLERATED = 1.33;
const TOLERATED_NODES = 128;

/**
 * Gives back blocks of nodes once most of the tree is gone: walks over all leaves, one a step, and moves those nodes on the
 * way that stand in blocks less than half full.
 */
export class NodeCompaction {
  readonly #tree: Tree;
  /** Where the walk goes on; undefined while there is none. */
  #next: Uint8Array | undefined;
  /** Unused nodes when the last walk ended: snapshots may hold what could not move. Another pays once that has changed. */
  #unusedBefore = Number.POSITIVE_INFINITY;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get hasWork(): boolean {
    return this.#next !== undefined || this.#isWasteful();
  }

  /** Visits up to `leaves` leaves. */
  work(leaves: number): void {
    if (this.#next === undefined) {
      if (!this.#isWasteful()) return;
      this.#tree.nodes.markLeaving();
      this.#next = new Uint8Array(0);
    }
    for (let left = leaves; left > 0 && this.#next !== undefined; left--) this.#visit(this.#next);
  }

  #visit(from: Uint8Array): void {
    const { nodes, path, separators } = this.#tree;
    this.#tree.descend(from);
    for (let depth = 0; depth < path.length; depth++) {
      if (nodes.isLeaving(path.node(depth))) this.#tree.relocate(depth);
    }
    const behind = path.high(path.length - 1);
    this.#next = behind === 0 ? undefined : Uint8Array.from(keyOf(separators, behind));
    if (this.#next === undefined) this.#unusedBefore = nodes.capacity - nodes.live;
  }

  #isWasteful(): boolean {
    const { capacity, live } = this.#tree.nodes;
    if (capacity <= TOLERATED * live + TOLERATED_NODES) return false;
    return Math.abs(capacity - live - this.#unusedBefore) > TOLERATED_NODES;
  }
}
