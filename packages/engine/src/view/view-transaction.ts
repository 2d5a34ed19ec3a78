import type { Transaction } from "../transaction/transaction.js";
import type { ViewBounds } from "./view-keys.js";
import { type PutOperationOptions, type ViewOperation, ViewOperations } from "./view-operations.js";
import { type ViewFormat, ViewReader } from "./view-reader.js";

/**
 * A view in a transaction: it reads what the transaction reads, and what is written with it is written when the function of `Engine.transact` has ended,
 * all or nothing.
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

  /** Gives a key a value. @throws KayaError as `Transaction.put`, and where the codec or the schema refuses the key or the value */
  put(key: K, value: In, options?: PutOperationOptions): void {
    const put = this.#operations.put(key, value);
    this.#transaction.put(put.key, put.value, options);
  }

  /** Removes a key; fine where it is absent. @throws KayaError as `put` */
  delete(key: K): void {
    this.#transaction.delete(this.#operations.delete(key).key);
  }

  /** Deletes all keys of a range, or of the view, as `Transaction.clear`. @throws KayaError as `put` */
  clear(bounds: ViewBounds<K, P> = {}): void {
    this.#transaction.clear(this.#operations.clear(bounds).range);
  }

  /** Several operations, in order. @throws KayaError as `put`; then none of them counts */
  batch(operations: readonly ViewOperation<K, In, P>[]): void {
    this.#transaction.batch(this.#operations.all(operations));
  }
}
