import {
  checkCallback,
  type DurabilityMode,
  describe,
  isDurabilityMode,
  KayaError,
  type Lsn,
  readInput,
  readOptions,
  resolveWalConfig,
  type SequenceNumber,
  type WalConfig,
} from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { AppendResult, OnCommit, ToResult } from "./batch.js";
import type { PendingChange } from "./batch-queue.js";
import type { KeptLog } from "./closed-segments.js";
import { type CommitTo, checkCommitTo } from "./commit-to.js";
import { Followers } from "./followers.js";
import { operationCount, WAL_HEADER_LENGTH, type WalPayload, type WalRecord } from "./format.js";
import { GroupCommit } from "./group-commit.js";
import type { FollowedLog, LogFollower } from "./log-follower.js";
import type { LogHistory } from "./log-history.js";
import { checkedLogId, type LogIdentity } from "./log-identity.js";
import { formatLogMark } from "./log-mark.js";
import { LogWatch, type WalActivity } from "./log-watch.js";
import { ownPayload, payloadLength } from "./payload-codec.js";
import { Quarantine, type QuarantineCleaned, type QuarantineSummary } from "./quarantine.js";
import { LARGE_VALUE_BYTES } from "./record-buffer.js";
import { type RecoveredLog, type RecoverOptions, recoverLog, type WalRecoveryReport } from "./recovery.js";
import { newRecordsOf, type ReplicatedRecords } from "./replicated.js";
import { SegmentStore } from "./segment-store.js";

/** The size of a log, and what its writer has done. */
export interface WalStats extends WalActivity {
  /** How many segments the log has, without those that were dropped. */
  readonly segments: number;
  /** Bytes of the records in them; records that are under way do not count. */
  readonly bytes: number;
  /** How much recoveries took out of the log and kept. */
  readonly quarantine: QuarantineSummary;
}

/** How a writer recovers the log, and who gets the records. */
export interface WalWriterOptions<T = AppendResult> extends Omit<RecoverOptions, "dryRun"> {
  /**
   * Called for each record when it may be seen: in the order of the log, after the durability that it asked
   * for, before its promise settles. If it returns a promise, the record settles, and the next one comes, when
   * that has resolved. The record's bytes are lent until then, except a value with `ownsValue`. If it throws or
   * rejects, the writer fails: the record is in the log.
   */
  readonly onCommit?: OnCommit;
  /**
   * Called for each record that `appendSync` appends; it is done when it returns. If there is an `onCommit` and
   * no `onCommitSync`, `appendSync` is refused.
   */
  readonly onCommitSync?: (record: WalRecord) => void;
  /**
   * Looks only: recovers as a dry run does, beside another writer too, and leaves no trace. Whatever would change the log, or wait for
   * what comes, is refused with KAYA_READ_ONLY. Default false.
   */
  readonly readOnly?: boolean;
  /**
   * True: the log gets an id before its first segment, or before the next one if it has none. Default false: it
   * gets one when `identify` is called.
   */
  readonly identified?: boolean;
  /**
   * The value of a put with at least so many bytes is copied once, into memory of its own: it goes to the disk from there, and `onCommit` may
   * keep it (`ownsValue`). Default 16 KiB; at least 1.
   */
  readonly largeValueBytes?: number;
  /** What `append` resolves with, made of its result: cheaper than a promise behind each append. It must not throw. */
  readonly toResult?: (result: AppendResult) => T;
  /**
   * A log in front of this one: each batch is handed to it first. A record that it has is durable, so no commit waits for an fsync here: strict and
   * relaxed are the same, and followers read what was committed. `sync` and `rotate` sync as ever. `appendSync` is refused.
   */
  readonly commitTo?: CommitTo;
}

const WRITER_OPTIONS = [
  "after",
  "onRecord",
  "onProgress",
  "trustPageCache",
  "closedAt",
  "covers",
  "newLogId",
  "identified",
  "onCommit",
  "onCommitSync",
  "readOnly",
  "toResult",
  "largeValueBytes",
  "commitTo",
];

/** Made by `WalWriter.open`: nothing else may become a writer. */
const opened = new WeakSet<object>();

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
  readonly #identity: LogIdentity;
  readonly #followers: Followers;
  readonly #isReadOnly: boolean;
  readonly #isSynchronous: boolean;
  /** Undefined if no log is in front of this one. */
  readonly #commitTo: CommitTo | undefined;
  readonly #maxRecordBytes: number;
  readonly #disk: Disk;
  #quarantine: QuarantineSummary;
  /** The last change of the log's directory beside the commits; they run one after the other. */
  #besides: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(
    config: WalConfig,
    disk: Disk,
    log: RecoveredLog,
    segments: SegmentStore,
    commit: GroupCommit<T>,
    watch: LogWatch,
    can: { readonly isReadOnly: boolean; readonly isSynchronous: boolean },
    commitTo: CommitTo | undefined,
  ) {
    // `private` exists only for types.
    if (!opened.has(commit))
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        "a writer is made by WalWriter.open, not by new WalWriter",
      );
    this.#config = config;
    this.#isReadOnly = can.isReadOnly;
    this.#isSynchronous = can.isSynchronous;
    this.#commitTo = commitTo;
    this.#maxRecordBytes = Math.min(config.maxRecordBytes, commitTo?.maxBatchBytes ?? config.maxRecordBytes);
    this.#disk = disk;
    this.#quarantine = log.quarantine;
    this.recovery = log.report;
    this.#identity = log.identity;
    this.#segments = segments;
    this.#commit = commit;
    this.#watch = watch;
    const { maxRecordBytes } = config;
    this.#followers = new Followers(
      { disk, segments, maxRecordBytes, progress: progressOf(commit, segments) },
      log.last.lsn,
      commitTo !== undefined,
    );
  }

  /**
   * Recovers the log, then goes on after its last record. It creates nothing before the first append. On a full
   * disk the log opens, and appends are rejected with KAYA_DISK_FULL until there is room to make its end
   * durable.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION or KAYA_INVALID_ARGUMENT if the recovery table
   *   (FORMAT.md) says refuse (nothing was changed); KAYA_IO; KAYA_DISK_FULL
   */
  static async open<T = AppendResult>(
    config: Partial<WalConfig>,
    disk: Disk,
    given?: WalWriterOptions<T>,
  ): Promise<WalWriter<T>> {
    const resolved = resolveWalConfig(config);
    const options = readOptions(given, WRITER_OPTIONS, "the options of WalWriter.open");
    const { onCommit, onCommitSync, commitTo, readOnly = false, identified = false } = options;
    const { toResult = asItIs as ToResult<T> } = options;
    const { largeValueBytes = LARGE_VALUE_BYTES } = options;
    checkLargeValueBytes(largeValueBytes);
    checkCallback(onCommit, "onCommit");
    checkCallback(onCommitSync, "onCommitSync");
    checkCallback(toResult, "toResult");
    checkCommitTo(commitTo);
    const recovered = await recoverLog(
      resolved,
      disk,
      Object.assign(options, { dryRun: readOnly }),
      !readOnly,
    );
    const log = readOnly ? { ...recovered, finishTail: refuse } : recovered;
    const watch = new LogWatch(disk.root);
    const { identity } = log;
    const segments = await SegmentStore.open(
      resolved,
      disk,
      { ...log, identity: identified ? identity : undefined },
      watch,
    );
    const callbacks = { onCommit, onCommitSync, commitTo };
    const queue = {
      ...resolved,
      maxBatchBytes: Math.min(resolved.maxBatchBytes, commitTo?.maxBatchBytes ?? resolved.maxBatchBytes),
      largeValueBytes,
      isAhead: commitTo !== undefined,
    };
    const commit = new GroupCommit(queue, segments, watch, log.last, callbacks, toResult);
    opened.add(commit);
    const isSynchronous = onCommit === undefined || onCommitSync !== undefined;
    const can = { isReadOnly: readOnly, isSynchronous };
    return new WalWriter(resolved, disk, log, segments, commit, watch, can, commitTo);
  }

  /**
   * Appends one record. `strict` (the default) resolves when it is on stable storage, `relaxed` when the system
   * has it. The payload's bytes are read before the call returns.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT (nothing was appended); KAYA_DISK_FULL or KAYA_IO (it was taken
   *   back, and the writer goes on); KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL or
   *   KAYA_INVARIANT_VIOLATION (final: the next opening shows whether the record counts); KAYA_WRITER_FAILED
   *   (after one of those; nothing was appended); KAYA_READ_ONLY, KAYA_CLOSED
   */
  append(payload: WalPayload, mode: DurabilityMode = "strict"): Promise<T> {
    try {
      this.#assertWritable();
      this.#assertAccepted();
      const isStrict = readMode(mode);
      return readInput("a record", () => {
        const own = ownPayload(payload);
        const length = this.#checkLength(WAL_HEADER_LENGTH + payloadLength(own));
        return this.#commit.append(own, length, operationCount(own), isStrict);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Appends records that the log in front of this one has, and resolves when they are applied and can be read. All of them are checked before
   * anything is written: checksums, and that LSNs and sequences go on behind the last record without a gap. Records that are here already are
   * skipped. The bytes are read before the call returns. No record is handed to `commitTo`, and none is as durable here as a strict one. Only while
   * no other records are on their way.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION or KAYA_INVALID_ARGUMENT (nothing was appended); KAYA_DISK_FULL or KAYA_IO (those
   *   that cannot be read were taken back, and the writer goes on); KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL or
   *   KAYA_INVARIANT_VIOLATION (final); KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  appendReplicated(records: ReplicatedRecords): Promise<void> {
    return this.#whenWritable(() => {
      const { nextLsn, nextSequence } = this;
      const last = { lsn: nextLsn - 1, sequence: nextSequence - 1 };
      return this.#commit.appendReplicated(
        newRecordsOf(records, { last, maxRecordBytes: this.#config.maxRecordBytes }),
      );
    });
  }

  /**
   * Resolves when all records that were appended so far are as durable as a strict one: on stable storage, or with `commitTo` in the log in front
   * of this one.
   *
   * @throws KayaError the error of a record that could not be made durable: KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL,
   *   KAYA_INVARIANT_VIOLATION, or that of `commitTo`; KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  settle(): Promise<void> {
    return this.#whenWritable(() => this.#commit.settle());
  }

  /** Resolves when nothing is on its way to the log any more, whatever became of it. Never rejects. */
  idle(): Promise<void> {
    return this.#commit.idle();
  }

  /**
   * Appends one record before it returns: it and all records before it are written, synced if any of them is
   * strict, and given to `onCommitSync`, without another thread. The event loop stands still while the disk
   * works.
   *
   * If it would have to wait, it throws KAYA_BUSY, and nothing is appended: while another thread writes an
   * earlier batch (more than 64 KiB), while a batch is applied in slices, while a segment is being created for
   * `append`, while `throttle` holds writes up, and inside a callback of another commit.
   *
   * @throws KayaError KAYA_BUSY; KAYA_INVALID_ARGUMENT (also if `onCommitSync` is missing); KAYA_DISK_FULL,
   *   KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL, KAYA_INVARIANT_VIOLATION,
   *   KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  appendSync(payload: WalPayload, mode: DurabilityMode = "strict"): T {
    this.#assertSynchronous();
    const isStrict = readMode(mode);
    const [own, length, operations] = readInput("a record", () => {
      const own = ownPayload(payload);
      return [own, this.#checkLength(WAL_HEADER_LENGTH + payloadLength(own)), operationCount(own)] as const;
    });
    return this.#commit.appendSync(own, length, operations, isStrict);
  }

  /**
   * Finishes everything that is queued before it returns: all appended records are as durable as they asked
   * for, or with `durable: true` on stable storage.
   *
   * @throws KayaError KAYA_BUSY if it would have to wait; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL, KAYA_INVARIANT_VIOLATION, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  settleSync(options?: { readonly durable?: boolean }): void {
    const { durable = false } = readOptions(options, ["durable"], "the options of settleSync");
    this.#assertSynchronous();
    this.#commit.settleSync(durable);
  }

  /**
   * Resolves when all records that were appended so far are on stable storage.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  sync(): Promise<void> {
    return this.#whenWritable(() => this.#commit.sync());
  }

  /**
   * Closes the open segment and creates the next one, so that all records that were appended so far can be
   * dropped when something else has them. An empty segment stays as it is. Resolves when all earlier records
   * are durable.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  rotate(): Promise<void> {
    return this.#whenWritable(() => this.#commit.rotate());
  }

  /**
   * Resolves when the log has an empty segment for the next record: it creates the first segment, or closes the open one and creates the next. An empty
   * segment stays as it is. All earlier records are durable then.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  prepare(): Promise<void> {
    return this.#whenWritable(() => this.#commit.prepare());
  }

  /**
   * Lets a caller hold writes up. `hold` is called before each batch is taken for writing. If it returns a
   * promise, the batch waits for that, and records that are appended meanwhile join it. It must neither throw
   * nor reject.
   *
   * @param pace called if `hold` returns nothing: what a batch had better wait for. `appendSync`, which cannot
   *   wait, does not ask it
   */
  throttle(
    hold: () => Promise<void> | undefined,
    pace: () => Promise<void> | undefined = () => undefined,
  ): void {
    this.#commit.throttle = hold;
    this.#commit.pace = pace;
  }

  /**
   * Resolves when there is room for more records: for callers that append without awaiting.
   *
   * @throws KayaError KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  ready(): Promise<void> {
    return this.#whenOpen(() => this.#commit.ready());
  }

  /**
   * Removes closed segments that hold only records below `lsn`, lowest first, and resolves to how many. The
   * caller has their records elsewhere, durably. From then on open the log with `after` at or behind the last
   * removed record.
   *
   * @param kept which segments stay all the same
   * @throws KayaError KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  async dropSegmentsBefore(lsn: Lsn, kept?: KeptLog): Promise<number> {
    this.#assertWritable();
    if (!Number.isSafeInteger(lsn) || lsn < 1 || lsn > this.nextLsn) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `lsn must be from 1 to ${this.nextLsn}, not ${describe(lsn)}`,
      );
    }
    return this.#inTurn(() => this.#segments.dropBefore(lsn, kept), "drop segments");
  }

  /** Counts as kept what `dropSegmentsBefore` would keep, and drops nothing: for a log that is only looked at. */
  countKept(lsn: Lsn, kept?: KeptLog): void {
    this.#segments.countKept(lsn, kept);
  }

  /**
   * Tells of a failure beside the log. Where it says that the directory is another one by now (KAYA_DIRECTORY_REPLACED), the log takes no
   * more writes either (W4); any other error is not the log's business.
   */
  noteFailure(error: unknown): void {
    if (KayaError.is(error, "KAYA_DIRECTORY_REPLACED")) this.#commit.fail(error);
  }

  /**
   * Removes torn ends from quarantine, oldest first, until at most `maxBytes` are left. The newest one stays,
   * and so do bytes that were kept for damage.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async cleanQuarantine(maxBytes: number): Promise<QuarantineCleaned> {
    this.#assertWritable();
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
      const message = `maxBytes must be a whole number >= 0, not ${describe(maxBytes)}`;
      throw new KayaError("KAYA_INVALID_ARGUMENT", message);
    }
    const clean = async () => {
      const quarantine = await Quarantine.open(this.#disk);
      const cleaned = await quarantine.clean(maxBytes);
      this.#quarantine = quarantine.summary;
      return cleaned;
    };
    return this.#inTurn(clean, "clean the quarantine");
  }

  #inTurn<R>(work: () => Promise<R>, doing: string): Promise<R> {
    const done = this.#besides.then(() => this.#commit.besides(work, doing));
    this.#besides = done.catch(() => undefined); // the caller gets the rejection; the next one starts clean
    return done;
  }

  /** The identity of the log; undefined if it has none yet: `identify` gives it one. */
  get history(): LogHistory | undefined {
    return this.#identity.history;
  }

  /**
   * The identity of the log, durably: with it a log sequence number says which record is meant, even after a
   * cut.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED (final), KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  async identify(): Promise<LogHistory> {
    if (this.#closing !== undefined) throw closed();
    if (this.history !== undefined && this.#identity.isDurable) return this.history;
    this.#assertWritable();
    return this.#inTurn(() => this.#identity.make(), "say which log this is");
  }

  /**
   * Gives the log an id, durably. Positions of its earlier ids stay known up to its last record, so that it may go on as another log does.
   *
   * @param id 16 lower-case hex digits
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED (final), KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async rename(id: string): Promise<LogHistory> {
    this.#assertWritable();
    checkedLogId(() => id);
    return this.#inTurn(() => this.#identity.rename(this.nextLsn - 1, id), "give the log an id");
  }

  /**
   * The log's records behind `after` (default: all), in order: first those in the segments, then each new one
   * when it is durable. Any number of followers may read at their own pace: none holds up the writer or
   * another. `close` ends them.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not reach back to `after`, or ends before it;
   *   KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED
   */
  follow(options?: { readonly after?: Lsn }): LogFollower {
    if (this.#closing !== undefined) throw closed();
    if (this.#isReadOnly) throw readOnlyError();
    const { after = 0 } = readOptions(options, ["after"], "the options of follow");
    return this.#followers.follow(after);
  }

  /**
   * Writes and syncs all records that were appended, then closes the files. A second call returns the same
   * promise.
   *
   * @throws KayaError KAYA_WRITER_FAILED or KAYA_FSYNC_FAILED if a record that was acknowledged as relaxed
   *   could not be made durable
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#followers.close(closed());
      if (!this.#isReadOnly) await this.#commit.close();
    } finally {
      await this.#besides;
      await this.#segments.close();
    }
  }

  /** The log sequence number of the next record, if nothing fails before it. */
  get nextLsn(): Lsn {
    return this.#commit.nextLsn;
  }

  /** The sequence of the next operation, if nothing fails before it. */
  get nextSequence(): SequenceNumber {
    return this.#commit.nextSequence;
  }

  /** All records up to this log sequence number are on stable storage. */
  get durableLsn(): Lsn {
    return this.#commit.durableLsn;
  }

  /** Bytes that were appended and are not acknowledged yet. */
  get pendingBytes(): number {
    return this.#commit.pendingBytes;
  }

  /** Why the writer failed for good; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#commit.failure;
  }

  /** True if everything in the log is on stable storage and nothing has failed. */
  get isClean(): boolean {
    return this.#commit.isClean;
  }

  /**
   * Ask for it after `close`: the next writer may pass it as `trustPageCache`, and every later one as
   * `closedAt`. Undefined if the log was not left clean.
   */
  get tailMark(): string | undefined {
    if (!this.isClean) return undefined;
    const { openId: segmentId, openLength: length } = this.#segments;
    return formatLogMark({ id: this.history?.id, lsn: this.durableLsn, segmentId, length });
  }

  /**
   * How many segments the log has, and the bytes of the records in them; records that are under way do not
   * count.
   */
  get size(): { readonly segments: number; readonly bytes: number } {
    return { segments: this.#segments.count, bytes: this.#segments.totalBytes };
  }

  /** The records behind this log sequence number are in the log; those up to it may be gone. */
  get beginsAfter(): Lsn {
    return this.#segments.beginsAfter;
  }

  /**
   * Log sequence number of the last durable record; or of the last one that recovery found, if a full disk
   * keeps it from being made durable. With `commitTo` a record is durable when it was committed.
   */
  get endLsn(): Lsn {
    return this.#followers.endLsn;
  }

  /**
   * Whether a record with this log sequence number is one of this log. One behind `endLsn` is not: the log lost what it had. But with `commitTo` it
   * may still come.
   */
  mayReach(lsn: Lsn): boolean {
    return this.#followers.mayReach(lsn);
  }

  /**
   * Calls `call` once when followers may read more of the log, or when the log fails. It may also be called when neither happened.
   *
   * @returns a function that ends the waiting
   */
  onProgress(call: () => void): () => void {
    const { watchers } = this.#commit;
    watchers.add(call);
    return () => watchers.delete(call);
  }

  /**
   * Calls `call` once when the log fails and takes no more writes until it is opened again; never if it has
   * failed already.
   *
   * @returns a function that ends the waiting
   */
  onFailure(call: () => void): () => void {
    const { failures } = this.#commit;
    failures.add(call);
    return () => failures.delete(call);
  }

  /**
   * Throws if the log takes no more writes.
   *
   * @throws KayaError KAYA_WRITER_FAILED with the first failure as its cause
   */
  assertWorking(): void {
    this.#commit.assertWorking();
  }

  /** Bytes of the segments that the last `dropSegmentsBefore` kept. */
  get keptBytes(): number {
    return this.#segments.keptBytes;
  }

  /** Bytes of the log's records. Cheap enough to be asked at each commit. */
  get byteLength(): number {
    return this.#segments.totalBytes;
  }

  /** The size of the log, and what was done since it was opened. It takes some microseconds. */
  stats(): WalStats {
    return { ...this.size, quarantine: this.#quarantine, ...this.#watch.activity };
  }

  /**
   * Records behind a log sequence number (default: all) that were appended and are not acknowledged yet, oldest
   * first. Their bytes are lent until the next `await`.
   */
  pending(after: Lsn = 0): Iterable<WalRecord> {
    return this.#commit.pendingRecords(after);
  }

  /**
   * How often a failed batch was taken back with all that was pending behind it. What was read of pending records, sequences included, counts
   * only while this stays the same.
   */
  get takeBacks(): number {
    return this.#commit.takeBacks;
  }

  /**
   * The last change to a key among the records that were appended and are not acknowledged yet. With the
   * applied records it says what the next append finds. The first call looks at all pending records, a later
   * one at the new ones.
   */
  pendingChange(key: Uint8Array): PendingChange | undefined {
    return this.#commit.pendingChange(key);
  }

  /** Its promise, or a rejection: never throws, and loses no turn. */
  #whenOpen<R>(run: () => Promise<R>): Promise<R> {
    try {
      this.#assertOpen();
      return run();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #whenWritable<R>(run: () => Promise<R>): Promise<R> {
    return this.#whenOpen(() => {
      this.#assertWritable();
      return run();
    });
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.#isReadOnly) throw readOnlyError();
  }

  /** @throws KayaError as `CommitTo.refusal` */
  #assertAccepted(): void {
    const refusal = this.#commitTo?.refusal();
    if (refusal !== undefined) throw refusal;
  }

  #assertSynchronous(): void {
    this.#assertWritable();
    if (this.#commitTo !== undefined)
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        "nothing was written: a synchronous write cannot wait for the log in front of this one. Use `append`.",
      );
    if (this.#isSynchronous) return;
    const message = "`appendSync` needs `onCommitSync` beside `onCommit` in the options of WalWriter.open";
    throw new KayaError("KAYA_INVALID_ARGUMENT", message);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
    this.#commit.assertWorking();
  }

  #checkLength(length: number): number {
    if (length <= this.#maxRecordBytes) return length;
    const limit =
      this.#commitTo?.maxBatchBytes === this.#maxRecordBytes
        ? `${this.#maxRecordBytes}, the most that the shared log takes: split it. No setting raises this limit`
        : `maxRecordBytes (${this.#maxRecordBytes}): split it, or raise the limit`;
    throw new KayaError("KAYA_INVALID_ARGUMENT", `a record of ${length} bytes is over ${limit}`);
  }
}

function checkLargeValueBytes(bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes > 0) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `largeValueBytes must be a whole number > 0, not ${describe(bytes)}`,
  );
}

function readOnlyError(): KayaError {
  return new KayaError(
    "KAYA_READ_ONLY",
    "the log was opened read-only: nothing is written, and what comes is not followed",
  );
}

/** Whether it is strict. @throws KayaError KAYA_INVALID_ARGUMENT */
function readMode(mode: DurabilityMode): boolean {
  if (isDurabilityMode(mode)) return mode === "strict";
  const message = `durability must be "strict" or "relaxed", not ${describe(mode)}`;
  throw new KayaError("KAYA_INVALID_ARGUMENT", message);
}

async function refuse(): Promise<never> {
  throw readOnlyError();
}

function closed(): KayaError {
  return new KayaError("KAYA_CLOSED", "the log's writer is closed: open it again");
}

/** For followers: not `durableLsn`, which includes records that the tables cover and the log may not have yet. */
function progressOf(commit: GroupCommit<unknown>, segments: SegmentStore): FollowedLog["progress"] {
  return {
    get durableLsn() {
      return segments.readableLsn;
    },
    watchers: commit.watchers,
    assertWorking: () => commit.assertWorking(),
  };
}

function asItIs(result: AppendResult): AppendResult {
  return result;
}
