import type { SequenceNumber } from "@kaya/core";
import { WAL_HEADER_LENGTH, type WalOperation, type WalPayload } from "@kaya/wal";
import type { Now } from "../clock.js";
import { invalid } from "../input.js";
import { Memtable } from "../memtable/memtable.js";
import type { KeyState } from "../store/key-state.js";
import { payloadOf } from "../write.js";
import { OperationList, stateBy, valueBy } from "./operation-list.js";

/** Of a batch's payload, before its operations. */
const COUNT_BYTES = 4;

/** What a transaction is going to write, in order, for its own reads too. */
export class OwnWrites {
  readonly #maxBytes: number;
  /** The first has sequence 1. */
  readonly #list = new OperationList();
  /** Of all operations, inside a batch. */
  #bytes = 0;
  /** Made when a range is read behind the first write. */
  #memtable: Memtable | undefined;
  /** How many of the operations are in the memtable. */
  #known = 0;

  /** @param maxRecordBytes of the one record that they become */
  constructor(maxRecordBytes: number) {
    this.#maxBytes = maxRecordBytes;
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** In order. */
  get operations(): readonly WalOperation[] {
    return this.#list.operations;
  }

  /** Adds copies of all or none. @throws KayaError KAYA_INVALID_ARGUMENT where they do not fit one record */
  add(operations: Iterable<WalOperation>): void {
    let [bytes, count] = [this.#bytes, this.#list.length];
    for (const operation of operations) {
      bytes += lengthOf(operation);
      count++;
    }
    // One operation is a record by itself: the byte of its type is in the header.
    const length = WAL_HEADER_LENGTH + (count === 1 ? bytes - 1 : COUNT_BYTES + bytes);
    if (length > this.#maxBytes) {
      throw invalid(
        `the writes of a transaction are one record, and with these it would be of ${length} bytes, over wal.maxRecordBytes (${this.#maxBytes})`,
      );
    }
    this.#bytes = bytes;
    for (const operation of operations) this.#list.add(operation, this.#list.length + 1);
  }

  /** As `Memtable.get`. */
  get(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    const last = this.#list.lastOn(key, this.#list.length);
    return last && valueBy(last, now);
  }

  /** Undefined: nothing here is about the key. */
  stateOf(key: Uint8Array): KeyState | undefined {
    const last = this.#list.lastOn(key, this.#list.length);
    return last && stateBy(last);
  }

  /** As a memtable above data whose last sequence is `above`, always the same; undefined where there are none. */
  memtable(above: SequenceNumber): Memtable | undefined {
    if (this.isEmpty) return undefined;
    this.#memtable ??= new Memtable();
    this.#list.addTo(this.#memtable, this.#known, this.#list.length, above);
    this.#known = this.#list.length;
    return this.#memtable;
  }

  payload(): WalPayload {
    return payloadOf(this.#list.operations);
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
