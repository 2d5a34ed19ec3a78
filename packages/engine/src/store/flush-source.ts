import type { SequenceNumber } from "@kaya/core";
import { type FlushEntry, type FlushSource, MergingCursor } from "@kaya/lsm";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import type { StoreSnapshot } from "./store-snapshot.js";

/** What a sealed memtable has for a table: tombstones too, and not what its own range tombstones hide. */
export function flushSource(snapshot: MemtableSnapshot): FlushSource {
  return { entries: entriesOf([snapshot], 0), rangeTombstones: snapshot.rangeTombstones };
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
