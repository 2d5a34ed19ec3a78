import {
  checkKeys,
  type DurabilityMode,
  describe,
  isDurabilityMode,
  KayaError,
  type Lsn,
  resolveWalConfig,
  type SequenceNumber,
  type WalConfig,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { AppendResult, ToResult } from "./batch.js";
import type { PendingChange } from "./batch-queue.js";
import { operationCount, WAL_HEADER_LENGTH, type WalPayload, type WalRecord } from "./format.js";
import { GroupCommit } from "./group-commit.js";
import { LogWatch, type WalActivity } from "./log-watch.js";
import { payloadLength } from "./payload-codec.js";
import { type RecoverOptions, recoverLog, type WalRecoveryReport } from "./recovery.js";
import { SegmentStore } from "./segment-store.js";

/** How a log is doing. */
export interface WalStats extends WalActivity {
  /** Of the log, behind what was dropped. */
  readonly segments: number;
  /** In them: what is pending is not counted. */
  readonly bytes: number;
}

export interface WalWriterOptions<T = AppendResult> extends Omit<RecoverOptions, "dryRun"> {
  /**
   * Called for each record once it may be seen: in LSN order, after the durability it asked for, before its promise
   * settles. The record's bytes are only lent for the call. It must not throw.
   */
  readonly onCommit?: (record: WalRecord) => void;
  /** What `append` resolves with, made of its result: cheaper than a promise behind each append. It must not throw. */
  readonly toResult?: (result: AppendResult) => T;
}

const WRITER_OPTIONS = ["after", "onRecord", "onProgress", "trustPageCache", "onCommit", "toResult"];

/**
 * Appends records to the log. Appends that are under way together share one write and one fsync (group commit), without a
 * timer: what arrives while a batch is on its way to the disk is the next batch.
 *
 * One writer owns a log; this layer takes no lock (the engine does).
 */
export class WalWriter<T = AppendResult> {
  /** What recovery found when the writer was opened. */
  readonly recovery: WalRecoveryReport;
  readonly #config: WalConfig;
  readonly #commit: GroupCommit<T>;
  readonly #segments: SegmentStore;
  readonly #watch: LogWatch;
  #dropping: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(
    config: WalConfig,
    recovery: WalRecoveryReport,
    segments: SegmentStore,
    commit: GroupCommit<T>,
    watch: LogWatch,
  ) {
    this.#config = config;
    this.recovery = recovery;
    this.#segments = segments;
    this.#commit = commit;
    this.#watch = watch;
  }

  /**
   * Recovers the log, then goes on after its last record. Nothing is created before the first append. On a full disk the log
   * opens, and appends are rejected with KAYA_DISK_FULL until there is room to make its tail durable.
   * @throws KayaError as `recoverWal` does
   */
  static async open<T = AppendResult>(
    config: Partial<WalConfig>,
    disk: Disk,
    options: WalWriterOptions<T> = {},
  ): Promise<WalWriter<T>> {
    const resolved = resolveWalConfig(config);
    checkKeys(options, WRITER_OPTIONS, "the options of WalWriter.open");
    const { onCommit, toResult = asItIs as ToResult<T>, ...recoverOptions } = options;
    const log = await recoverLog(resolved, disk, recoverOptions, true);
    const watch = new LogWatch(disk.root);
    const segments = await SegmentStore.open(disk, log, watch);
    const commit = new GroupCommit(resolved, segments, watch, log.last, onCommit, toResult);
    return new WalWriter(resolved, log.report, segments, commit, watch);
  }

  /**
   * Appends one record. `strict` (the default) resolves when it is on stable storage, `relaxed` when the system has it. The
   * payload's bytes are read before the call returns.
   *
   * Rejects with KAYA_INVALID_ARGUMENT (nothing was appended), KAYA_DISK_FULL or KAYA_IO (taken back; the writer goes
   * on), KAYA_FSYNC_FAILED (final), KAYA_WRITER_FAILED (after that), KAYA_CLOSED.
   */
  append(payload: WalPayload, mode: DurabilityMode = "strict"): Promise<T> {
    try {
      this.#assertOpen();
      if (!isDurabilityMode(mode)) {
        throw new KayaError(
          "KAYA_INVALID_ARGUMENT",
          `durability must be "strict" or "relaxed", not ${describe(mode)}`,
        );
      }
      const length = this.#checkLength(WAL_HEADER_LENGTH + payloadLength(payload));
      return this.#commit.append(payload, length, operationCount(payload), mode === "strict");
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when all that was appended so far is durable. Rejects as `append`. */
  sync(): Promise<void> {
    try {
      this.#assertOpen();
      return this.#commit.sync();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Closes the open segment, so that all that was appended so far can be dropped once it is elsewhere, and creates the next one. An
   * empty segment stays as it is. Resolves when what was appended before is durable. Rejects as `append`.
   */
  rotate(): Promise<void> {
    try {
      this.#assertOpen();
      return this.#commit.rotate();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when there is room: for callers who append without awaiting. Rejects once the writer failed or is closed. */
  ready(): Promise<void> {
    try {
      this.#assertOpen();
      return this.#commit.ready();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Removes closed segments that hold only records below `lsn`, lowest first, and gives how many. The caller has what was in
   * them elsewhere, durably; the log opens from then on with `after` at or behind the last record removed.
   */
  async dropSegmentsBefore(lsn: Lsn): Promise<number> {
    this.#assertOpen();
    if (!Number.isSafeInteger(lsn) || lsn < 1 || lsn > this.nextLsn) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `lsn must be from 1 to ${this.nextLsn}, not ${describe(lsn)}`,
      );
    }
    const drop = this.#dropping.then(() => this.#commit.dropBefore(lsn));
    this.#dropping = drop.catch(() => undefined); // the caller has the rejection; the next one starts clean
    return drop;
  }

  /**
   * Writes and syncs what was appended, then lets go of the files. Later calls give the same promise. Rejects where
   * something that was acknowledged as relaxed could not be made durable.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#commit.close();
    } finally {
      await this.#dropping;
      await this.#segments.close();
    }
  }

  /** The LSN that the next record gets, if nothing fails before it. */
  get nextLsn(): Lsn {
    return this.#commit.nextLsn;
  }

  get nextSequence(): SequenceNumber {
    return this.#commit.nextSequence;
  }

  /** Everything up to this LSN is on stable storage. */
  get durableLsn(): Lsn {
    return this.#commit.durableLsn;
  }

  /** Bytes that were appended and are not settled yet. */
  get pendingBytes(): number {
    return this.#commit.pendingBytes;
  }

  /** Why the writer failed for good; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#commit.failure;
  }

  /** Everything in the log is on stable storage and nothing failed on the way there. */
  get isClean(): boolean {
    return this.#commit.isClean;
  }

  /** Asked after `close`: what the next writer may give as `trustPageCache`; undefined where the log was not left clean. */
  get tailMark(): string | undefined {
    return this.isClean ? this.#segments.tailMark : undefined;
  }

  /** Segments of the log and the bytes in them, what is pending not counted. */
  get size(): { readonly segments: number; readonly bytes: number } {
    return { segments: this.#segments.count, bytes: this.#segments.totalBytes };
  }

  /** Bytes of the log, as `size`; cheap enough to be asked at each commit. */
  get byteLength(): number {
    return this.#segments.totalBytes;
  }

  /** Size of the log, and what was done since it was opened. Some microseconds of work. */
  stats(): WalStats {
    return { ...this.size, ...this.#watch.activity };
  }

  /** Records that were appended and are not settled yet, oldest first. Their bytes are lent until the next `await`. */
  pending(): Iterable<WalRecord> {
    return this.#commit.pendingRecords();
  }

  /**
   * The last of the changes to a key that were appended and are not settled yet: together with what is applied it tells what the next
   * append finds. The first call looks at all that is pending, those after it at what has come since.
   */
  pendingChange(key: Uint8Array): PendingChange | undefined {
    return this.#commit.pendingChange(key);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new KayaError("KAYA_CLOSED", "the log's writer is closed: open it again");
    this.#commit.assertWorking();
  }

  #checkLength(length: number): number {
    if (length <= this.#config.maxRecordBytes) return length;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `a record of ${length} bytes is over maxRecordBytes (${this.#config.maxRecordBytes}): split it, or raise the limit`,
    );
  }
}

function asItIs(result: AppendResult): AppendResult {
  return result;
}
