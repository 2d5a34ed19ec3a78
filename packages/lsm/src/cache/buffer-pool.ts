import { allocateBytes } from "../bytes.js";

const CLASS_BYTES = 4096;
/** Longer buffers are made and dropped one by one. */
const LARGEST_POOLED = 64 * 1024;

/**
 * Buffers to read blocks into, used again and again: memory that the garbage collector has to give back is given back late. Lengths
 * are rounded up to whole pages, so that a buffer of one block fits the next.
 */
export class BufferPool {
  readonly #mostFree: number;
  readonly #free: Uint8Array[][] = [];
  #freeBytes = 0;

  /** @param mostFree bytes that may wait for their next use */
  constructor(mostFree: number) {
    this.#mostFree = mostFree;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A buffer of `length` bytes or more, with whatever is in it. */
  take(length: number): Uint8Array {
    if (length > LARGEST_POOLED) return allocateBytes(length);
    const pages = Math.max(1, Math.ceil(length / CLASS_BYTES));
    const free = this.#free[pages]?.pop();
    if (free === undefined) return allocateBytes(pages * CLASS_BYTES);
    this.#freeBytes -= free.length;
    return free;
  }

  /** Takes a buffer back that nobody looks at any more. */
  give(buffer: Uint8Array): void {
    const { length } = buffer;
    if (length > LARGEST_POOLED || this.#freeBytes + length > this.#mostFree) return;
    const pages = length / CLASS_BYTES;
    const list = this.#free[pages];
    if (list === undefined) this.#free[pages] = [buffer];
    else list.push(buffer);
    this.#freeBytes += length;
  }
}
