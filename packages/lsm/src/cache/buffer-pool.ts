import { allocateBytes } from "@kaya/core";

export interface BufferPoolOptions {
  /** Most bytes of free buffers. */
  readonly mostFree: number;
  /** Lengths are rounded up to a multiple of it. Default 4 KiB, a page of memory. */
  readonly unit?: number;
  /** Longer buffers are not pooled. Default 64 KiB. */
  readonly largest?: number;
}

/**
 * Reusable buffers to read into: the garbage collector frees memory late. Lengths are rounded up, so that one block's buffer fits the next.
 */
export class BufferPool {
  readonly #mostFree: number;
  readonly #unit: number;
  readonly #largest: number;
  /** By length in units. */
  readonly #free: Uint8Array[][] = [];
  #freeBytes = 0;

  constructor({ mostFree, unit = 4096, largest = 64 * 1024 }: BufferPoolOptions) {
    this.#mostFree = mostFree;
    this.#unit = unit;
    this.#largest = largest;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A buffer of `length` bytes or more, with whatever is in it. */
  take(length: number): Uint8Array {
    if (length > this.#largest) return allocateBytes(length);
    const units = Math.max(1, Math.ceil(length / this.#unit));
    const free = this.#free[units]?.pop();
    if (free === undefined) return allocateBytes(units * this.#unit);
    this.#freeBytes -= free.length;
    return free;
  }

  /** Takes a buffer back that has no readers and into which nothing is being read. */
  give(buffer: Uint8Array): void {
    const { length } = buffer;
    if (length > this.#largest || this.#freeBytes + length > this.#mostFree) return;
    const units = length / this.#unit;
    const list = this.#free[units];
    if (list === undefined) this.#free[units] = [buffer];
    else list.push(buffer);
    this.#freeBytes += length;
  }
}
