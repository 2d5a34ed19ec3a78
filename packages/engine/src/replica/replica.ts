import type { KayaError, LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import type { Engine, OpenEngineOptions } from "../engine.js";

/** One group commit on its way to the shared log. */
export interface ReplicaBatch {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records. */
  readonly lastLsn: Lsn;
  /** The last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The records as a segment of the log has them, one behind the other. They stay as they are until `commit` settles. */
  readonly bytes: Uint8Array;
}

/** Records of the shared log, for a replica that follows. */
export interface ReplicaEntry {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records. */
  readonly lastLsn: Lsn;
  /** The records as `ReplicaBatch.bytes` had them: whole entries, one behind the other. They are read before `append` returns. */
  readonly bytes: Uint8Array;
}

/** The shared log of a replica, and the options of its engine. */
export interface ReplicaOptions extends OpenEngineOptions {
  /** The id of the log, which all nodes have: 16 lower-case hex digits. Tokens of the change feed work on each of them. */
  readonly logId: string;
  /** The name of the shared log, without secrets: one line, for the marker and for messages. */
  readonly logName: string;
  /** Most bytes of one batch, and of one record; at least 40. A larger write is refused with KAYA_INVALID_ARGUMENT. */
  readonly maxBatchBytes: number;
  /** Makes the error with which writes reject while the replica follows: KAYA_NOT_LEADER. */
  readonly refusal: () => KayaError;
  /** Makes a store with records a replica: one machine becomes the first of three, or a base is loaded. Default false: it is refused. */
  readonly adopt?: boolean;
}

/**
 * An engine whose log is a prefix of a shared log. After the opening it follows: records come from `append`, and all writes are refused. After `lead`,
 * writes are accepted, and each batch waits for the shared log before it is written here. `follow` ends that; both may be called any number of times.
 *
 * A write is acknowledged once it is in the shared log. The local log is not synced for each commit. Flushes sync it, so tables never have records that the
 * local log may lose.
 */
export interface Replica {
  /**
   * Reads, scans, snapshots, views, watches, change feeds, statistics, flushes, compactions and backups. It closes with `engine.close()`. Writes
   * before they return (`putSync` and the like) are refused with KAYA_INVALID_ARGUMENT.
   */
  readonly engine: Engine;
  /** The last applied record, and its last operation. All records up to it can be read. */
  readonly position: LogPosition;
  /** Whether writes are accepted. */
  readonly isLeading: boolean;
  /**
   * Appends records of the shared log behind `position`, and resolves when they can be read. It verifies the whole entry before it writes: each checksum,
   * and that LSNs and sequences continue without a gap. Records at or below `position` are skipped. Concurrent
   * calls append in the order of the calls.
   *
   * @throws KayaError KAYA_CORRUPTION if the bytes are no whole records, or not the ones that the entry names, or if they do not go on from this
   *   log's sequence; KAYA_INVALID_ARGUMENT if records are missing before them, if one is over `wal.maxRecordBytes`, or while it leads. Nothing was
   *   written then. KAYA_DISK_FULL, KAYA_IO: they were taken back, from the first that cannot be read on, and may be appended again. KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL, KAYA_INVARIANT_VIOLATION: final. KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  append(entry: ReplicaEntry): Promise<void>;
  /**
   * From now on writes are accepted. Each batch is handed to `commit` before it is written here, one at a time and in order.
   *
   * If `commit` rejects, the batch rejects with that error, and nothing of it is here. Batches behind it were never handed over: they reject with the
   * same code, or with KAYA_FENCED if that leaves their fate open; `cause` is the first error. Their LSNs are free again. If something fails here
   * after `commit` has resolved, the engine has failed (`onFailure`): the records are in the shared log, and this node does not have them.
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
   * From now on writes reject with `refusal()`, and so do updates and transactions whose functions have not ended. Writes that already have an LSN still go
   * through `commit`. Resolves when no write is under way any more. It may be called while the replica follows.
   */
  follow(): Promise<void>;
  /**
   * Calls `call` once when a batch was applied and `position` has moved, or when the engine fails. It may also be called when neither happened.
   *
   * @returns a function that removes `call`
   */
  onApplied(call: () => void): () => void;
  /**
   * Calls `call` once when the engine fails. A failed engine takes no records and no writes until it is opened again; reads go on. An engine that has
   * failed already never calls it.
   *
   * @returns a function that removes `call`
   */
  onFailure(call: () => void): () => void;
}
