import type { SequenceNumber } from "@kaya/core";
import type { RangeTombstone } from "@kaya/lsm";
import type { Now } from "../clock.js";
import { MemtableCursor } from "./memtable-cursor.js";
import { MemtableRun } from "./memtable-run.js";
import type { Pin } from "./pins.js";
import type { KeyState, StateReader } from "./state-reader.js";
import type { Tree } from "./tree.js";

/** Releases what snapshots hold that were dropped without being released. */
const dropped = new FinalizationRegistry<() => void>((release) => release());

/** The memtable at one point in time. What it alone still sees stays in memory until it is released. */
export class MemtableSnapshot {
  readonly #tree: Tree;
  readonly #reader: StateReader;
  readonly #pin: Pin;
  readonly #unpin: () => void;
  #isReleased = false;

  /** @param unpin lets go of one holder of the pin: called once */
  constructor(tree: Tree, reader: StateReader, pin: Pin, unpin: () => void) {
    this.#tree = tree;
    this.#reader = reader;
    this.#pin = pin;
    this.#unpin = unpin;
    dropped.register(this, unpin, this);
  }

  /** The number of entries: puts and tombstones, those that a range tombstone hides too. */
  get size(): number {
    return this.#pin.state.size;
  }

  /** There is neither an entry nor a range tombstone. */
  get isEmpty(): boolean {
    return this.size === 0 && this.#pin.state.pieces.isEmpty;
  }

  /** Sequence of the last change that it shows; 0 where there is none. */
  get lastSequence(): SequenceNumber {
    return this.#pin.state.time;
  }

  /** In key order, disjoint: of those that overlapped, the newer has the place. */
  get rangeTombstones(): readonly RangeTombstone[] {
    return this.#pin.state.pieces.pieces;
  }

  /** As `Memtable.get`. */
  get(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    return this.#reader.get(this.#find(key), key, this.#pin.state.pieces, now);
  }

  /** As `Memtable.stateOf`. */
  stateOf(key: Uint8Array): KeyState | undefined {
    return this.#reader.stateOf(this.#find(key), key, this.#pin.state.pieces);
  }

  /**
   * All entries, tombstones included, and the range tombstones, for a `MergingCursor`. No move of its cursor gives a promise. It must not
   * be used after the snapshot was released, and keeps it from being dropped until then.
   */
  run(): MemtableRun {
    const { root, pieces, time } = this.#pin.state;
    return new MemtableRun(new MemtableCursor(this.#tree, root, this), pieces, time);
  }

  /** As the cursor of `run`, for whoever goes over all of them, forward: it fetches the records of a leaf at once. */
  entries(): MemtableCursor {
    return new MemtableCursor(this.#tree, this.#pin.state.root, this, true);
  }

  /** Another holder of the same point in time, to be released for itself. */
  another(): MemtableSnapshot {
    this.#pin.holders++;
    return new MemtableSnapshot(this.#tree, this.#reader, this.#pin, this.#unpin);
  }

  /** Doing it again is fine; nothing else may be asked afterwards. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    dropped.unregister(this);
    this.#unpin();
  }

  #find(key: Uint8Array): number {
    return this.#tree.find(this.#pin.state.root, key);
  }
}
