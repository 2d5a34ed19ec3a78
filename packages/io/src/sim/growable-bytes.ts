import { Digest } from "./digest.js";

const FIRST_CAPACITY = 256;
const NONE = new Uint8Array(0);

/**
 * Bytes that grow at the end; gaps read as zeros. A write costs its own length, amortised; a copy costs nothing until either side is written to.
 */
export class GrowableBytes {
  // Invariants: everything from #length on is zero; the capacity is a multiple of eight.
  #bytes = NONE;
  #length = 0;
  /** A copy may share `#bytes`: they must not be changed any more. */
  #isShared = false;
  #digest: number | undefined;

  get length(): number {
    return this.#length;
  }

  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#makeRoom(Math.max(end, this.#length), this.#length);
    this.#length = Math.max(end, this.#length);
    this.#bytes.set(bytes, position);
  }

  truncate(length: number): void {
    this.#makeRoom(length, Math.min(length, this.#length));
    if (length < this.#length) this.#bytes.fill(0, length, this.#length);
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
    copy.#bytes = this.#bytes;
    copy.#length = this.#length;
    copy.#digest = this.#digest;
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  /** Stands for the bytes; kept until they change. */
  digest(): number {
    this.#digest ??= new Digest().words(new Int32Array(this.#bytes.buffer), this.#length).value;
    return this.#digest;
  }

  /** Makes `#bytes` this one's own with room up to `end`; its first `kept` bytes stay. */
  #makeRoom(end: number, kept: number): void {
    this.#digest = undefined;
    const capacity = this.#bytes.length;
    if (end <= capacity && !this.#isShared) return;
    const wanted = end <= capacity ? end : Math.max(end, capacity * 2, FIRST_CAPACITY);
    const own = new Uint8Array(Math.ceil(wanted / 8) * 8);
    own.set(this.#bytes.subarray(0, kept));
    this.#bytes = own;
    this.#isShared = false;
  }
}
