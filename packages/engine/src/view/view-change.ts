import type { SequenceNumber } from "@kaya/core";
import type { ChangeOperation } from "../changes/changes.js";
import { compareBytes, successorOfPrefix } from "../memtable/bytes.js";
import type { ViewFormat } from "./view-reader.js";

type Of<T extends ChangeOperation["type"]> = Extract<ChangeOperation, { readonly type: T }>;

/** What a write did to a key of a view, or to a range of its keys. */
export type ViewChangeOperation<K, V> =
  | (Omit<Of<"put">, "key" | "value"> & {
      readonly key: K;
      readonly value: V;
      readonly sequence: SequenceNumber;
    })
  | (Omit<Of<"delete">, "key"> & { readonly key: K; readonly sequence: SequenceNumber })
  | (Of<"deleteRange"> & {
      readonly sequence: SequenceNumber;
      /** Whether a key of the view is in the range. `start` and `end` are whole keys, in bytes, within the view. */
      includes(key: K): boolean;
    });

/** Finds what of a write was in a view, and decodes it. */
export class ChangeDecoder<K, V> {
  readonly #format: ViewFormat<K, V, never, unknown>;
  /** The first key behind all of the view; undefined where there is none. */
  readonly #end: Uint8Array | undefined;

  constructor(format: ViewFormat<K, V, never, unknown>) {
    this.#format = format;
    this.#end = successorOfPrefix(format.keys.prefix);
  }

  /** Undefined where it is about other keys. @throws KayaError KAYA_DECODE_FAILED */
  decode(operation: ChangeOperation, sequence: SequenceNumber): ViewChangeOperation<K, V> | undefined {
    if (operation.type === "deleteRange") return this.#range(operation, sequence);
    if (!this.#hasKey(operation.key)) return undefined;
    const { keys, values } = this.#format;
    const key = keys.decode(operation.key);
    if (operation.type === "delete") return { ...operation, key, sequence };
    return { ...operation, key, value: values.decode(operation.value, operation.key), sequence };
  }

  #range(operation: Of<"deleteRange">, sequence: SequenceNumber): ViewChangeOperation<K, V> | undefined {
    const { keys } = this.#format;
    const start =
      compareBytes(operation.start, keys.prefix) < 0 ? new Uint8Array(keys.prefix) : operation.start;
    const isWithin =
      operation.end !== undefined && (this.#end === undefined || compareBytes(operation.end, this.#end) < 0);
    const end = isWithin ? operation.end : this.#end && new Uint8Array(this.#end);
    if (end !== undefined && compareBytes(start, end) >= 0) return undefined;
    const includes = (key: K) => {
      const bytes = keys.encode(key);
      return compareBytes(bytes, start) >= 0 && (end === undefined || compareBytes(bytes, end) < 0);
    };
    return { type: "deleteRange", start, end, sequence, includes };
  }

  #hasKey(key: Uint8Array): boolean {
    const { prefix } = this.#format.keys;
    return compareBytes(key, prefix) >= 0 && (this.#end === undefined || compareBytes(key, this.#end) < 0);
  }
}
