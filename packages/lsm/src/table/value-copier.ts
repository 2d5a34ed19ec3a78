import { markAsUntransferable } from "node:worker_threads";
import { copyInto } from "../bytes.js";

/**
 * Small values share blocks: a buffer for each would cost more than finding the value. A block is as small as Node's buffer pool, because a
 * caller that keeps one value keeps the block.
 */
const SHARED_BYTES = 8192;
const LARGEST_SHARED = SHARED_BYTES / 4;

/** Copies what callers get out of memory that is used again. The copies are the caller's. */
export class ValueCopier {
  #block = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#block);
  #used = 0;

  /** A copy of `bytes` from `start` up to, but without, `end`. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length > LARGEST_SHARED) return Uint8Array.prototype.slice.call(bytes, start, end);
    if (this.#used + length > this.#bytes.length) this.#startBlock();
    return this.#place(bytes, start, end);
  }

  /** A key and its value side by side: most who want one want the other. */
  entry(key: Uint8Array, value: Uint8Array): { readonly key: Uint8Array; readonly value: Uint8Array } {
    const length = key.length + value.length;
    if (length > LARGEST_SHARED) return { key: new Uint8Array(key), value: new Uint8Array(value) };
    if (this.#used + length > this.#bytes.length) this.#startBlock();
    return { key: this.#place(key, 0, key.length), value: this.#place(value, 0, value.length) };
  }

  /** There is room. */
  #place(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const at = this.#used;
    copyInto(this.#bytes, at, bytes, start, end);
    this.#used = at + end - start;
    return new Uint8Array(this.#block, at, end - start);
  }

  #startBlock(): void {
    this.#block = new ArrayBuffer(SHARED_BYTES);
    this.#bytes = new Uint8Array(this.#block);
    this.#used = 0;
    // Transferring one value to another thread would transfer the others of its block.
    markAsUntransferable(this.#block);
  }
}
