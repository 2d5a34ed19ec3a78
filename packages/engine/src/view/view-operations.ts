import { describe, readInput } from "@kaya/core";
import type { BatchCondition } from "../conditions.js";
import { invalid } from "../input.js";
import type {
  BatchOperation,
  BatchOptions,
  ClearOperation,
  DeleteOperation,
  PutOperation,
  WriteOptions,
} from "../write.js";
import type { ViewBounds } from "./view-keys.js";
import type { ViewFormat } from "./view-reader.js";

/** When the value of a put in a batch expires. */
export type PutOperationOptions = Omit<PutOperation, "type" | "key" | "value">;

/** One operation of a view's batch, in its types: a put, a delete or a clear. */
export type ViewOperation<K, In, P = never> =
  | (Omit<PutOperation, "key" | "value"> & { readonly key: K; readonly value: In })
  | (Omit<DeleteOperation, "key"> & { readonly key: K })
  | (Omit<ClearOperation, "range"> & { readonly range: ViewBounds<K, P> });

/**
 * What must hold for a key of a view when a batch is written. The result of `getEntry` is one; `{ key,
 * sequence: undefined }` asks that the key is absent.
 */
export type ViewCondition<K> = Omit<BatchCondition, "key"> & { readonly key: K };

/** How durable a batch of a view must be, and what must hold for it to be written. */
export interface ViewBatchOptions<K> extends WriteOptions {
  /** The batch is written only if all of these hold. Otherwise it rejects with KAYA_CONFLICT. */
  readonly conditions?: readonly ViewCondition<K>[];
}

/**
 * Makes operations and conditions of a view for `Engine.batch`, where those of several views go into one batch:
 * `db.batch([users.op.put("ada", user), visits.op.delete("ada")], { conditions: [users.op.condition(entry)] })`.
 */
export class ViewOperations<K, In, P = never> {
  readonly #format: ViewFormat<K, unknown, In, P>;

  /** @internal Made by `View`. */
  constructor(format: ViewFormat<K, unknown, In, P>) {
    this.#format = format;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT for a key or value that the codec or the schema refuses */
  put(key: K, value: In, options?: PutOperationOptions): PutOperation {
    const { keys, values } = this.#format;
    const bytes = keys.encode(key);
    const put: PutOperation = { type: "put", key: bytes, value: values.encode(value, bytes) };
    return options === undefined ? put : { ...options, ...put };
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT for a key that the codec refuses */
  delete(key: K): DeleteOperation {
    return { type: "delete", key: this.#format.keys.encode(key) };
  }

  /** Deletes a range of the view; `{}` is all of it. @throws KayaError KAYA_INVALID_ARGUMENT */
  clear(range: ViewBounds<K, P>): ClearOperation {
    if (range === undefined)
      throw invalid("a clear in a batch needs a `range`: give {} for all keys of the view");
    return { type: "clear", range: this.#format.keys.bounds(range) };
  }

  /** An entry of the view as a condition. @throws KayaError KAYA_INVALID_ARGUMENT for a key that the codec refuses */
  condition(condition: ViewCondition<K>): BatchCondition {
    const { key, ...rest } = condition;
    return { ...rest, key: this.#format.keys.encode(key) };
  }

  /** @internal */
  all(operations: readonly ViewOperation<K, In, P>[]): BatchOperation[] {
    return readInput("a batch", () => {
      if (!Array.isArray(operations))
        throw invalid(`a batch takes an array of operations, not ${describe(operations)}`);
      return Array.from(operations as readonly ViewOperation<K, In, P>[], (operation) =>
        this.#one(operation),
      );
    });
  }

  /** @internal */
  options(options: ViewBatchOptions<K> | undefined): BatchOptions | undefined {
    if (options === undefined || !Object.hasOwn(options, "conditions"))
      return options as BatchOptions | undefined;
    const { conditions, ...rest } = options;
    if (!Array.isArray(conditions))
      throw invalid(`the conditions of a batch must be an array, not ${describe(conditions)}`);
    return readInput("the conditions of a batch", () => ({
      ...rest,
      conditions: Array.from(conditions as readonly ViewCondition<K>[], (each) => this.condition(each)),
    }));
  }

  #one(operation: ViewOperation<K, In, P>): BatchOperation {
    // Each is read once: a getter may answer differently the second time.
    const type = operation?.type;
    if (type === "put") {
      const { key, value } = operation as Extract<typeof operation, { type: "put" }>;
      return this.put(key, value, hasMore(operation) ? { ...operation } : undefined);
    }
    if (type === "delete")
      return this.delete((operation as Extract<typeof operation, { type: "delete" }>).key);
    if (type === "clear")
      return this.clear((operation as Extract<typeof operation, { type: "clear" }>).range);
    throw invalid(`the type of an operation must be "put", "delete" or "clear", not ${describe(type)}`);
  }
}

/** Whether a put has options, besides its type, its key and its value. */
function hasMore(operation: object): boolean {
  return Object.keys(operation).length > 3;
}
