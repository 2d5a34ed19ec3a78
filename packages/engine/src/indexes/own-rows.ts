import type { WalOperation } from "@kaya/wal";
import { compareBytes, nameOfBytes } from "../memtable/bytes.js";
import { isInExtent, isInRange, type RangeOptions } from "../range.js";
import type { KeyValue } from "../row.js";
import { entryKey } from "./entry-key.js";
import { touchesPrefix } from "./extension.js";
import type { DeclaredIndex } from "./index-options.js";

const NO_BYTES = new Uint8Array(0);

/** What a transaction wrote of the rows of a view, for its reads of an index: the entries come to be only when it is written. */
export class OwnRows {
  /** By their names, as they are now; undefined: deleted. */
  readonly #rows = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | undefined }>();
  readonly #clears: Extract<WalOperation, { type: "deleteRange" }>[] = [];
  readonly #prefix: Uint8Array;

  constructor(prefix: Uint8Array, operations: readonly WalOperation[]) {
    this.#prefix = prefix;
    for (const operation of operations) if (touchesPrefix(operation, prefix)) this.#note(operation);
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0 && this.#clears.length === 0;
  }

  /** The entry of this row, as others wrote it, does not count. @param rowKey whole */
  hides(rowKey: Uint8Array): boolean {
    return this.#rows.has(nameOfBytes(rowKey)) || this.#clears.some((clear) => isInExtent(clear, rowKey));
  }

  /** The entries of the rows that it wrote, in a range of entries' keys, in its order. */
  entries(id: number, index: DeclaredIndex, range: Pick<RangeOptions, "gte" | "lt" | "reverse">): KeyValue[] {
    const entries: KeyValue[] = [];
    const bounds = { gte: range.gte as Uint8Array, lt: range.lt as Uint8Array };
    for (const { key, value } of this.#rows.values()) {
      if (value === undefined) continue;
      const rowKey = key.subarray(this.#prefix.length);
      for (const indexKey of index.keysOf(key, value)) {
        const entry = entryKey(id, indexKey, index.unique ? undefined : rowKey);
        if (isInRange(entry, bounds)) entries.push({ key: entry, value: index.unique ? rowKey : NO_BYTES });
      }
    }
    const order = range.reverse === true ? -1 : 1;
    return entries.sort((a, b) => order * compareBytes(a.key, b.key));
  }

  #note(operation: WalOperation): void {
    if (operation.type !== "deleteRange") {
      const value = operation.type === "put" ? operation.value : undefined;
      this.#rows.set(nameOfBytes(operation.key), { key: operation.key, value });
      return;
    }
    this.#clears.push(operation);
    for (const [name, { key }] of this.#rows) if (isInExtent(operation, key)) this.#rows.delete(name);
  }
}
