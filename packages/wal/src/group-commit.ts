import { asKayaError, KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import type { Batch, OnCommit, ToResult } from "./batch.js";
import { BatchQueue, type PendingChange, type QueueConfig } from "./batch-queue.js";
import { type BusyReason, behindTheWrite, busyError, isFinal, notUndone } from "./commit-errors.js";
import { behindTheCommit, type CommitTo, HandOver, isNeverHandedOver, neverHandedOver } from "./commit-to.js";
import type { WalPayload, WalRecord } from "./format.js";
import type { LogWatch } from "./log-watch.js";
import type { EncodedRecord } from "./replicated.js";
import type { SegmentStore } from "./segment-store.js";
import { Watchers } from "./watchers.js";

const GATHER_MICROTASKS = 8;

/**
 * The one loop that drains the queue, batch by batch: write -> fsync if anything in it is strict -> apply in LSN order -> settle. Records
 * that arrive meanwhile form the next batch.
 */
export class GroupCommit<T> {
  /** Woken when more of the log is durable, and when it ends. */
  readonly watchers = new Watchers();
  /** Woken once nothing more will be written. */
  readonly failures = new Watchers();
  /** See `WalWriter.throttle`. */
  throttle: () => Promise<void> | undefined = () => undefined;
  /** See `WalWriter.throttle`. */
  pace: () => Promise<void> | undefined = () => undefined;
  readonly #segments: SegmentStore;
  readonly #watch: LogWatch;
  readonly #queue: BatchQueue<T>;
  readonly #onCommit: OnCommit | undefined;
  /** `onCommit` that is done when it returns. */
  readonly #onCommitSync: ((record: WalRecord) => void) | undefined;
  /** Undefined if no log is in front of this one. */
  readonly #handOver: HandOver | undefined;
  readonly #maxPendingBytes: number;
  #draining: Promise<void> | undefined;
  /** Why the first batch, or the log, cannot be finished in this turn. */
  #busyWith: BusyReason | undefined;
  /** An fsync of the drain loop is under way; synchronous commits need not wait for it. */
  #isSyncing = false;
  /** The batch that is written and waits for that fsync, until a synchronous commit concludes it. */
  #syncing: Batch<T> | undefined;
  /** There were synchronous commits: from now on segments are created in one turn, so that no such commit meets the middle of it. */
  #hasSyncCommits = false;
  /** Resolves once the writes that a synchronous commit took back are rejected. */
  #telling: Promise<void> | undefined;
  #writtenLsn: Lsn;
  #durableLsn: Lsn;
  /** The last record that this writer acknowledged; an earlier writer had to sync its own. */
  #acknowledgedLsn: Lsn = 0;
  #pendingBytes = 0;
  #failure: KayaError | undefined;
  #waitingForRoom: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor(
    config: QueueConfig,
    segments: SegmentStore,
    watch: LogWatch,
    last: LogPosition,
    { onCommit, onCommitSync, commitTo }: CommitCallbacks,
    toResult: ToResult<T>,
  ) {
    this.#segments = segments;
    this.#watch = watch;
    this.#queue = new BatchQueue(config, segments, last, toResult);
    this.#onCommit = onCommit;
    this.#onCommitSync = onCommitSync;
    this.#handOver = commitTo && new HandOver(commitTo);
    // One batch in flight, and one that gathers.
    this.#maxPendingBytes = 2 * config.maxBatchBytes;
    // R2: recovery made all of it durable, or the tail is finished before the first batch.
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
      !this.#segments.hasHalfMade &&
      !this.#segments.hasSpaceAhead
    );
  }

  get failure(): KayaError | undefined {
    return this.#failure;
  }

  pendingRecords(after: Lsn): Iterable<WalRecord> {
    return this.#queue.unsettledRecords(after);
  }

  get takeBacks(): number {
    return this.#queue.takeBacks;
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
    // With a log in front of this one no record waits for an fsync.
    const waits = strict && this.#handOver === undefined;
    const result = this.#queue.add(payload, length, operations, waits);
    this.#watch.appended(strict);
    this.#pendingBytes += length;
    this.#drainSoon();
    return result;
  }

  /** Queues checked records of the log in front of this one. Resolves when all can be read. */
  appendReplicated(records: readonly EncodedRecord[]): Promise<void> {
    let last: Batch<T> | undefined;
    for (const record of records) {
      last = this.#queue.addReplicated(record);
      this.#watch.appended(false);
      this.#pendingBytes += record.bytes.length;
    }
    if (last === undefined) return this.settle();
    this.#drainSoon();
    return last.addFollower();
  }

  /**
   * As `append`, but synchronous: on return the record, and all appended before it, is written, synced if any of it is strict, and applied.
   * @throws KayaError KAYA_BUSY where nothing was appended; else as `append` rejects
   */
  appendSync(payload: WalPayload, length: number, operations: number, strict: boolean): T {
    this.#hasSyncCommits = true;
    this.#assertFree(length);
    const batch = this.#queue.addLast(payload, length, operations, strict);
    this.#watch.appended(strict);
    this.#pendingBytes += length;
    this.#commitNow();
    return batch.lastResult();
  }

  /** On return every appended record has its durability; with `durable`, all are on stable storage. */
  settleSync(durable: boolean): void {
    if (this.#queue.isEmpty && (!durable || this.#durableLsn === this.#writtenLsn)) return;
    this.#assertFree(0);
    if (durable) this.#queue.last().mustSync();
    this.#commitNow();
  }

  /** Resolves when all records that were appended so far are as durable as a strict one. */
  settle(): Promise<void> {
    if (this.#handOver === undefined) return this.sync();
    if (this.#queue.isEmpty) return Promise.resolve();
    const settled = this.#queue.last().addFollower();
    this.#drainSoon();
    return settled;
  }

  /** Resolves when nothing is on its way to the log, whatever became of it. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  sync(): Promise<void> {
    if (this.#queue.isEmpty && this.#durableLsn === this.#writtenLsn)
      return this.#telling ?? Promise.resolve();
    const durable = this.#queue.last().addBarrier();
    this.#drainSoon();
    return durable;
  }

  /** Opens the first segment, or the next one if the last one is not empty. Resolves when the new segment exists. */
  prepare(): Promise<void> {
    return this.#inNewSegment(() => this.#queue.firstSegment() ?? this.#queue.lastInNewSegment());
  }

  /**
   * Closes the open segment after all records so far. Resolves when the next segment exists. If the log in front refuses records before it, the rotation does
   * not fail: it begins again at once, before the callers of these records can append again.
   */
  rotate(): Promise<void> {
    return this.#inNewSegment(() => this.#queue.lastInNewSegment());
  }

  async #inNewSegment(begin: () => Batch<T> | undefined): Promise<void> {
    for (;;) {
      const batch = begin();
      if (batch === undefined) return this.sync();
      // Later records may wait long for the log in front.
      if (this.#handOver !== undefined) this.#queue.endLast();
      const durable = batch.addBarrier();
      this.#drainSoon();
      try {
        return await durable;
      } catch (error) {
        if (!isNeverHandedOver(error)) throw error;
      }
    }
  }

  ready(): Promise<void> {
    if (this.#hasRoom()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waitingForRoom.push({ resolve, reject }));
  }

  /** Drains and syncs. @throws KayaError where an acknowledged record could not be made durable */
  async close(): Promise<void> {
    // Report the error only if an acknowledged record is not durable.
    const syncFailure = this.#failure === undefined ? await this.sync().catch(asSyncFailure) : undefined;
    await this.#draining;
    // A write that the log in front of this one did not take has rejected that sync too.
    if (this.#handOver !== undefined && this.#failure === undefined) await this.sync().catch(() => undefined); // the next opening makes the log durable
    this.#rejectWaitingForRoom(new KayaError("KAYA_CLOSED", "the log's writer was closed"));
    await this.#giveSpaceBack();
    // What was acknowledged is in the log in front of this one.
    if (this.#durableLsn >= this.#acknowledgedLsn || this.#handOver !== undefined) return;
    this.assertWorking();
    if (syncFailure !== undefined) throw syncFailure;
  }

  /** If this fails, all records are still durable. The log is not clean, and the next opening cuts the space. */
  async #giveSpaceBack(): Promise<void> {
    if (this.#failure !== undefined || !this.#segments.isTailFinished) return;
    await this.besides(() => this.#segments.giveSpaceBack(), "end the log's last segment").catch(
      () => undefined,
    );
  }

  #drainSoon(): void {
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    await undefined; // appends of the same turn join
    for (;;) {
      for (let held = this.#heldUp(); held !== undefined; held = this.#heldUp()) await held;
      const batch = this.#queue.first();
      if (batch === undefined) break;
      if (this.#rotatesNow(batch) && this.#durableLsn < this.#writtenLsn) {
        await this.#syncAhead();
        if (this.#queue.first() !== batch) continue; // a synchronous commit has written it, or it was taken back
      }
      this.#watch.commitBegins();
      if ((await this.#isWritten(batch)) && (await this.#isConcluded(batch)) && !this.#queue.isEmpty)
        await letGather();
    }
    this.#draining = undefined;
  }

  /** Does the slow part in another thread, before a segment is closed in one turn. */
  async #syncAhead(): Promise<void> {
    try {
      await this.#syncBeside();
    } catch (error) {
      this.#poison(this.#failure ?? behindTheWrite(error));
    }
  }

  /** False if it is not, and its records are rejected: the write is undone (W3), or the writer has failed (W4). */
  async #isWritten(batch: Batch<T>): Promise<boolean> {
    try {
      await this.#write(batch);
      return true;
    } catch (error) {
      this.#busyWith = "undo";
      await this.#recoverFrom(asKayaError(error, "write a batch to the log"));
      this.#busyWith = undefined;
      return false;
    }
  }

  /** W4: any failure behind the write is final: the records are in the log, and their LSNs are taken. */
  async #isConcluded(batch: Batch<T>): Promise<boolean> {
    try {
      await this.#conclude(batch);
      return true;
    } catch (error) {
      this.#poison(this.#failure ?? behindTheWrite(error));
      this.#busyWith = undefined;
      return false;
    }
  }

  #finish(batch: Batch<T>): void {
    this.#queue.finishFirst();
    this.#watch.committed(batch);
    if (this.#hasRoom()) this.#letWaitersIn();
  }

  async #write(batch: Batch<T>): Promise<void> {
    this.#handOver?.begin();
    this.#busyWith = "tail";
    if (!this.#segments.isTailFinished) {
      await this.#segments.finishTail();
      this.#becameDurable();
    }
    this.#busyWith = "segment";
    if (this.#segments.hasHalfMade) await this.#segments.takeAwayHalfMade();
    if (batch.place.opensSegment) {
      if (this.#rotatesNow(batch)) this.#segments.rotateSync(this.#writtenLsn);
      else await this.#segments.rotate(this.#writtenLsn);
      this.#becameDurable(); // W1
    }
    this.#assertNotFailed();
    this.#busyWith = "write";
    if (batch.length === 0) return;
    if (this.#handOver !== undefined) {
      await this.#handOver.commit(batch);
      this.#assertNotFailed();
    }
    await this.#segments.write(batch.bytes, batch.place.offset, batch.length, batch.needsSync);
  }

  async #conclude(batch: Batch<T>): Promise<void> {
    this.#busyWith = "apply";
    this.#assertNotFailed();
    this.#writtenLsn = batch.lastLsn;
    // Relaxed records ahead of the first strict one need no fsync.
    const relaxed = this.#settle(batch, false);
    if (relaxed !== undefined) await relaxed;
    if (this.#syncing !== batch) return;
    await this.#syncBeside();
    if (this.#syncing !== batch) return; // a synchronous commit concluded it
    this.#syncing = undefined;
    this.#busyWith = "apply";
    this.#assertNotFailed();
    this.#durableLsn = this.#writtenLsn;
    const strict = this.#settle(batch, true);
    if (strict !== undefined) await strict;
  }

  /** An fsync in another thread. A synchronous commit may be made meanwhile. */
  async #syncBeside(): Promise<void> {
    this.#isSyncing = true;
    try {
      await this.#segments.sync();
    } finally {
      this.#isSyncing = false;
    }
  }

  /** Whether the segment that the batch opens is created in one turn. */
  #rotatesNow({ place }: Batch<T>): boolean {
    return place.opensSegment && this.#hasSyncCommits && this.#segments.canRotateSync;
  }

  #heldUp(): Promise<void> | undefined {
    return this.throttle() ?? this.pace();
  }

  /** @throws KayaError KAYA_BUSY where what is under way, or a record of `length` bytes behind it, cannot be committed in this turn */
  #assertFree(length: number): void {
    const reason = this.#reasonToWait(length);
    if (reason === undefined) return;
    if (this.#busyWith === undefined) this.#prepareFor(reason);
    throw busyError(reason);
  }

  /** Begins the step that a synchronous commit cannot do itself; `sync` waits for it, and reports its failure. */
  #prepareFor(reason: BusyReason): void {
    if (reason !== "tail" && reason !== "segment") return;
    const opensSegment = reason === "segment" && !this.#segments.hasHalfMade;
    const batch = opensSegment
      ? (this.#queue.firstSegment() ?? this.#queue.lastInNewSegment())
      : this.#queue.last();
    batch?.addBarrier().catch(() => undefined);
    this.#drainSoon();
  }

  #reasonToWait(length: number): BusyReason | undefined {
    if (this.#busyWith !== undefined) return this.#busyWith;
    if (this.#telling !== undefined) return "undo";
    if (!this.#segments.isTailFinished) return "tail";
    if (this.#isSyncing && !this.#segments.syncsBeside) return "sync";
    if (!this.#segments.canRotateSync && (this.#segments.hasHalfMade || this.#queue.opensSegment(length)))
      return "segment";
    return this.throttle() === undefined ? undefined : "hold";
  }

  /** Everything in the queue, in order and in this turn: written, made durable with one fsync, applied, settled. */
  #commitNow(): void {
    this.#busyWith = "inside";
    try {
      this.#watch.commitBegins();
      const written = this.#syncing === undefined ? [] : [this.#syncing];
      this.#syncing = undefined;
      const failure = this.#writeNow(this.#queue.all().slice(written.length), written);
      this.#concludeNow(written);
      if (failure !== undefined) this.#recoverNow(failure);
    } finally {
      this.#busyWith = undefined;
    }
  }

  /** Adds to `written`. @returns why a batch was not written; later ones were not tried */
  #writeNow(batches: readonly Batch<T>[], written: Batch<T>[]): KayaError | undefined {
    try {
      if (this.#segments.hasHalfMade) this.#segments.takeAwayHalfMadeSync();
      for (const batch of batches) {
        if (batch.place.opensSegment) {
          this.#segments.rotateSync(this.#writtenLsn);
          this.#becameDurable(); // W1
        }
        if (batch.length > 0)
          this.#segments.writeSync(batch.bytes, batch.place.offset, batch.length, batch.needsSync);
        this.#writtenLsn = batch.lastLsn;
        written.push(batch);
      }
      return undefined;
    } catch (error) {
      return asKayaError(error, "write a batch to the log");
    }
  }

  #concludeNow(written: readonly Batch<T>[]): void {
    try {
      const needsSync = written.some((batch) => batch.needsSync);
      if (needsSync) {
        this.#segments.syncSync();
        this.#durableLsn = this.#writtenLsn;
      }
      for (const batch of written) {
        this.#settleNow(batch);
        this.#finish(batch);
      }
      if (needsSync) this.#becameDurable();
    } catch (error) {
      this.#poison(this.#failure ?? behindTheWrite(error));
      throw this.#failure;
    }
  }

  #settleNow(batch: Batch<T>): void {
    this.#assertNotFailed();
    const before = batch.appliedBytes;
    if (batch.apply(true, this.#onCommitSync) !== undefined)
      throw new KayaError(
        "KAYA_INTERNAL",
        "`onCommitSync` gave a promise: the record is not applied when it returns",
      );
    batch.settle(false);
    this.#tellSettled(batch, true, before);
  }

  /** As `#recoverFrom`. @throws KayaError always: the one that rejected the writes */
  #recoverNow(error: KayaError): never {
    if (isFinal(error)) this.#poison(error);
    else this.#takeBackNow(error);
    throw this.#failure ?? error;
  }

  #takeBackNow(error: KayaError): void {
    try {
      this.#segments.undoWriteSync();
    } catch (undoError) {
      this.#poison(notUndone(error, undoError));
      return;
    }
    this.#becameDurable();
    this.#tellFirst();
    this.#rejectQueue(error);
  }

  /**
   * Writes that were taken back are rejected two microtasks later. Until then no synchronous commit is made: it would be in the log without
   * earlier writes whose callers do not know yet that they failed.
   */
  #tellFirst(): void {
    const batches = this.#queue.all();
    const [first, last] = [batches[0], batches.at(-1)];
    if (first === undefined || last === undefined || last.lastLsn <= first.place.lsn) return;
    this.#telling = this.#untilTold();
  }

  /** Their rejections pass through one promise: two microtasks. A caller that awaits one of them runs after these. */
  async #untilTold(): Promise<void> {
    await undefined;
    await undefined;
    this.#telling = undefined;
  }

  /** All that was written is in the log in front of this one, and followers may read it. */
  #becameReadable(): void {
    this.#segments.markDurable(this.#writtenLsn);
    this.watchers.wake();
  }

  /** All that was written is on stable storage now. */
  #becameDurable(): void {
    this.#durableLsn = this.#writtenLsn;
    this.#segments.markDurable(this.#writtenLsn);
    this.watchers.wake();
  }

  // W4: dropping segments may have failed for good meanwhile. Then this batch was rejected and must not be shown.
  #assertNotFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Shows the records that have their durability, then settles their promises. No write settles before it is applied. */
  #settle(batch: Batch<T>, durable: boolean): Promise<void> | undefined {
    const before = batch.appliedBytes;
    const later = batch.apply(durable, this.#onCommit);
    if (later !== undefined) return this.#settleLater(batch, durable, before, later);
    this.#settled(batch, durable, before);
    return undefined;
  }

  /** The rest of `#settle`, if `onCommit` gives a promise. */
  async #settleLater(batch: Batch<T>, durable: boolean, before: number, first: Promise<void>): Promise<void> {
    for (let later: Promise<void> | undefined = first; later !== undefined; ) {
      await later;
      this.#assertNotFailed();
      later = batch.apply(durable, this.#onCommit);
    }
    this.#settled(batch, durable, before);
  }

  /** In the turn in which promises settle: their callers may commit synchronously in the next. */
  #settled(batch: Batch<T>, durable: boolean, before: number): void {
    this.#tellSettled(batch, durable, before);
    if (durable)
      this.#becameDurable(); // last: followers must not be ahead of what can be read
    else if (this.#handOver !== undefined && !batch.needsSync) this.#becameReadable();
    if (durable || !batch.needsSync) this.#finish(batch);
    else this.#syncing = batch;
    this.#busyWith = undefined;
  }

  #tellSettled(batch: Batch<T>, durable: boolean, before: number): void {
    const settled = batch.appliedBytes - before;
    if (settled > 0) this.#acknowledgedLsn = batch.appliedLsn;
    this.#pendingBytes -= settled;
    batch.settle(durable);
  }

  /** W3 if the failure can be undone, else W4. */
  async #recoverFrom(error: KayaError): Promise<void> {
    if (this.#handOver?.isRejected === true) {
      this.#rejectQueue(error, neverHandedOver(error)); // nothing was written here
      return;
    }
    if (this.#handOver?.isDone === true) {
      this.fail(behindTheCommit(error));
      return;
    }
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
    this.#handOver?.refusedHere(this.#queue.all(), error);
    this.#rejectQueue(error);
  }

  #poison(failure: KayaError): void {
    this.#failure = failure;
    this.#queue.keepLsns();
    this.#watch.poisoned(failure, this.#durableLsn);
    this.watchers.wake();
    this.failures.wake();
    this.#rejectWaitingForRoom(failure);
    this.#rejectQueue(failure);
  }

  /** Other work that changes the log's directory: a failed sync is final there too (W4). */
  async besides<R>(work: () => Promise<R>, doing: string): Promise<R> {
    try {
      return await work();
    } catch (cause) {
      const error = asKayaError(cause, doing);
      if (isFinal(error)) this.fail(error);
      throw error;
    }
  }

  /** Ends the writer after a failure outside the log. */
  fail(error: KayaError): void {
    if (this.#failure === undefined) this.#poison(error);
  }

  /** @param behind for all batches but the first */
  #rejectQueue(error: KayaError, behind = error): void {
    this.#pendingBytes = 0;
    for (const [index, batch] of this.#queue.takeBack().entries()) {
      const own = index === 0 ? error : behind;
      this.#watch.rejected(batch, own);
      batch.reject(own);
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

/** Called for each record that readers may see. */
interface CommitCallbacks {
  readonly onCommit: OnCommit | undefined;
  readonly onCommitSync: ((record: WalRecord) => void) | undefined;
  readonly commitTo: CommitTo | undefined;
}

// Callers that write again at once join those that wait already. Else callers that a segment's end parted into two batches would stay in
// two, with an fsync each. A caller's own async functions each take a microtask or two.
async function letGather(): Promise<void> {
  for (let i = 0; i < GATHER_MICROTASKS; i++) await undefined;
}

function asSyncFailure(error: unknown): KayaError {
  return asKayaError(error, "sync the log");
}
