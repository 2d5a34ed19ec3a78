const FIRST_CAPACITY = 256;

/** Bytes that grow at the end; what a write does not reach reads as zeros. A write costs its own length, amortised. */
export class GrowableBytes {
  // Invariant: everything from #length on is zero.
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#reach(position + bytes.length);
    this.#bytes.set(bytes, position);
  }

  truncate(length: number): void {
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
    else this.#reach(length);
    this.#length = length;
  }

  /** Gives the number of bytes read. */
  read(position: number, into: Uint8Array): number {
    const found = this.#bytes.subarray(position, Math.min(position + into.length, this.#length));
    into.set(found);
    return found.length;
  }

  slice(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  copy(): GrowableBytes {
    const copy = new GrowableBytes();
    copy.#bytes = this.slice();
    copy.#length = this.#length;
    return copy;
  }

  #reach(end: number): void {
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2, FIRST_CAPACITY));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#length = Math.max(this.#length, end);
  }
}
