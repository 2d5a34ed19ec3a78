import type { SequenceNumber } from "@kaya/core";
import { WAL_HEADER_LENGTH, type WalOperation, type WalPayload } from "@kaya/wal";
import { invalid } from "../input.js";
import { Memtable } from "../memtable/memtable.js";

/** Of a batch's payload, before its operations. */
const COUNT_BYTES = 4;

/** What a transaction is going to write, in order; for its own reads also as a memtable. */
export class OwnWrites {
  readonly #maxBytes: number;
  readonly #operations: WalOperation[] = [];
  /** Of all operations, inside a batch. */
  #bytes = 0;
  /** Made when something is read behind the first write. */
  #memtable: Memtable | undefined;
  /** How many of the operations are in the memtable. */
  #known = 0;

  /** @param maxRecordBytes of the one record that they become */
  constructor(maxRecordBytes: number) {
    this.#maxBytes = maxRecordBytes;
  }

  get isEmpty(): boolean {
    return this.#operations.length === 0;
  }

  /** In order. */
  get operations(): readonly WalOperation[] {
    return this.#operations;
  }

  /** Adds copies of all or none. @throws KayaError KAYA_INVALID_ARGUMENT where they do not fit one record */
  add(operations: Iterable<WalOperation>): void {
    let [bytes, count] = [this.#bytes, this.#operations.length];
    for (const operation of operations) {
      bytes += lengthOf(operation);
      count++;
    }
    // One operation stands alone, without what tells it from others.
    const length = WAL_HEADER_LENGTH + (count === 1 ? bytes - 1 : COUNT_BYTES + bytes);
    if (length > this.#maxBytes) {
      throw invalid(
        `the writes of a transaction are one record, and with these it would be of ${length} bytes, over wal.maxRecordBytes (${this.#maxBytes})`,
      );
    }
    this.#bytes = bytes;
    for (const operation of operations) this.#operations.push(copyOf(operation));
  }

  /** As a memtable above data whose last sequence is `above`, always the same; undefined where there are none. */
  memtable(above: SequenceNumber): Memtable | undefined {
    if (this.isEmpty) return undefined;
    this.#memtable ??= new Memtable();
    for (; this.#known < this.#operations.length; this.#known++) {
      const operation = this.#operations[this.#known] as WalOperation; // it is below the length
      const sequence = above + this.#known + 1;
      if (operation.type === "put")
        this.#memtable.put(operation.key, operation.value, sequence, false, operation.expiresAt);
      else if (operation.type === "delete") this.#memtable.delete(operation.key, sequence);
      else this.#memtable.deleteRange(operation.start, operation.end, sequence);
    }
    return this.#memtable;
  }

  payload(): WalPayload {
    const [first] = this.#operations.length === 1 ? this.#operations : [];
    return first ?? { type: "batch", operations: this.#operations };
  }
}

/** Inside a batch. */
function lengthOf(operation: WalOperation): number {
  if (operation.type === "put") {
    const { key, value, expiresAt } = operation;
    return (expiresAt === undefined ? 9 : 17) + key.length + value.length;
  }
  if (operation.type === "delete") return 5 + operation.key.length;
  return 9 + operation.start.length + (operation.end?.length ?? 0);
}

function copyOf(operation: WalOperation): WalOperation {
  if (operation.type === "put")
    return { ...operation, key: new Uint8Array(operation.key), value: new Uint8Array(operation.value) };
  if (operation.type === "delete") return { type: "delete", key: new Uint8Array(operation.key) };
  const { start, end } = operation;
  return { type: "deleteRange", start: new Uint8Array(start), end: end && new Uint8Array(end) };
}
