import { markAsUntransferable } from "node:worker_threads";
import { type Address, type Arena, byteOffset, chunkOf, wordOffset } from "./arena.js";
import { KEY_LENGTH_WORD, RECORD_HEADER_BYTES, VALUE_LENGTH_WORD } from "./record.js";
import { itemAt, wordAt } from "./words.js";

/**
 * Small things share blocks: a buffer for each would cost more than finding it. A block is as large as the pool of Node's own
 * buffers, and for the same reason: a value that is kept keeps its block.
 */
const BLOCK_BYTES = 8192;
const LARGEST_POOLED = BLOCK_BYTES / 4;

/** Copies values out of an arena. */
export class CopyOut {
  readonly #records: Arena;
  #block = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#block);
  #used = 0;

  constructor(records: Arena) {
    this.#records = records;
  }

  value(address: Address): Uint8Array {
    const words = itemAt(this.#records.words, chunkOf(address));
    const at = wordOffset(address);
    const length = wordAt(words, at + VALUE_LENGTH_WORD);
    const start = this.#copy(address, wordAt(words, at + KEY_LENGTH_WORD), length);
    return new Uint8Array(this.#block, start, length);
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
