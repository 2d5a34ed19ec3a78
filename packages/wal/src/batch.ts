import type { Lsn, SequenceNumber } from "@kaya/core";
import { operationAt } from "./batch-operations.js";
import { operationsOf, type WalOperation, type WalPayload, type WalRecord } from "./format.js";
import { type KeyChange, KeyChanges } from "./key-changes.js";
import { RecordBuffer, type RecordBufferOptions } from "./record-buffer.js";
import { Settlement } from "./settlement.js";

/** Where a record stands in the log, and whether it is durable. */
export interface AppendResult {
  /** Log sequence number of the record. */
  readonly lsn: Lsn;
  /** The sequence of the record's first operation. */
  readonly sequence: SequenceNumber;
  /** Id of the segment that has the record. */
  readonly segmentId: number;
  /** Offset of the record's first byte in its segment. */
  readonly offset: number;
  /** Bytes of the record, its header included. */
  readonly encodedLength: number;
  /** True if the record was on stable storage when it was acknowledged. */
  readonly durable: boolean;
}

/** Makes the value that an append resolves with. */
export type ToResult<T> = (result: AppendResult) => T;

/**
 * The type of the callback that is called for each record when it may be seen. It returns nothing, or a promise
 * that the next record waits for.
 */
export type OnCommit = ((record: WalRecord) => void) | ((record: WalRecord) => Promise<void>);

/** Where in the log a batch is going to stand. */
export interface BatchPlace {
  readonly segmentId: number;
  readonly offset: number;
  /** The segment must be created before the batch is written. */
  readonly opensSegment: boolean;
  /** Of the first record, if any. */
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
}

export interface BatchOptions extends RecordBufferOptions {
  /** A log in front of this one has each record before it is written here. */
  readonly isAhead: boolean;
}

/**
 * Records that are written with one write and, if any of them is strict, made durable with one fsync. It settles in two steps:
 * the relaxed records ahead of the first strict one, then all others.
 */
export class Batch<T> {
  readonly place: BatchPlace;
  /** What is written is durable: a log in front of this one has it. */
  readonly #isAhead: boolean;
  readonly #toResult: ToResult<T>;
  readonly #records: RecordBuffer;
  /** Of each record, counted from that of the first. */
  readonly #sequences: number[] = [];
  /** Records before the first that must wait for an fsync. */
  #relaxed = 0;
  #needsSync = false;
  #isReplicated = false;
  #applied = 0;
  #written: Settlement<T> | undefined;
  #synced: Settlement<T> | undefined;
  /** Made when it is first asked for. */
  #keyChanges: KeyChanges | undefined;

  constructor(place: BatchPlace, options: BatchOptions, toResult: ToResult<T>, memory?: Uint8Array) {
    this.place = place;
    this.#isAhead = options.isAhead;
    this.#toResult = toResult;
    this.#records = new RecordBuffer(options, memory);
  }

  /** Encoded bytes. */
  get length(): number {
    return this.#records.length;
  }

  /** What is to be written, with one write. */
  get bytes(): Uint8Array | readonly Uint8Array[] {
    return this.#records.bytes;
  }

  /** Offset in the segment behind the batch. */
  get end(): number {
    return this.place.offset + this.length;
  }

  /** For the next batch, once nothing reads this one any more. */
  get memory(): Uint8Array {
    return this.#records.memory;
  }

  /** LSN of the last record; the one before the batch's place where it has none. */
  get lastLsn(): Lsn {
    return this.#lsnBefore(this.#records.count);
  }

  /** Of the last record that was applied; the one before the batch's place where there is none. */
  get appliedLsn(): Lsn {
    return this.#lsnBefore(this.#applied);
  }

  get appliedBytes(): number {
    return this.#records.endOf(this.#applied);
  }

  /** Something in it must not settle before an fsync. */
  get needsSync(): boolean {
    return this.#needsSync;
  }

  /**
   * Encodes a record of `length` bytes behind the others; the payload's bytes are not needed afterwards. The promise settles with the record.
   */
  add(payload: WalPayload, length: number, lsn: Lsn, sequence: SequenceNumber, strict: boolean): Promise<T> {
    this.addLast(payload, length, lsn, sequence, strict);
    return (this.#needsSync ? this.#syncedSettlement() : this.#writtenSettlement()).add();
  }

  /** As `add`, with `lastResult` instead of a promise: nothing may be added behind it, because results are counted. */
  addLast(payload: WalPayload, length: number, lsn: Lsn, sequence: SequenceNumber, strict: boolean): void {
    this.#records.add(payload, length, lsn, sequence);
    this.#sequences.push(sequence - this.place.sequence);
    this.#needsSync ||= strict;
    if (!this.#needsSync) this.#relaxed++;
  }

  /** What the last record's `add` would have resolved with. */
  lastResult(): T {
    return this.#toResult(this.#resultOf(this.#records.count - 1, this.#needsSync));
  }

  /** Adds a record that came from the log in front of this one, encoded and checked; its bytes are not needed afterwards. */
  addReplicated(record: Uint8Array, sequence: SequenceNumber): void {
    this.#records.addEncoded(record);
    this.#sequences.push(sequence - this.place.sequence);
    this.#isReplicated = true;
    if (!this.#needsSync) this.#relaxed++;
  }

  /** Its records came from the log in front of this one. */
  get isReplicated(): boolean {
    return this.#isReplicated;
  }

  get lastRecord(): WalRecord {
    return this.#records.recordAt(this.#records.count - 1);
  }

  /** Resolves once everything in the batch is settled: with what was added later, if that needs no fsync. */
  addFollower(): Promise<void> {
    return (this.#needsSync ? this.#syncedSettlement() : this.#writtenSettlement()).addBarrier();
  }

  /** Resolves once everything in the batch is durable. */
  addBarrier(): Promise<void> {
    this.#needsSync = true;
    return this.#syncedSettlement().addBarrier();
  }

  /** Nothing more in it settles before an fsync. */
  mustSync(): void {
    this.#needsSync = true;
  }

  /**
   * Gives the records that need no fsync, or all, oldest first, each once. Their bytes are views of the batch, except a value with `ownsValue`.
   * @returns a promise if `onCommit` gave one: call `apply` again for the later records once it resolves
   */
  apply(durable: boolean, onCommit: OnCommit | undefined): Promise<void> | undefined {
    const until = durable ? this.#records.count : this.#relaxed;
    if (onCommit === undefined) this.#applied = until;
    for (; this.#applied < until; this.#applied++) {
      const later = onCommit?.(this.#records.recordAt(this.#applied));
      if (later instanceof Promise) return later.then(() => void this.#applied++);
    }
    return undefined;
  }

  /** Resolves the promises of the applied records. */
  settle(durable: boolean): void {
    if (durable) this.#synced?.resolve();
    else this.#written?.resolve();
  }

  /** Rejects all promises that are not settled yet. */
  reject(error: unknown): void {
    this.#written?.reject(error);
    this.#synced?.reject(error);
  }

  /** Its records behind an LSN that are not applied yet, oldest first. */
  *unsettledRecords(after: Lsn): Generator<WalRecord> {
    for (let i = Math.max(this.#applied, after + 1 - this.place.lsn); i < this.#records.count; i++)
      yield this.#records.recordAt(i);
  }

  /** The last change to a key among all of its records. */
  changeOf(key: Uint8Array): KeyChange | undefined {
    this.#keyChanges ??= new KeyChanges();
    while (this.#keyChanges.records < this.#records.count) {
      this.#keyChanges.add(this.#records.recordAt(this.#keyChanges.records));
    }
    return this.#keyChanges.of(key);
  }

  /** The operation that made a change. Its bytes are views of the batch. */
  operationOf({ index, sequence }: KeyChange): WalOperation {
    const record = this.#records.recordAt(index);
    return operationAt(operationsOf(record.payload), sequence - record.sequence);
  }

  /** Settles together with the record of that index. */
  fateOf(index: number): Promise<void> {
    return (index < this.#relaxed ? this.#writtenSettlement() : this.#syncedSettlement()).addBarrier();
  }

  #lsnBefore(index: number): Lsn {
    return this.place.lsn + index - 1;
  }

  #writtenSettlement(): Settlement<T> {
    this.#written ??= this.#settlement(0, this.#isAhead);
    return this.#written;
  }

  #syncedSettlement(): Settlement<T> {
    this.#synced ??= this.#settlement(this.#relaxed, true);
    return this.#synced;
  }

  /** The results of the records from `first` on. They do not read the buffer: the next batch may use it by then. */
  #settlement(first: number, durable: boolean): Settlement<T> {
    let index = first;
    return new Settlement(() => this.#toResult(this.#resultOf(index++, durable)));
  }

  #resultOf(index: number, durable: boolean): AppendResult {
    const start = this.#records.endOf(index);
    return {
      lsn: this.place.lsn + index,
      sequence: this.place.sequence + (this.#sequences[index] as number),
      segmentId: this.place.segmentId,
      offset: this.place.offset + start,
      encodedLength: this.#records.endOf(index + 1) - start,
      durable,
    };
  }
}
