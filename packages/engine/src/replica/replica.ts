import type { KayaError, LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import type { Engine, OpenEngineOptions } from "../engine.js";

/** One group commit that is handed to the shared log. */
export interface ReplicaBatch {
  /** LSN of its first record. */
  readonly firstLsn: Lsn;
  /** LSN of its last record. */
  readonly lastLsn: Lsn;
  /** Sequence number of the last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The records as in a segment of the log, one after the other. The bytes do not change until `commit` settles. */
  readonly bytes: Uint8Array;
}

/** Records of the shared log, for a replica that follows. */
export interface ReplicaEntry {
  /** LSN of its first record. */
  readonly firstLsn: Lsn;
  /** LSN of its last record. */
  readonly lastLsn: Lsn;
  /** The records as in `ReplicaBatch.bytes`: whole entries, one after the other. They are read before `append` returns. */
  readonly bytes: Uint8Array;
}

/** The shared log of a replica, and the options of its engine. */
export interface ReplicaOptions extends OpenEngineOptions {
  /** The id of the log, the same on all nodes: 16 lower-case hex digits. So tokens of the change feed are valid on each of them. */
  readonly logId: string;
  /** The name of the shared log for the marker and for messages: one line, without secrets. */
  readonly logName: string;
  /** The largest size of a batch, and of a record, in bytes; at least 40. A larger write is refused with KAYA_INVALID_ARGUMENT. */
  readonly maxBatchBytes: number;
  /** Makes the error of writes while the replica follows: KAYA_NOT_LEADER. */
  readonly refusal: () => KayaError;
  /**
   * True: a store with records becomes a replica. This is for the first machine of a cluster, and for a base that was loaded. Default
   * false: such a store is refused.
   */
  readonly adopt?: boolean;
}

/**
 * An engine whose log is a prefix of a shared log. At first it follows: `append` gives it records, and it refuses all writes. After `lead`
 * it accepts writes, and each batch waits for the shared log before it is written here. `follow` ends that. Both may be called any number
 * of times.
 *
 * A write is acknowledged when it is in the shared log. The local log is not synced for each commit. Flushes sync it, so tables never have
 * records that the local log may lose.
 */
export interface Replica {
  /**
   * The engine: reads, scans, snapshots, views, watches, change feeds, statistics, flushes, compactions and backups. `engine.close()`
   * closes the replica. Synchronous writes (`putSync` and the like) are refused with KAYA_INVALID_ARGUMENT.
   */
  readonly engine: Engine;
  /** The position of the last applied record and its last operation. All records up to it can be read. */
  readonly position: LogPosition;
  /** Whether writes are accepted. */
  readonly isLeading: boolean;
  /**
   * Appends records of the shared log after `position`, and resolves when they can be read. Before it writes, it verifies the whole entry:
   * each checksum, and that LSNs and sequences continue without a gap. Records at or below `position` are skipped. Concurrent calls append
   * in the order of the calls.
   *
   * @throws KayaError KAYA_CORRUPTION if the bytes are not whole records, are not the records that the entry names, or do not continue the
   *   sequence of this log; KAYA_INVALID_ARGUMENT if records are missing before them, if one is larger than `wal.maxRecordBytes`, or while
   *   the replica leads. In all these cases nothing was written. KAYA_DISK_FULL, KAYA_IO: all records that cannot be read yet were taken
   *   back, and may be appended again. KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL, KAYA_INVARIANT_VIOLATION: final.
   *   KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  append(entry: ReplicaEntry): Promise<void>;
  /**
   * Accepts writes from now on. Each batch is handed to `commit` before it is written here, one at a time and in order.
   *
   * If `commit` rejects, the batch rejects with that error, and nothing of it is written here. Later batches that wait were never handed
   * over. They reject with the same code, or with KAYA_FENCED if that code leaves the outcome of a write unknown; `cause` is the first
   * error. Their LSNs are free again. If something fails here after `commit` has resolved, the engine fails (`onFailure`): the records are
   * in the shared log, but this node does not have them.
   *
   * @param refusedHere called with the error when this directory refuses writes that were not handed to `commit`: a segment cannot be opened, or a memtable
   *   cannot be flushed, because the disk is full or broken. The replica goes on, and refuses writes for as long as the cause lasts: `follow` lets another
   *   node write. It must not throw
   * @throws KayaError KAYA_INVALID_ARGUMENT if it leads already, or an `append` is under way; KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  lead(commit: (batch: ReplicaBatch) => Promise<void>, refusedHere?: (error: KayaError) => void): void;
  /**
   * Does the steps that a refused write would need: it flushes the memtables, and opens the next segment. It resolves if this directory takes writes.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO: it does not now; KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  assertRoom(): Promise<void>;
  /**
   * Refuses writes from now on with `refusal()`, also updates and transactions whose functions have not ended. Writes that already have an
   * LSN still go through `commit`. Resolves when no write is under way any more. It may also be called while the replica follows.
   */
  follow(): Promise<void>;
  /**
   * Calls `call` once when a batch was applied and `position` has moved, or when the engine fails. It may also be called when neither happened.
   *
   * @returns a function that removes `call`
   */
  onApplied(call: () => void): () => void;
  /**
   * Calls `call` once when the engine fails. A failed engine accepts no records and no writes until it is opened again, but it can be read.
   * If the engine has already failed, `call` is never called.
   *
   * @returns a function that removes `call`
   */
  onFailure(call: () => void): () => void;
}
