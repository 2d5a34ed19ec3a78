import { KayaError, type LogPosition, type Lsn, type SequenceNumber, type WalConfig } from "@kaya/core";
import { Batch, type BatchOptions, type ToResult } from "./batch.js";
import type { WalOperation, WalPayload, WalRecord } from "./format.js";
import type { EncodedRecord } from "./replicated.js";
import type { SegmentStore } from "./segment-store.js";

// A buffer that one huge record made grow is not kept for the small ones that follow.
const KEPT_BUFFER_BYTES = 1024 * 1024;

export type QueueConfig = Pick<WalConfig, "segmentMaxBytes"> & BatchOptions;

/** What a write that is under way does to a key. */
export interface PendingChange {
  /** What the operation is: a put, a deletion, or the deletion of a range. */
  readonly type: WalOperation["type"];
  /** Log sequence number of its record, if nothing fails before it. */
  readonly lsn: Lsn;
  /** The sequence of the operation, if nothing fails before it. */
  readonly sequence: SequenceNumber;
  /** For a put: when the value expires, in milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
  /** The operation itself. Call it before the next `await`: its bytes are lent until then. */
  operation(): WalOperation;
  /** Resolves when the record is applied; rejects with the error with which the record is rejected. */
  settled(): Promise<void>;
}

/**
 * The records between `append` and the disk, in batches, each planned for its place in the log: LSN, segment and offset are
 * given when a record is encoded, as if everything queued before it were written.
 */
export class BatchQueue<T> {
  readonly #config: QueueConfig;
  readonly #segments: SegmentStore;
  readonly #toResult: ToResult<T>;
  readonly #batches: Batch<T>[] = [];
  /** The last of the batches, while records may still join it. */
  #open: Batch<T> | undefined;
  #spareBuffer: Uint8Array | undefined;
  #nextLsn: Lsn;
  #nextSequence: SequenceNumber;
  #keepsLsns = false;
  #takeBacks = 0;

  constructor(config: QueueConfig, segments: SegmentStore, last: LogPosition, toResult: ToResult<T>) {
    this.#config = config;
    this.#segments = segments;
    this.#toResult = toResult;
    this.#nextLsn = last.lsn + 1;
    this.#nextSequence = last.sequence + 1;
  }

  get nextLsn(): Lsn {
    return this.#nextLsn;
  }

  get nextSequence(): SequenceNumber {
    return this.#nextSequence;
  }

  /** How often `takeBack` took records back. Other records may have got their LSNs and sequences since. */
  get takeBacks(): number {
    return this.#takeBacks;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Encodes a checked record of `length` bytes behind all others. */
  add(payload: WalPayload, length: number, operations: number, strict: boolean): Promise<T> {
    this.#assertNumbersLeft(operations);
    const batch = this.#batchFor(length);
    const result = batch.add(payload, length, this.#nextLsn, this.#nextSequence, strict);
    this.#advance(operations);
    return result;
  }

  /** As `add`, without a promise. Gives the batch; the record is its last. */
  addLast(payload: WalPayload, length: number, operations: number, strict: boolean): Batch<T> {
    this.#assertNumbersLeft(operations);
    const batch = this.#batchFor(length);
    batch.addLast(payload, length, this.#nextLsn, this.#nextSequence, strict);
    this.#advance(operations);
    this.#open = undefined;
    return batch;
  }

  /** Adds a record of the log in front of this one behind all others. Gives its batch, which has no records of this writer. */
  addReplicated({ bytes, operations }: EncodedRecord): Batch<T> {
    this.#assertNumbersLeft(operations);
    if (this.#open !== undefined && this.#open.length > 0 && !this.#open.isReplicated) this.#open = undefined;
    const batch = this.#batchFor(bytes.length);
    batch.addReplicated(bytes, this.#nextSequence);
    this.#advance(operations);
    return batch;
  }

  /** Whether a segment must be created before a record of `length` bytes can be written. */
  opensSegment(length: number): boolean {
    return this.#batches.some(({ place }) => place.opensSegment) || !this.#fitsSegment(length);
  }

  #assertNumbersLeft(operations: number): void {
    const last = Number.MAX_SAFE_INTEGER;
    if (this.#nextLsn <= last && this.#nextSequence <= last - (operations - 1)) return;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      "the log has no LSNs or sequence numbers left: 2^53 - 1 is the last",
    );
  }

  #advance(operations: number): void {
    this.#nextLsn++;
    this.#nextSequence += operations;
  }

  /** The open batch, or a new one: it settles after everything that was added so far. */
  last(): Batch<T> {
    return this.#open ?? this.#startBatch(false);
  }

  /**
   * A new last batch that opens a segment: later records do not go to the segment before. Undefined if that segment is empty or absent.
   */
  lastInNewSegment(): Batch<T> | undefined {
    return this.#plannedEnd() === 0 ? undefined : this.#startBatch(true);
  }

  /** No record joins the last batch any more. */
  endLast(): void {
    this.#open = undefined;
  }

  /** A batch that opens the first segment; undefined where there is one. */
  firstSegment(): Batch<T> | undefined {
    return this.#plannedId() > 0 ? undefined : this.#startBatch(true);
  }

  /** The batch that is to be written next; nothing joins it any more. It stays in the queue until it is finished. */
  first(): Batch<T> | undefined {
    const batch = this.#batches[0];
    if (batch === this.#open) this.#open = undefined;
    return batch;
  }

  /** Those that are to be written next, in order; nothing joins them any more. */
  all(): readonly Batch<T>[] {
    this.#open = undefined;
    return [...this.#batches];
  }

  /** The first batch is settled; nothing reads its bytes any more. */
  finishFirst(): void {
    const batch = this.#batches.shift();
    if (batch !== undefined && batch.memory.length <= KEPT_BUFFER_BYTES) this.#spareBuffer = batch.memory;
  }

  /** From now on no LSN is reused: no more writes follow, and earlier ones may be in the log (W4). */
  keepLsns(): void {
    this.#keepsLsns = true;
  }

  /** Empties the queue and returns its batches. Their LSNs are reused by the next records, unless `keepLsns` was called. */
  takeBack(): Batch<T>[] {
    const batches = this.#batches.splice(0);
    this.#open = undefined;
    const first = batches[0];
    if (first !== undefined) this.#takeBacks++;
    if (first !== undefined && !this.#keepsLsns) {
      this.#nextLsn = first.place.lsn;
      this.#nextSequence = first.place.sequence;
    }
    return batches;
  }

  /** Its records behind an LSN that are not applied yet, oldest first. */
  *unsettledRecords(after: Lsn): Generator<WalRecord> {
    for (const batch of this.#batches) yield* batch.unsettledRecords(after);
  }

  /** The last change to a key by what was added and is not finished. */
  changeOf(key: Uint8Array): PendingChange | undefined {
    for (let i = this.#batches.length - 1; i >= 0; i--) {
      const batch = this.#batches[i] as Batch<T>;
      const change = batch.changeOf(key);
      if (change === undefined) continue;
      return {
        type: change.type,
        lsn: batch.place.lsn + change.index,
        sequence: change.sequence,
        expiresAt: change.expiresAt,
        operation: () => batch.operationOf(change),
        settled: () => batch.fateOf(change.index),
      };
    }
    return undefined;
  }

  // W5: a batch ends where the next record would make its write too large, or does not fit the segment.
  #batchFor(length: number): Batch<T> {
    const open = this.#open;
    if (open === undefined || open.place.segmentId === 0) return this.#startBatch(!this.#fitsSegment(length));
    const used = open.length;
    const end = open.place.offset + used + length;
    if (end > this.#config.segmentMaxBytes && end > length) return this.#startBatch(true);
    return used === 0 || used + length <= this.#config.maxBatchBytes ? open : this.#startBatch(false);
  }

  #fitsSegment(length: number): boolean {
    const end = this.#plannedEnd();
    return this.#plannedId() > 0 && (end === 0 || end + length <= this.#config.segmentMaxBytes);
  }

  #startBatch(opensSegment: boolean): Batch<T> {
    const segmentId = opensSegment ? this.#nextSegmentId() : this.#plannedId();
    const place = {
      segmentId,
      offset: opensSegment ? 0 : this.#plannedEnd(),
      opensSegment,
      lsn: this.#nextLsn,
      sequence: this.#nextSequence,
    };
    const batch = new Batch(place, this.#config, this.#toResult, this.#spareBuffer);
    this.#spareBuffer = undefined;
    this.#batches.push(batch);
    this.#open = batch;
    return batch;
  }

  // Recovery refuses a file whose id is larger, so it must not be made.
  #nextSegmentId(): number {
    const id = this.#plannedId();
    if (id < Number.MAX_SAFE_INTEGER) return id + 1;
    throw new KayaError("KAYA_INVALID_ARGUMENT", "the log has no segment ids left: 2^53 - 1 is the last");
  }

  /** The segment in which the log will end once the queue is written. */
  #plannedId(): number {
    return this.#batches.at(-1)?.place.segmentId ?? this.#segments.openId;
  }

  #plannedEnd(): number {
    return this.#batches.at(-1)?.end ?? this.#segments.openLength;
  }
}
