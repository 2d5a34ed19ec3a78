import type { Lsn, SequenceNumber } from "@kaya/core";
import type { WalPayload, WalRecord } from "./format.js";
import { readOwnRecord, viewOf, writeRecord } from "./record-codec.js";

// What a batch begins with at most: it doubles as it grows.
const INITIAL_BYTES = 64 * 1024;

export interface AppendResult {
  readonly lsn: Lsn;
  /** Of the record's first operation. */
  readonly sequence: SequenceNumber;
  readonly segmentId: number;
  /** Of the record's first byte, in its segment. */
  readonly offset: number;
  readonly encodedLength: number;
  /** True where the record was on stable storage before this was given. */
  readonly durable: boolean;
}

/** A record in its place in the log, before anything is written. */
export type PlacedRecord = Omit<AppendResult, "durable" | "segmentId">;

/** Somebody who waits: for a record of the batch, or (`record` undefined) for all before it to be durable. */
export interface Waiter {
  readonly record?: PlacedRecord;
  readonly strict: boolean;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Where in the log a batch is going to stand. */
export interface BatchPlace {
  readonly segmentId: number;
  readonly offset: number;
  /** The segment must be created before the batch is written. */
  readonly opensSegment: boolean;
  /** Of the first record, should there be one. */
  readonly lsn: Lsn;
  readonly sequence: SequenceNumber;
}

/** Records that are written with one write and, if any of them is strict, made durable with one fsync. */
export class Batch {
  readonly place: BatchPlace;
  readonly waiters: Waiter[] = [];
  /** How many waiters, from the first, were settled already. */
  settled = 0;
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(place: BatchPlace, maxBytes: number, buffer?: Uint8Array) {
    this.place = place;
    this.#buffer = buffer ?? new Uint8Array(Math.min(INITIAL_BYTES, maxBytes));
    this.#view = viewOf(this.#buffer);
  }

  /** Encoded bytes. */
  get length(): number {
    return this.#length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Offset in the segment behind the batch. */
  get end(): number {
    return this.place.offset + this.#length;
  }

  /** For the next batch, once nothing looks at this one any more. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Encodes a record of `length` bytes behind the others. The payload's bytes are not needed afterwards. */
  add(length: number, lsn: Lsn, sequence: SequenceNumber, payload: WalPayload): number {
    this.#makeRoom(length);
    const at = this.#length;
    writeRecord(this.#buffer, this.#view, at, length, lsn, sequence, payload);
    this.#length += length;
    return this.place.offset + at;
  }

  /** The index of the first waiter that must not be settled before an fsync; the number of waiters if there is none. */
  get firstStrict(): number {
    const index = this.waiters.findIndex((waiter) => waiter.strict);
    return index < 0 ? this.waiters.length : index;
  }

  /** The record of a waiter; its bytes are views of the batch. */
  recordOf(waiter: Waiter): WalRecord | undefined {
    if (waiter.record === undefined) return undefined;
    return readOwnRecord(this.#buffer, this.#view, waiter.record.offset - this.place.offset);
  }

  /** Its records that are not settled yet, oldest first. */
  *unsettledRecords(): Generator<WalRecord> {
    for (const waiter of this.waiters.slice(this.settled)) {
      const record = this.recordOf(waiter);
      if (record !== undefined) yield record;
    }
  }

  /** LSN of the last record; the one before the batch's place where it has none. */
  get lastLsn(): Lsn {
    return this.waiters.findLast((waiter) => waiter.record !== undefined)?.record?.lsn ?? this.place.lsn - 1;
  }

  #makeRoom(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    grown.set(this.bytes);
    this.#buffer = grown;
    this.#view = viewOf(grown);
  }
}
