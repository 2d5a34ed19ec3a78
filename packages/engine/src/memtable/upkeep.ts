import type { Address } from "./arena.js";
import { ArenaCompaction } from "./arena-compaction.js";
import { NodeCompaction } from "./node-compaction.js";
import { copyRecord, keyOf } from "./record.js";
import { SEPARATOR } from "./retired.js";
import type { Tree } from "./tree.js";

/** With each change: as much as keeps memory from growing, however long the event loop gets no turn. */
const RETIRED_PER_CHANGE = 32;
const BYTES_PER_CHANGE = 256;
const MOVED_PER_CHANGED_BYTE = 3;
const LEAVES_PER_CHANGE = 1;

/** In a turn of its own, when nothing changes: well under a millisecond. */
const RETIRED_PER_TURN = 4096;
const BYTES_PER_TURN = 64 * 1024;
const LEAVES_PER_TURN = 64;

/** Makes memory follow the live data, in small steps: a little with each change, the rest while the event loop is idle. */
export class Upkeep {
  readonly #tree: Tree;
  readonly #records: ArenaCompaction;
  readonly #separators: ArenaCompaction;
  readonly #nodes: NodeCompaction;
  #isScheduled = false;

  /** @param moveRecord moves a record elsewhere if it is in use */
  constructor(tree: Tree, moveRecord: (address: Address) => void) {
    this.#tree = tree;
    this.#records = new ArenaCompaction(tree.records, moveRecord);
    this.#separators = new ArenaCompaction(tree.separators, (address) => moveSeparator(tree, address));
    this.#nodes = new NodeCompaction(tree);
  }

  /** After a change that took or freed so many bytes. */
  afterChange(bytes: number): void {
    if (!this.#hasWork()) return;
    this.#work(RETIRED_PER_CHANGE, BYTES_PER_CHANGE + MOVED_PER_CHANGED_BYTE * bytes, LEAVES_PER_CHANGE);
    this.#schedule();
  }

  /** After a snapshot was released. */
  afterRelease(): void {
    this.#tree.pins.work(RETIRED_PER_TURN);
    this.#schedule();
  }

  #hasWork(): boolean {
    return (
      this.#tree.pins.hasWork || this.#records.hasWork || this.#separators.hasWork || this.#nodes.hasWork
    );
  }

  #work(retired: number, bytes: number, leaves: number): void {
    this.#tree.pins.work(retired);
    this.#records.work(bytes);
    this.#separators.work(bytes);
    this.#nodes.work(leaves);
  }

  /** Idle work keeps no process alive. */
  #schedule(): void {
    if (this.#isScheduled || !this.#hasWork()) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#work(RETIRED_PER_TURN, BYTES_PER_TURN, LEAVES_PER_TURN);
      this.#schedule();
    }).unref();
  }
}

function moveSeparator(tree: Tree, address: Address): void {
  tree.descend(keyOf(tree.separators, address));
  const depth = tree.depthOfSeparator(address);
  if (depth < 0) return;
  tree.replaceSeparator(depth, copyRecord(tree.separators, address));
  tree.pins.retire(SEPARATOR, address);
}
