import { asKayaError, KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Batch, OnCommit, ToResult } from "./batch.js";
import { BatchQueue, type PendingChange, type QueueConfig } from "./batch-queue.js";
import type { WalPayload, WalRecord } from "./format.js";
import type { LogWatch } from "./log-watch.js";
import type { SegmentStore } from "./segment-store.js";
import { Watchers } from "./watchers.js";

const GATHER_MICROTASKS = 8;

/**
 * The one loop that drains the queue. It takes a batch of what has gathered: write -> fsync if anything in it is strict ->
 * apply in LSN order -> settle. What arrives meanwhile is the next one.
 */
export class GroupCommit<T> {
  /** Told whenever more of the log is durable, and when it goes on no more. */
  readonly watchers = new Watchers();
  /** See `WalWriter.throttle`. */
  throttle: () => Promise<void> | undefined = () => undefined;
  readonly #segments: SegmentStore;
  readonly #watch: LogWatch;
  readonly #queue: BatchQueue<T>;
  readonly #onCommit: OnCommit | undefined;
  readonly #maxPendingBytes: number;
  #draining: Promise<void> | undefined;
  #writtenLsn: Lsn;
  #durableLsn: Lsn;
  /** The last record that was acknowledged here; what a writer before this one acknowledged was its own to sync. */
  #acknowledgedLsn: Lsn = 0;
  #pendingBytes = 0;
  #failure: KayaError | undefined;
  #waitingForRoom: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(
    config: QueueConfig,
    segments: SegmentStore,
    watch: LogWatch,
    last: LogPosition,
    onCommit: OnCommit | undefined,
    toResult: ToResult<T>,
  ) {
    this.#segments = segments;
    this.#watch = watch;
    this.#queue = new BatchQueue(config, segments, last, toResult);
    this.#onCommit = onCommit;
    // One batch on its way to the disk, and one that gathers.
    this.#maxPendingBytes = 2 * config.maxBatchBytes;
    // R2: recovery made all of it durable, or left the tail to be finished before the first batch.
    this.#writtenLsn = last.lsn;
    this.#durableLsn = segments.isTailFinished ? last.lsn : segments.closedLsn;
  }

  get nextLsn(): Lsn {
    return this.#queue.nextLsn;
  }

  get nextSequence(): SequenceNumber {
    return this.#queue.nextSequence;
  }

  get durableLsn(): Lsn {
    return this.#durableLsn;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Everything written is on stable storage, and nothing failed on the way there. */
  get isClean(): boolean {
    return (
      this.#failure === undefined &&
      this.#durableLsn === this.#writtenLsn &&
      this.#segments.isTailFinished &&
      !this.#segments.hasHalfMade
    );
  }

  get failure(): KayaError | undefined {
    return this.#failure;
  }

  pendingRecords(): Iterable<WalRecord> {
    return this.#queue.unsettledRecords();
  }

  pendingChange(key: Uint8Array): PendingChange | undefined {
    return this.#queue.changeOf(key);
  }

  /** @throws KayaError KAYA_WRITER_FAILED with the first failure as its cause */
  assertWorking(): void {
    if (this.#failure === undefined) return;
    throw new KayaError(
      "KAYA_WRITER_FAILED",
      `the log takes no more writes since a failure that cannot be undone; open it again to go on. First: ${this.#failure.message}`,
      { cause: this.#failure },
    );
  }

  /** Queues a checked record of `length` bytes, which is encoded before this returns. */
  append(payload: WalPayload, length: number, operations: number, strict: boolean): Promise<T> {
    const result = this.#queue.add(payload, length, operations, strict);
    this.#watch.appended(strict);
    this.#pendingBytes += length;
    this.#drainSoon();
    return result;
  }

  sync(): Promise<void> {
    if (this.#queue.isEmpty && this.#durableLsn === this.#writtenLsn) return Promise.resolve();
    const durable = this.#queue.last().addBarrier();
    this.#drainSoon();
    return durable;
  }

  /** Closes the open segment behind what was appended so far; resolves when the next one is there. */
  rotate(): Promise<void> {
    const durable = this.#queue.lastInNewSegment()?.addBarrier();
    if (durable === undefined) return this.sync();
    this.#drainSoon();
    return durable;
  }

  ready(): Promise<void> {
    if (this.#hasRoom()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waitingForRoom.push({ resolve, reject }));
  }

  /** Drains and syncs. @throws KayaError where an acknowledged record could not be made durable */
  async close(): Promise<void> {
    // Told only where it matters: a writer that failed has told everyone, and may have nothing left to make durable.
    const syncFailure = this.#failure === undefined ? await this.sync().catch(asSyncFailure) : undefined;
    await this.#draining;
    this.#rejectWaitingForRoom(new KayaError("KAYA_CLOSED", "the log's writer was closed"));
    if (this.#durableLsn >= this.#acknowledgedLsn) return;
    this.assertWorking();
    if (syncFailure !== undefined) throw syncFailure;
  }

  #drainSoon(): void {
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await undefined; // whoever appends in this same turn comes along
    for (;;) {
      for (let held = this.throttle(); held !== undefined; held = this.throttle()) await held;
      const batch = this.#queue.first();
      if (batch === undefined) break;
      this.#watch.commitBegins();
      if ((await this.#isWritten(batch)) && (await this.#isConcluded(batch)) && !this.#queue.isEmpty)
        await letGather();
    }
    this.#draining = undefined;
  }

  /** False where it is not, and everyone was told so: it is taken back (W3), or that is no longer possible (W4). */
  async #isWritten(batch: Batch<T>): Promise<boolean> {
    try {
      await this.#write(batch);
      return true;
    } catch (error) {
      await this.#recoverFrom(asKayaError(error, "write a batch to the log"));
      return false;
    }
  }

  /** W4: what fails behind the write is final, whatever it is: the records are in the log, and their LSNs are taken. */
  async #isConcluded(batch: Batch<T>): Promise<boolean> {
    try {
      await this.#conclude(batch);
      this.#watch.committed(batch);
      this.#queue.finishFirst();
      if (this.#hasRoom()) this.#letWaitersIn();
      return true;
    } catch (error) {
      this.#poison(this.#failure ?? behindTheWrite(error));
      return false;
    }
  }

  async #write(batch: Batch<T>): Promise<void> {
    if (!this.#segments.isTailFinished) {
      await this.#segments.finishTail();
      this.#becameDurable();
    }
    if (this.#segments.hasHalfMade) await this.#segments.takeAwayHalfMade();
    if (batch.place.opensSegment) {
      await this.#segments.rotate(this.#writtenLsn);
      this.#becameDurable(); // W1
    }
    this.#assertNotFailed();
    if (batch.length > 0) await this.#segments.write(batch.bytes, batch.length, batch.place.offset);
  }

  async #conclude(batch: Batch<T>): Promise<void> {
    this.#assertNotFailed();
    this.#writtenLsn = batch.lastLsn;
    // Relaxed records ahead of the first strict one have what they asked for.
    const relaxed = this.#settle(batch, false);
    if (relaxed !== undefined) await relaxed;
    if (!batch.needsSync) return;
    await this.#segments.sync();
    this.#assertNotFailed();
    this.#durableLsn = this.#writtenLsn;
    const strict = this.#settle(batch, true);
    if (strict !== undefined) await strict;
    this.#becameDurable(); // behind it: nobody follows the log ahead of what can be read
  }

  /** All that was written is on stable storage now. */
  #becameDurable(): void {
    this.#durableLsn = this.#writtenLsn;
    this.#segments.markDurable(this.#writtenLsn);
    this.watchers.wake();
  }

  // W4: dropping segments may have failed for good meanwhile. Then this batch was rejected, and nobody may see it.
  #assertNotFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Shows the records that have what they asked for, then tells those who wait. No write settles before it is applied. */
  #settle(batch: Batch<T>, durable: boolean): Promise<void> | undefined {
    const before = batch.appliedBytes;
    const later = batch.apply(durable, this.#onCommit);
    if (later !== undefined) return this.#settleLater(batch, durable, before, later);
    this.#tellSettled(batch, durable, before);
    return undefined;
  }

  /** Where records take their time. */
  async #settleLater(batch: Batch<T>, durable: boolean, before: number, first: Promise<void>): Promise<void> {
    for (let later: Promise<void> | undefined = first; later !== undefined; ) {
      await later;
      this.#assertNotFailed();
      later = batch.apply(durable, this.#onCommit);
    }
    this.#tellSettled(batch, durable, before);
  }

  #tellSettled(batch: Batch<T>, durable: boolean, before: number): void {
    const settled = batch.appliedBytes - before;
    if (settled > 0) this.#acknowledgedLsn = batch.appliedLsn;
    this.#pendingBytes -= settled;
    batch.settle(durable);
  }

  /** W3 where the failure can be undone, W4 where it cannot. */
  async #recoverFrom(error: KayaError): Promise<void> {
    if (isFinal(error)) {
      this.#poison(error);
      return;
    }
    try {
      await this.#segments.undoWrite();
    } catch (undoError) {
      this.#poison(notUndone(error, undoError));
      return;
    }
    if (this.#segments.isTailFinished) this.#becameDurable();
    this.#rejectQueue(error);
  }

  #poison(failure: KayaError): void {
    this.#failure = failure;
    this.#queue.keepLsns();
    this.#watch.poisoned(failure, this.#durableLsn);
    this.watchers.wake();
    this.#rejectWaitingForRoom(failure);
    this.#rejectQueue(failure);
  }

  /** Something else that changes the log's directory: a failed sync is final there too (W4). */
  async besides<R>(work: () => Promise<R>, doing: string): Promise<R> {
    try {
      return await work();
    } catch (cause) {
      const error = asKayaError(cause, doing);
      if (isFinal(error)) this.fail(error);
      throw error;
    }
  }

  /** A failure beside the log after which the log must not go on either. */
  fail(error: KayaError): void {
    if (this.#failure === undefined) this.#poison(error);
  }

  #rejectQueue(error: KayaError): void {
    this.#pendingBytes = 0;
    for (const batch of this.#queue.takeBack()) {
      this.#watch.rejected(batch, error);
      batch.reject(error);
    }
    this.#letWaitersIn();
  }

  #letWaitersIn(): void {
    for (const waiting of this.#waitingForRoom.splice(0)) waiting.resolve();
  }

  #rejectWaitingForRoom(error: KayaError): void {
    for (const waiting of this.#waitingForRoom.splice(0)) waiting.reject(error);
  }

  #hasRoom(): boolean {
    return this.#pendingBytes < this.#maxPendingBytes;
  }
}

// Whoever was just told, and writes again at once, comes along with those who wait already. Else callers that were once in two
// batches, because a segment ended between them, would stay in two, with an fsync each. A caller's own async functions each
// take a microtask or two on the way.
async function letGather(): Promise<void> {
  for (let i = 0; i < GATHER_MICROTASKS; i++) await undefined;
}

function asSyncFailure(error: unknown): KayaError {
  return asKayaError(error, "sync the log");
}

// Not the code of the failed write, which says that nothing was appended: this is as final as a failed fsync, and is told so.
function notUndone(failure: KayaError, undo: unknown): KayaError {
  const why = asKayaError(undo, "take back a failed write").message;
  return new KayaError(
    "KAYA_FSYNC_FAILED",
    `a failed write could not be taken back: whether it is there shows when the log is opened again. First: ${failure.message} Then: ${why}`,
    { cause: failure },
  );
}

function behindTheWrite(error: unknown): KayaError {
  const cause = asKayaError(error, "apply what was written");
  if (isFinal(cause) && KayaError.is(error)) return cause;
  return new KayaError(
    "KAYA_INTERNAL",
    `what was written to the log could not be applied: whether a write that is rejected with this is there shows when the log is opened again. First: ${cause.message}`,
    { cause: error },
  );
}

// A failed fsync cannot be taken back; what belongs to another directory now is not ours to change; and after a broken
// invariant nothing is known.
function isFinal(error: KayaError): boolean {
  return (
    error.code === "KAYA_FSYNC_FAILED" ||
    error.code === "KAYA_DIRECTORY_REPLACED" ||
    error.code === "KAYA_INVARIANT_VIOLATION" ||
    error.code === "KAYA_INTERNAL"
  );
}
