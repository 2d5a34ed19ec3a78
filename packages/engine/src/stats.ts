import type { EngineConfig, Lsn, SequenceNumber } from "@kaya/core";
import type { LsmStats } from "@kaya/lsm";
import type { WalStats, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import type { ChangesStats } from "./changes/change-feeds.js";
import type { FlushStats } from "./store/flushes.js";

export type EngineState = "open" | "failed" | "closed";

/** The memtables: what is in no table yet. Bytes unless the name says otherwise. */
export interface MemtableStats {
  /** Of entries, tombstones and indexes in use, and of what snapshots hold; of both memtables. */
  readonly bytes: number;
  /** Of that in the memtable that is being flushed; 0 where none is. */
  readonly sealedBytes: number;
  /** As configured: `memory.memtableBytes`. */
  readonly limitBytes: number;
  /** Taken from the system, room that is not used yet included. */
  readonly allocatedBytes: number;
  /** Keys that have a value here; one that has expired counts until it is written into a table. */
  readonly entries: number;
  /** Of `entries` those that expire, or have. */
  readonly expiring: number;
  /** Keys that are deleted here, and ranges. */
  readonly tombstones: number;
  readonly rangeTombstones: number;
  /** Points in time that snapshots and scans hold open in these memtables, and what is in memory for them alone. */
  readonly snapshots: { readonly open: number; readonly bytes: number };
}

export interface EngineStats {
  readonly state: EngineState;
  /**
   * Keys that have a value: an estimate. It counts a key once for each table and memtable that has it, also where the value has expired;
   * compaction brings it closer. `count()` is exact.
   */
  readonly entries: number;
  readonly memtable: MemtableStats;
  /** The tables and their cache. */
  readonly tables: LsmStats;
  /** Of the last record that was appended, settled or not; 0 for an empty log. */
  readonly lastLsn: Lsn;
  readonly lastSequence: SequenceNumber;
  /** Everything up to here is on stable storage. */
  readonly durableLsn: Lsn;
  /** Bytes appended and not settled yet. */
  readonly pendingBytes: number;
  /** The log behind what the tables cover, and what was done with it since the engine was opened. */
  readonly wal: WalStats;
  readonly flush: FlushStats;
  readonly changes: ChangesStats;
  /** Watches that are being read. */
  readonly watches: number;
}

interface Counted {
  readonly state: EngineState;
  readonly config: EngineConfig;
  readonly applied: AppliedLog;
  readonly wal: WalWriter<unknown>;
  readonly flush: FlushStats | undefined;
  readonly changes: ChangesStats;
  readonly watches: number;
}

const NO_FLUSHES: FlushStats = { isRunning: false, finished: 0, failed: 0, heldUp: 0 };

export function engineStats({ state, config, applied, wal, flush, changes, watches }: Counted): EngineStats {
  const memtable = memtableStats(applied, config);
  const tables = applied.store.tables.stats();
  return {
    state,
    entries: estimate(memtable, tables),
    memtable,
    tables,
    lastLsn: wal.nextLsn - 1,
    lastSequence: wal.nextSequence - 1,
    durableLsn: wal.durableLsn,
    pendingBytes: wal.pendingBytes,
    wal: wal.stats(),
    flush: flush ?? NO_FLUSHES,
    changes,
    watches,
  };
}

function memtableStats({ store }: AppliedLog, { memory }: EngineConfig): MemtableStats {
  const sum = (of: (memtable: (typeof store.memtables)[number]) => number) =>
    store.memtables.reduce((total, memtable) => total + of(memtable), 0);
  return {
    bytes: sum(({ usedBytes }) => usedBytes),
    sealedBytes: store.sealed?.usedBytes ?? 0,
    limitBytes: memory.memtableBytes,
    allocatedBytes: sum((memtable) => memtable.memory.allocated),
    entries: sum(({ puts }) => puts),
    expiring: sum(({ expiring }) => expiring),
    tombstones: sum(({ tombstones }) => tombstones),
    rangeTombstones: sum(({ rangeTombstones }) => rangeTombstones),
    snapshots: {
      open: sum((memtable) => memtable.memory.snapshots),
      bytes: sum((memtable) => memtable.memory.pinned),
    },
  };
}

/** Each tombstone is taken to delete one entry of what is older: of tables, or of the other memtable. Where there are none it deletes nothing. */
function estimate({ entries, tombstones, sealedBytes }: MemtableStats, { levels }: LsmStats): number {
  if (levels.length === 0 && sealedBytes === 0) return entries;
  const inTables = levels.reduce((sum, level) => sum + level.entries - 2 * level.tombstones, 0);
  return Math.max(0, entries - tombstones + inTables);
}
