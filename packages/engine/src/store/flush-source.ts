import { type FlushEntry, type FlushSource, MergingCursor } from "@kaya/lsm";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";

/** What a sealed memtable has for a table: tombstones too, and not what its own range tombstones hide. */
export function flushSource(snapshot: MemtableSnapshot): FlushSource {
  return { entries: entriesOf(snapshot), rangeTombstones: snapshot.rangeTombstones };
}

function* entriesOf(snapshot: MemtableSnapshot): Generator<FlushEntry> {
  const cursor = new MergingCursor([snapshot.run()], { showTombstones: true });
  try {
    // A memtable's cursor never gives a promise.
    for (let there = cursor.seekFirst(); there === true; there = cursor.next()) yield cursor;
  } finally {
    cursor.close();
  }
}
