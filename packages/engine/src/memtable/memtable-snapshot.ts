import type { SequenceNumber } from "@kaya/core";
import { NO_ADDRESS } from "./arena.js";
import type { CopyOut } from "./copy-out.js";
import { EntryReader } from "./entry-reader.js";
import type { KeyRange } from "./key-range.js";
import type { Pin } from "./pins.js";
import { sequenceOf } from "./record.js";
import type { Tree } from "./tree.js";

/** Releases what snapshots hold that were dropped without being released. */
const dropped = new FinalizationRegistry<() => void>((release) => release());

/** The entries at one point in time. What it alone still sees stays in memory until it is released. */
export class MemtableSnapshot {
  readonly #tree: Tree;
  readonly #copyOut: CopyOut;
  readonly #pin: Pin;
  readonly #unpin: () => void;
  #release: (() => void) | undefined;

  /** @param unpin lets go of one holder of the pin: called once */
  constructor(tree: Tree, copyOut: CopyOut, pin: Pin, unpin: () => void) {
    this.#tree = tree;
    this.#copyOut = copyOut;
    this.#pin = pin;
    this.#unpin = unpin;
    this.#release = unpin;
    dropped.register(this, unpin, this);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#pin.size;
  }

  /** A copy of the key's value. */
  get(key: Uint8Array): Uint8Array | undefined {
    const address = this.#tree.find(this.#pin.root, key);
    return address === NO_ADDRESS ? undefined : this.#copyOut.value(address);
  }

  has(key: Uint8Array): boolean {
    return this.#tree.find(this.#pin.root, key) !== NO_ADDRESS;
  }

  /** Of the operation that wrote the key's value. */
  sequenceOf(key: Uint8Array): SequenceNumber | undefined {
    const address = this.#tree.find(this.#pin.root, key);
    return address === NO_ADDRESS ? undefined : sequenceOf(this.#tree.records, address);
  }

  /** The reader must not be used after the snapshot was released, and keeps it from being dropped until then. */
  entries(range: KeyRange = {}): EntryReader {
    return new EntryReader(this, this.#tree, this.#pin.root, this.#copyOut, range);
  }

  /** Another holder of the same point in time, to be released for itself. */
  another(): MemtableSnapshot {
    this.#pin.holders++;
    return new MemtableSnapshot(this.#tree, this.#copyOut, this.#pin, this.#unpin);
  }

  /** Doing it again is fine; nothing else may be asked afterwards. */
  release(): void {
    if (this.#release === undefined) return;
    dropped.unregister(this);
    this.#release();
    this.#release = undefined;
  }
}
