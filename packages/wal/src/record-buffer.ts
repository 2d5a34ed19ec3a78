import { allocateBytes, type Lsn, type SequenceNumber } from "@kaya/core";
import { copyInto } from "./copy-into.js";
import { WAL_HEADER_LENGTH, type WalPayload, type WalRecord } from "./format.js";
import { expiryLength } from "./payload-codec.js";
import { readOwnRecord, type ValueApart, writeRecord } from "./record-codec.js";
import { viewOf } from "./views.js";

// Largest first size of a buffer: it doubles as it grows.
const INITIAL_BYTES = 64 * 1024;

/** Default of `largeValueBytes`: below it a second copy costs less than memory of its own (docs/performance.md). */
export const LARGE_VALUE_BYTES = 16 * 1024;

export interface RecordBufferOptions {
  /** Most bytes of a write; a buffer does not begin larger. */
  readonly maxBatchBytes: number;
  /** See `WalWriterOptions.largeValueBytes`. */
  readonly largeValueBytes: number;
}

/** Records as they go to the disk in one write, one behind the other: in a buffer, but for large values. */
export class RecordBuffer {
  #bytes: Uint8Array;
  #view: DataView;
  /** Of the buffer. */
  #used = 0;
  /** Behind each record, in the write. */
  readonly #ends: number[] = [];
  /** Offset of each record in the buffer; undefined while there is no large value: then they are those in the write. */
  #starts: number[] | undefined;
  /** The large values, in the order of their records, and behind which byte of the buffer each belongs. */
  readonly #apart: { readonly record: number; readonly at: number; readonly value: Uint8Array }[] = [];

  readonly #largeValueBytes: number;

  /** @param memory of an earlier one, to be used again */
  constructor({ maxBatchBytes, largeValueBytes }: RecordBufferOptions, memory?: Uint8Array) {
    this.#largeValueBytes = largeValueBytes;
    this.#bytes = memory ?? allocateBytes(Math.min(INITIAL_BYTES, maxBatchBytes));
    this.#view = viewOf(this.#bytes);
  }

  /** Of the write. */
  get length(): number {
    return this.endOf(this.#ends.length);
  }

  /** Records. */
  get count(): number {
    return this.#ends.length;
  }

  /** What is to be written: in parts where there are large values. */
  get bytes(): Uint8Array | readonly Uint8Array[] {
    if (this.#apart.length === 0) return this.#bytes.subarray(0, this.#used);
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const { at, value } of this.#apart) {
      parts.push(this.#bytes.subarray(from, at), value);
      from = at;
    }
    if (from < this.#used) parts.push(this.#bytes.subarray(from, this.#used));
    return parts;
  }

  /** For the next one, once nothing looks at this one any more. */
  get memory(): Uint8Array {
    return this.#bytes;
  }

  /** Where the first `count` records end, in the write. */
  endOf(count: number): number {
    return count === 0 ? 0 : (this.#ends[count - 1] as number);
  }

  /** Encodes a checked record of `length` bytes behind the others; the payload's bytes are not needed afterwards. */
  add(payload: WalPayload, length: number, lsn: Lsn, sequence: SequenceNumber): void {
    const at = this.#used;
    const apart = valueApart(payload, this.#largeValueBytes);
    const inBuffer = apart === undefined ? length : apart.before;
    this.#makeRoom(inBuffer);
    writeRecord(this.#bytes, this.#view, at, length, lsn, sequence, payload, apart);
    if (apart !== undefined) {
      this.#starts ??= this.#ends.map((_, index) => this.endOf(index));
      this.#apart.push({ record: this.#ends.length, at: at + inBuffer, value: apart.value });
    }
    this.#placed(at, length, inBuffer);
  }

  /** A record of `length` bytes stands in the buffer, with `inBuffer` of them. */
  #placed(at: number, length: number, inBuffer: number): void {
    this.#starts?.push(at);
    this.#ends.push(this.length + length);
    this.#used = at + inBuffer;
  }

  /** A record that was encoded elsewhere, and checked; its bytes are not needed afterwards. */
  addEncoded(record: Uint8Array): void {
    const at = this.#used;
    this.#makeRoom(record.length);
    this.#bytes.set(record, at);
    this.#placed(at, record.length, record.length);
  }

  /** A record whose bytes are views of the buffer, but for a large value: that is for whoever gets the record. */
  recordAt(index: number): WalRecord {
    if (this.#starts === undefined) return readOwnRecord(this.#bytes, this.#view, this.endOf(index));
    return readOwnRecord(this.#bytes, this.#view, this.#starts[index] as number, this.#valueOf(index));
  }

  /** The large value of a record. */
  #valueOf(record: number): Uint8Array | undefined {
    let from = 0;
    let to = this.#apart.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#apart[middle]?.record ?? 0) < record) from = middle + 1;
      else to = middle;
    }
    const found = this.#apart[from];
    return found?.record === record ? found.value : undefined;
  }

  #makeRoom(length: number): void {
    const needed = this.#used + length;
    if (needed <= this.#bytes.length) return;
    const grown = allocateBytes(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

/** The one copy of a large value: its caller may change its bytes once the call has returned. */
function valueApart(payload: WalPayload, largeValueBytes: number): ValueApart | undefined {
  if (payload.type !== "put") return undefined;
  const { length } = payload.value; // once: the array of another thread may grow
  if (length < largeValueBytes) return undefined;
  const value = allocateBytes(length);
  copyInto(value, 0, payload.value, 0, length);
  return { value, before: WAL_HEADER_LENGTH + 8 + expiryLength(payload.expiresAt) + payload.key.length };
}
