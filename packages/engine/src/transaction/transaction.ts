import type { WalOperation } from "@kaya/wal";
import type { Expiry } from "../expiry.js";
import type { Bytes } from "../input.js";
import { type KeyBounds, toKeyBounds } from "../range.js";
import { Reader } from "../reader.js";
import type { BatchOperation, WriteInput } from "../write.js";
import type { OwnWrites } from "./own-writes.js";
import type { TransactionSource } from "./transaction-source.js";

/** The property of a transaction that has its writes. */
export const OWN: unique symbol = Symbol("own");

/**
 * The function of `Engine.transact` reads and writes with this. It reads the data at one moment, with its own
 * writes in it. A write is checked at once, and written when the function has ended, all or nothing. The
 * reading of a range sees the transaction's own writes up to its beginning. For a key that the transaction
 * wrote itself, `getEntry` gives the `sequence` 0. After the function has ended every call is refused with
 * KAYA_CLOSED.
 */
export class Transaction extends Reader {
  readonly #source: TransactionSource;
  readonly #own: OwnWrites;
  readonly #input: WriteInput;

  /** @internal Made by `Engine.transact`. */
  constructor(source: TransactionSource, own: OwnWrites, input: WriteInput) {
    super(source);
    this.#source = source;
    this.#own = own;
    this.#input = input;
  }

  /** @internal What it has written so far, for the reads of indexes. */
  get [OWN](): readonly WalOperation[] {
    this.#source.view();
    return this.#own.operations;
  }

  /**
   * Stores a value under a key and replaces the value that was there; with `ttlMs` or `expiresAt` it expires.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also if all writes together do not fit `wal.maxRecordBytes`;
   *   KAYA_CLOSED after the transaction
   */
  put(key: Bytes, value: Bytes, expiry?: Expiry): void {
    this.#source.view();
    this.#own.add([this.#input.put(key, value, this.#input.expiry(expiry))]);
  }

  /**
   * Removes a key; allowed if the key is absent.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also if all writes together do not fit `wal.maxRecordBytes`;
   *   KAYA_CLOSED after the transaction
   */
  delete(key: Bytes): void {
    this.#source.view();
    this.#own.add([this.#input.delete(key)]);
  }

  /**
   * Deletes all keys of a range, or all keys. It reads none: keys that others write into the range meanwhile
   * are deleted too.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED after the transaction
   */
  clear(range: KeyBounds = {}): void {
    this.#source.view();
    this.#own.add(this.#input.clear(toKeyBounds(range)));
  }

  /**
   * Writes several operations, in order.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, and then none of them is written; KAYA_CLOSED after the
   *   transaction
   */
  batch(operations: readonly BatchOperation[]): void {
    this.#source.view();
    this.#own.add(this.#input.operations(operations));
  }
}
