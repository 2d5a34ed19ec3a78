import type { FlushSource } from "@kaya/lsm";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";

/** What a sealed memtable has for a table: tombstones too, and not what its own range tombstones hide. */
export function flushSource(snapshot: MemtableSnapshot): FlushSource {
  return { entries: snapshot.entries(), rangeTombstones: snapshot.rangeTombstones };
}
