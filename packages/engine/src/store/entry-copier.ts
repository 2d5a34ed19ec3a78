import { markAsUntransferable } from "node:worker_threads";

/** A key with its value. The bytes are the caller's. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Small things share blocks: a buffer for each would cost more than finding it. A block is as large as the pool of Node's own
 * buffers, and for the same reason: a caller that keeps one value keeps the block.
 */
const BLOCK_BYTES = 8192;
const LARGEST_SHARED = BLOCK_BYTES / 4;

/** Up to here a loop over the bytes is faster than a call. */
const INLINE_BYTES = 32;

/** Copies the entries that a scan gives out. */
export class EntryCopier {
  #block = new ArrayBuffer(0);
  #bytes = new Uint8Array(this.#block);
  #used = 0;

  entry(key: Uint8Array, value: Uint8Array): KeyValue {
    const length = key.length + value.length;
    if (length > LARGEST_SHARED) return { key: new Uint8Array(key), value: new Uint8Array(value) };
    if (this.#used + length > this.#bytes.length) this.#startBlock();
    return { key: this.#copy(key), value: this.#copy(value) };
  }

  key(key: Uint8Array): Uint8Array {
    if (key.length > LARGEST_SHARED) return new Uint8Array(key);
    if (this.#used + key.length > this.#bytes.length) this.#startBlock();
    return this.#copy(key);
  }

  #copy(bytes: Uint8Array): Uint8Array {
    const at = this.#used;
    const { length } = bytes;
    const target = this.#bytes;
    if (length > INLINE_BYTES) target.set(bytes, at);
    else for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number; // i is below the length
    this.#used = at + length;
    return new Uint8Array(this.#block, at, length);
  }

  #startBlock(): void {
    this.#block = new ArrayBuffer(BLOCK_BYTES);
    this.#bytes = new Uint8Array(this.#block);
    this.#used = 0;
    // Transferring one value to another thread would take the others of its block along.
    markAsUntransferable(this.#block);
  }
}
