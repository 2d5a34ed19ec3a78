import type { Transaction } from "../transaction/transaction.js";
import type { ViewBounds } from "./view-keys.js";
import { type PutOperationOptions, type ViewOperation, ViewOperations } from "./view-operations.js";
import { type ViewFormat, ViewReader } from "./view-reader.js";

/**
 * A view in a transaction: it reads what the transaction reads. Its writes are written when the function of
 * `Engine.transact` has ended, all or nothing.
 */
export class ViewTransaction<K, V, In = V, P = never, X = Record<never, never>> extends ViewReader<
  K,
  V,
  P,
  X
> {
  readonly #transaction: Transaction;
  readonly #operations: ViewOperations<K, In, P>;

  /** @internal Made by `View.in`. */
  constructor(transaction: Transaction, format: ViewFormat<K, V, In, P>) {
    super(transaction, format);
    this.#transaction = transaction;
    this.#operations = new ViewOperations(format);
  }

  /**
   * Stores a value under a key and replaces the value that was there; with `ttlMs` or `expiresAt` it expires.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also if the codec or the schema refuses the key or the value, or
   *   if all writes together do not fit `wal.maxRecordBytes`; KAYA_CLOSED after the transaction
   */
  put(key: K, value: In, options?: PutOperationOptions): void {
    const put = this.#operations.put(key, value);
    this.#transaction.put(put.key, put.value, options);
  }

  /**
   * Removes a key; allowed if the key is absent.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also if the codec refuses the key; KAYA_CLOSED after the
   *   transaction
   */
  delete(key: K): void {
    this.#transaction.delete(this.#operations.delete(key).key);
  }

  /**
   * Deletes all keys of a range, or of the view. It reads none: keys that others write into the range meanwhile
   * are deleted too.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CLOSED after the transaction
   */
  clear(bounds: ViewBounds<K, P> = {}): void {
    this.#transaction.clear(this.#operations.clear(bounds).range);
  }

  /**
   * Writes several operations, in order.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also if the codec or the schema refuses a key or a value, and then
   *   none of them is written; KAYA_CLOSED after the transaction
   */
  batch(operations: readonly ViewOperation<K, In, P>[]): void {
    this.#transaction.batch(this.#operations.all(operations));
  }
}
