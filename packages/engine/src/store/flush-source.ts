import type { SequenceNumber } from "@kaya/core";
import { type FlushEntry, type FlushSource, MergingCursor } from "@kaya/lsm";
import type { MemtableCursor } from "../memtable/memtable-cursor.js";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import type { FlushProgress } from "./flush-progress.js";
import type { StoreSnapshot } from "./store-snapshot.js";

/**
 * What a sealed memtable has for a table: tombstones too, and not what its own range tombstones hide.
 * @param progress is told of each entry, and when there is none left
 */
export function flushSource(snapshot: MemtableSnapshot, progress?: FlushProgress): FlushSource {
  const { rangeTombstones } = snapshot;
  // Without range tombstones nothing hides anything: a merge of one memtable would give the same entries, and cost as much as the table.
  const entries =
    rangeTombstones.length === 0 ? new InOrder(snapshot.entries(), progress) : entriesOf([snapshot], 0);
  return { entries, rangeTombstones };
}

/**
 * What a snapshot of the store has in memory and not in its tables, for one table that is newer than those. A memtable may be in
 * both: it is forgotten a moment after its table was published.
 */
export function memorySource({ memtables, tables }: StoreSnapshot): FlushSource {
  const above = tables.covered.sequence;
  const tombstones = memtables.flatMap(({ rangeTombstones }) => [...rangeTombstones]);
  return {
    entries: entriesOf(memtables, above),
    rangeTombstones: tombstones.filter(({ sequence }) => sequence > above),
  };
}

/** The entries of a cursor that never waits, each lent until the next one. Not a generator: those cost more than a table's entry. */
class InOrder implements IterableIterator<FlushEntry> {
  readonly #cursor: MemtableCursor;
  #isBegun = false;
  readonly #progress: FlushProgress | undefined;
  readonly #result: { value: FlushEntry; done: boolean };

  constructor(cursor: MemtableCursor, progress: FlushProgress | undefined) {
    this.#cursor = cursor;
    this.#progress = progress;
    this.#result = { value: cursor, done: false };
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<FlushEntry, FlushEntry> {
    this.#result.done = !(this.#isBegun ? this.#cursor.next() : this.#cursor.seekFirst());
    this.#isBegun = true;
    if (this.#result.done) this.#progress?.end();
    else this.#progress?.step();
    return this.#result;
  }

  return(): IteratorResult<FlushEntry, FlushEntry> {
    this.#cursor.close();
    this.#result.done = true;
    return this.#result;
  }
}

/** @param memtables newest first */
function* entriesOf(memtables: readonly MemtableSnapshot[], above: SequenceNumber): Generator<FlushEntry> {
  const runs = memtables.map((memtable) => memtable.run());
  const cursor = new MergingCursor(runs, { showTombstones: true });
  try {
    // A memtable's cursor never gives a promise.
    for (let there = cursor.seekFirst(); there === true; there = cursor.next()) {
      if (cursor.sequence > above) yield cursor;
    }
  } finally {
    cursor.close();
  }
}
