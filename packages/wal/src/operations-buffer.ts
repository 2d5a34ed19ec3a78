import { EncodedOperations } from "./batch-operations.js";
import { copyInto } from "./copy-into.js";
import { BATCH_OP } from "./format.js";
import { checkExtent, expiryLength } from "./payload-codec.js";
import { writeU64 } from "./u64.js";
import { viewOf } from "./views.js";

const INITIAL_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

/** Encodes the operations of a large batch one by one: no object is made for each, and keys and values are not needed afterwards. */
export class OperationsBuffer {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = viewOf(this.#bytes);
  #length = 0;
  #count = 0;

  /** Bytes of the operations that were added, encoded. */
  get length(): number {
    return this.#length;
  }

  /** How many operations were added. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a put.
   *
   * @param expiresAt whole milliseconds since 1970, from 1 to 2^53 - 1; undefined: the value never expires
   * @throws KayaError KAYA_INVALID_ARGUMENT for another time
   */
  put(key: Uint8Array, value: Uint8Array, expiresAt?: number): void {
    if (expiresAt === undefined) this.#addPair(BATCH_OP.put, key, value);
    else this.#addExpiring(key, value, expiresAt);
  }

  /** Adds a deletion of the key that stands in `bytes`, from `start` to `end`; by default all of them. */
  delete(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const at = this.#begin(BATCH_OP.delete, end - start, 5 + end - start);
    copyInto(this.#bytes, at + 5, bytes, start, end);
  }

  /**
   * Deletes every key from `start` up to, but without, `end`.
   * @throws KayaError KAYA_INVALID_ARGUMENT where no key can be in that range
   */
  deleteRange(start: Uint8Array, end: Uint8Array | undefined): void {
    checkExtent(start, end);
    this.#addPair(BATCH_OP.deleteRange, start, end ?? NO_BYTES);
  }

  /** The operations that were added, as those of a batch. The buffer is empty afterwards. */
  take(): EncodedOperations {
    const taken = new EncodedOperations(this.#bytes.subarray(0, this.#length), this.#count);
    this.#bytes = new Uint8Array(INITIAL_BYTES);
    this.#view = viewOf(this.#bytes);
    this.#length = 0;
    this.#count = 0;
    return taken;
  }

  #addPair(operation: number, first: Uint8Array, second: Uint8Array): void {
    const at = this.#begin(operation, first.length, 9 + first.length + second.length);
    this.#view.setUint32(at + 5, second.length, true);
    copyInto(this.#bytes, at + 9, first);
    copyInto(this.#bytes, at + 9 + first.length, second);
  }

  #addExpiring(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    const before = 9 + expiryLength(expiresAt);
    const at = this.#begin(BATCH_OP.putExpiring, key.length, before + key.length + value.length);
    this.#view.setUint32(at + 5, value.length, true);
    writeU64(this.#view, at + 9, expiresAt);
    copyInto(this.#bytes, at + before, key);
    copyInto(this.#bytes, at + before + key.length, value);
  }

  #begin(operation: number, keyLength: number, length: number): number {
    const at = this.#length;
    if (at + length > this.#bytes.length) this.#grow(at + length);
    this.#bytes[at] = operation;
    this.#view.setUint32(at + 1, keyLength, true);
    this.#length = at + length;
    this.#count++;
    return at;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}
