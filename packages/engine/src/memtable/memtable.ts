import type { SequenceNumber } from "@kaya/core";
import { CowTree } from "./cow-tree.js";
import { copyEntry, type Entry } from "./entry.js";
import type { KeyRange } from "./key-range.js";
import { findEntry, type Node } from "./node.js";
import { RangeIterator } from "./range-iterator.js";

export type { Entry } from "./entry.js";
export type { KeyRange } from "./key-range.js";

/** The live entries at one point in time. */
export interface MemtableView {
  /** How many there are. */
  readonly size: number;
  get(key: Uint8Array): Entry | undefined;
  /**
   * The entries of the range in key order, or in its reverse, as of this call: later writes don't show. Their bytes
   * belong to the memtable: copy them before a caller gets them.
   */
  entries(range?: KeyRange): IterableIterator<Entry>;
}

/** The state of the store: all live entries, in memory, ordered by key. Memory follows them; a deleted key leaves nothing. */
export interface Memtable extends MemtableView {
  /** Sum of the lengths of all keys. */
  readonly keyBytes: number;
  /** Sum of the lengths of all values. */
  readonly valueBytes: number;
  /** Adds the entry, or replaces value and sequence of its key. Copies key and value. */
  put(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): void;
  /** Whether the key was there. */
  delete(key: Uint8Array): boolean;
  /** The state as of now: made in constant time, unchanged by later writes, released by dropping it. */
  snapshot(): MemtableView;
}

export function createMemtable(): Memtable {
  return new TreeMemtable();
}

class TreeMemtable implements Memtable {
  readonly #tree = new CowTree();
  #size = 0;
  #keyBytes = 0;
  #valueBytes = 0;

  get size(): number {
    return this.#size;
  }

  get keyBytes(): number {
    return this.#keyBytes;
  }

  get valueBytes(): number {
    return this.#valueBytes;
  }

  get(key: Uint8Array): Entry | undefined {
    return findEntry(this.#tree.root, key);
  }

  entries(range: KeyRange = {}): IterableIterator<Entry> {
    return new RangeIterator(this.#tree.freeze(), range);
  }

  put(key: Uint8Array, value: Uint8Array, sequence: SequenceNumber): void {
    const entry = copyEntry(key, value, sequence);
    const replaced = this.#tree.set(entry);
    if (replaced !== undefined) this.#discount(replaced);
    this.#size++;
    this.#keyBytes += entry.key.length;
    this.#valueBytes += entry.value.length;
  }

  delete(key: Uint8Array): boolean {
    const removed = this.#tree.remove(key);
    if (removed === undefined) return false;
    this.#discount(removed);
    return true;
  }

  snapshot(): MemtableView {
    return new TreeSnapshot(this.#tree.freeze(), this.#size);
  }

  #discount(gone: Entry): void {
    this.#size--;
    this.#keyBytes -= gone.key.length;
    this.#valueBytes -= gone.value.length;
  }
}

class TreeSnapshot implements MemtableView {
  readonly #root: Node;
  readonly size: number;

  constructor(root: Node, size: number) {
    this.#root = root;
    this.size = size;
  }

  get(key: Uint8Array): Entry | undefined {
    return findEntry(this.#root, key);
  }

  entries(range: KeyRange = {}): IterableIterator<Entry> {
    return new RangeIterator(this.#root, range);
  }
}
