import type { EngineConfig, Lsn, SequenceNumber } from "@kaya/core";
import type { LsmStats } from "@kaya/lsm";
import type { WalStats, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import type { ChangesStats } from "./changes/change-feeds.js";
import type { FlushStats } from "./store/flushes.js";

/** Whether an engine takes writes: `open` does; `failed` only reads; `closed` does neither. */
export type EngineState = "open" | "failed" | "closed";

/** The memtables: data that is in no table yet. Figures are bytes unless the name says otherwise. */
export interface MemtableStats {
  /** Bytes of entries, tombstones and indexes in use, and of data that snapshots hold, in both memtables. */
  readonly bytes: number;
  /** How many of `bytes` are in the memtable that is being flushed; 0 if none is. */
  readonly sealedBytes: number;
  /** The configured limit: `memory.memtableBytes`. */
  readonly limitBytes: number;
  /** Bytes taken from the system, including room that is not used yet. */
  readonly allocatedBytes: number;
  /** Keys that have a value here; one that has expired counts until it is written into a table. */
  readonly entries: number;
  /** How many of `entries` expire or have expired. */
  readonly expiring: number;
  /** Keys that are deleted here, and ranges. */
  readonly tombstones: number;
  /** How many deleted ranges the memtables have. */
  readonly rangeTombstones: number;
  /** The moments that snapshots and scans keep in these memtables. */
  readonly snapshots: {
    /** How many moments are kept. */
    readonly open: number;
    /** Bytes in memory that are kept for them alone. */
    readonly bytes: number;
  };
}

/** Counts and sizes of an engine at one moment. */
export interface EngineStats {
  /** Whether the engine takes writes. */
  readonly state: EngineState;
  /**
   * About how many keys have a value; entries of indexes are keys too. It counts a key once for each table and
   * memtable that has it, even if the value has expired; compaction brings it closer. `count()` is exact.
   */
  readonly entries: number;
  /** The memtables: data that is in no table yet. */
  readonly memtable: MemtableStats;
  /** The tables, their levels and their cache. */
  readonly tables: LsmStats;
  /**
   * Log sequence number of the last record that was appended, even if it is not acknowledged yet; 0 for an
   * empty log.
   */
  readonly lastLsn: Lsn;
  /** The sequence of the last operation that was appended; 0 for an empty log. */
  readonly lastSequence: SequenceNumber;
  /** All records up to this log sequence number are on stable storage. */
  readonly durableLsn: Lsn;
  /** Bytes that were appended and are not acknowledged yet. */
  readonly pendingBytes: number;
  /** The log behind the tables, and what was done with it since the engine was opened. */
  readonly wal: WalStats;
  /** How flushes are doing. */
  readonly flush: FlushStats;
  /** The change feeds, and those for whom the log is kept. */
  readonly changes: ChangesStats;
  /** How many watches are being read. */
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
