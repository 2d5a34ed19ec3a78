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
 * What the function of `Engine.transact` reads and writes with. It reads the data at one moment, with its own writes in it. What it writes is checked at once,
 * and written when the function has ended, all or nothing. A reading of a range sees the transaction's own writes up to its
 * beginning. For what the transaction wrote itself `getEntry` gives the `sequence` 0. After the function has ended everything is refused with KAYA_CLOSED.
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
   * Gives a key a value, with `ttlMs` or `expiresAt` one that expires: see `Engine.put`.
   * @throws KayaError KAYA_INVALID_ARGUMENT, also where all writes do not fit `wal.maxRecordBytes`; KAYA_CLOSED
   */
  put(key: Bytes, value: Bytes, expiry?: Expiry): void {
    this.#source.view();
    this.#own.add([this.#input.put(key, value, this.#input.expiry(expiry))]);
  }

  /** Removes a key; fine where it is absent. @throws KayaError as `put` */
  delete(key: Bytes): void {
    this.#source.view();
    this.#own.add([this.#input.delete(key)]);
  }

  /** Deletes all keys of a range. It reads none: keys that others write into the range meanwhile are deleted too. @throws KayaError as `put` */
  clear(range: KeyBounds = {}): void {
    this.#source.view();
    this.#own.add(this.#input.clear(toKeyBounds(range)));
  }

  /** Several operations, in order. @throws KayaError as `put`; then none of them counts */
  batch(operations: readonly BatchOperation[]): void {
    this.#source.view();
    this.#own.add(this.#input.operations(operations));
  }
}
