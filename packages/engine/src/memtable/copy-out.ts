import { markAsUntransferable } from "node:worker_threads";
import { type Address, type Arena, byteOffset, chunkOf } from "./arena.js";
import { keyLengthOf, RECORD_HEADER_BYTES, valueLengthOf } from "./record.js";
import { itemAt } from "./words.js";

/** As large as the pool of Node's own buffers, and for the same reason: whoever keeps one value keeps the block. */
const BLOCK_BYTES = 8192;
const LARGEST_POOLED = BLOCK_BYTES / 4;

/** A key with its value. The bytes are the caller's. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Copies what callers get out of an arena. Small things share blocks: a buffer for each would cost more than finding it. */
export class CopyOut {
  readonly #records: Arena;
  #block = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#block);
  #used = 0;

  constructor(records: Arena) {
    this.#records = records;
  }

  key(address: Address): Uint8Array {
    const length = keyLengthOf(this.#records, address);
    const start = this.#copy(address, 0, length);
    return new Uint8Array(this.#block, start, length);
  }

  value(address: Address): Uint8Array {
    const length = valueLengthOf(this.#records, address);
    const start = this.#copy(address, keyLengthOf(this.#records, address), length);
    return new Uint8Array(this.#block, start, length);
  }

  /** One copy for both: they stand side by side. */
  keyAndValue(address: Address): KeyValue {
    const keyLength = keyLengthOf(this.#records, address);
    const valueLength = valueLengthOf(this.#records, address);
    const start = this.#copy(address, 0, keyLength + valueLength);
    return {
      key: new Uint8Array(this.#block, start, keyLength),
      value: new Uint8Array(this.#block, start + keyLength, valueLength),
    };
  }

  /** Copies bytes of a record, from behind its header, to where `#block` has them from the offset given back. */
  #copy(address: Address, from: number, length: number): number {
    let start = this.#used;
    if (start + length > this.#bytes.length) {
      this.#startBlock(Math.max(length, BLOCK_BYTES));
      start = 0;
    }
    const source = byteOffset(address) + RECORD_HEADER_BYTES + from;
    this.#bytes.set(itemAt(this.#records.bytes, chunkOf(address)).subarray(source, source + length), start);
    // Whoever keeps a small value must not keep a large one with it.
    this.#used = length > LARGEST_POOLED ? this.#bytes.length : start + length;
    return start;
  }

  #startBlock(length: number): void {
    this.#block = new ArrayBuffer(length);
    this.#bytes = new Uint8Array(this.#block);
    // Transferring one value to another thread would take the others of its block along.
    markAsUntransferable(this.#block);
  }
}
