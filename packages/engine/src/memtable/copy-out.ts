import { markAsUntransferable } from "node:worker_threads";
import { type Address, type Arena, byteOffset, chunkOf, wordOffset } from "./arena.js";
import { KEY_LENGTH_WORD, RECORD_HEADER_BYTES, VALUE_LENGTH_WORD } from "./record.js";
import { fetchLines, itemAt, wordAt } from "./words.js";

/**
 * Small things share blocks: a buffer for each would cost more than finding it. A block is as large as the pool of Node's own
 * buffers, and for the same reason: whoever keeps one value keeps the block.
 */
const BLOCK_BYTES = 8192;
const LARGEST_POOLED = BLOCK_BYTES / 4;
const FETCHED_BYTES = 512;

/** A key with its value. The bytes are the caller's. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Copies what callers get out of an arena. */
export class CopyOut {
  readonly #records: Arena;
  #block = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#block);
  #used = 0;
  /** See `fetchLines`. */
  fetched = 0;

  constructor(records: Arena) {
    this.#records = records;
  }

  key(address: Address): Uint8Array {
    const words = itemAt(this.#records.words, chunkOf(address));
    const length = wordAt(words, wordOffset(address) + KEY_LENGTH_WORD);
    const start = this.#copy(address, 0, length);
    return new Uint8Array(this.#block, start, length);
  }

  value(address: Address): Uint8Array {
    const words = itemAt(this.#records.words, chunkOf(address));
    const at = wordOffset(address);
    const length = wordAt(words, at + VALUE_LENGTH_WORD);
    const start = this.#copy(address, wordAt(words, at + KEY_LENGTH_WORD), length);
    return new Uint8Array(this.#block, start, length);
  }

  /**
   * Adds the entries of several records to `entries`. Neighbours in a range are strewn over memory: a look at all of them before any
   * is copied lets the processor wait for many at a time.
   */
  keysAndValues(addresses: Int32Array, count: number, entries: KeyValue[]): void {
    let together = 0;
    for (let i = 0; i < count; i++) {
      const length = this.#bytesOf(wordAt(addresses, i));
      if (length <= LARGEST_POOLED) together += length;
    }
    if (this.#used + together > this.#bytes.length) this.#startBlock(Math.max(together, BLOCK_BYTES));
    for (let i = 0; i < count; i++) entries.push(this.#keyAndValue(wordAt(addresses, i)));
  }

  #bytesOf(address: Address): number {
    const words = itemAt(this.#records.words, chunkOf(address));
    const at = wordOffset(address);
    const length = wordAt(words, at + KEY_LENGTH_WORD) + wordAt(words, at + VALUE_LENGTH_WORD);
    // What is longer is fetched well enough while it is copied.
    const end = at + (RECORD_HEADER_BYTES + Math.min(length, FETCHED_BYTES)) / 4;
    this.fetched = fetchLines(words, at, end);
    return length;
  }

  /** One copy for both: they stand side by side. */
  #keyAndValue(address: Address): KeyValue {
    const words = itemAt(this.#records.words, chunkOf(address));
    const at = wordOffset(address);
    const keyLength = wordAt(words, at + KEY_LENGTH_WORD);
    const valueLength = wordAt(words, at + VALUE_LENGTH_WORD);
    const start = this.#copy(address, 0, keyLength + valueLength);
    return {
      key: new Uint8Array(this.#block, start, keyLength),
      value: new Uint8Array(this.#block, start + keyLength, valueLength),
    };
  }

  /** Copies bytes of a record, from behind its header, to where `#block` has them from the offset given back. */
  #copy(address: Address, from: number, length: number): number {
    if (this.#used + length > this.#bytes.length) this.#startBlock(Math.max(length, BLOCK_BYTES));
    const start = this.#used;
    const source = byteOffset(address) + RECORD_HEADER_BYTES + from;
    this.#bytes.set(itemAt(this.#records.bytes, chunkOf(address)).subarray(source, source + length), start);
    // Whoever keeps a small value must not keep a large one with it.
    this.#used = length > LARGEST_POOLED ? this.#bytes.length : start + length;
    return start;
  }

  #startBlock(length: number): void {
    this.#block = new ArrayBuffer(length);
    this.#bytes = new Uint8Array(this.#block);
    this.#used = 0;
    // Transferring one value to another thread would take the others of its block along.
    markAsUntransferable(this.#block);
  }
}
