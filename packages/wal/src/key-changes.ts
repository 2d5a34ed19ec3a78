import type { SequenceNumber } from "@kaya/core";
import { EncodedOperations } from "./batch-operations.js";
import { operationsOf, type RangeDelete, type WalOperation, type WalRecord } from "./format.js";
import { isInExtent } from "./key-extent.js";

/** Each question indexes so many more operations of a large batch by key, and looks through the rest. */
const KNOWN_PER_QUESTION = 4096;

export interface KeyChange {
  readonly type: WalOperation["type"];
  readonly sequence: SequenceNumber;
  /** Index of its record among those added. */
  readonly index: number;
  /** Of a put that expires: when, in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

interface RangeChange {
  readonly range: RangeDelete;
  readonly sequence: SequenceNumber;
  readonly index: number;
}

/** A large batch: its operations before number `known`, which stands at `at`, are indexed by key. */
interface LargeBatch {
  readonly index: number;
  readonly sequence: SequenceNumber;
  readonly operations: EncodedOperations;
  known: number;
  at: number;
}

/** The last change to each key by a row of records. */
export class KeyChanges {
  readonly #changes = new Map<string, KeyChange>();
  /** The range deletes, in no order: a large batch is indexed late. Each question looks at all. */
  readonly #ranges: RangeChange[] = [];
  /** Large batches that are not fully indexed, in order. */
  readonly #large: LargeBatch[] = [];
  #records = 0;

  /** How many records were added. */
  get records(): number {
    return this.#records;
  }

  /** Adds the next record. */
  add({ sequence, payload }: WalRecord): void {
    const index = this.#records++;
    const operations = operationsOf(payload);
    if (operations instanceof EncodedOperations && operations.length > KNOWN_PER_QUESTION) {
      this.#large.push({ index, sequence, operations, known: 0, at: 0 });
      return;
    }
    let next = sequence;
    for (const operation of operations) {
      if (operation.type === "deleteRange") this.#ranges.push({ range: operation, sequence: next++, index });
      else this.#changes.set(nameOf(operation.key), changeOf(operation, next++, index));
    }
  }

  of(key: Uint8Array): KeyChange | undefined {
    this.#learn();
    const known = this.#known(key);
    for (let i = this.#large.length - 1; i >= 0; i--) {
      const batch = this.#large[i] as LargeBatch;
      if (known !== undefined && known.index > batch.index) break;
      const found = batch.operations.lastOf(key, batch.at);
      if (found === undefined) continue;
      const sequence = batch.sequence + batch.known + found.behind;
      return { type: found.type, sequence, index: batch.index, expiresAt: found.expiresAt };
    }
    return known;
  }

  #learn(): void {
    const batch = this.#large[0];
    if (batch === undefined) return;
    const { index, operations } = batch;
    batch.at = operations.visit(batch.at, KNOWN_PER_QUESTION, (operation) => {
      this.#noteLate(operation, batch.sequence + batch.known++, index);
    });
    if (operations.isEnd(batch.at)) this.#large.shift();
  }

  /** Indexes an operation although later records may be indexed already. */
  #noteLate(operation: WalOperation, sequence: SequenceNumber, index: number): void {
    if (operation.type === "deleteRange") {
      this.#ranges.push({ range: operation, sequence, index });
      return;
    }
    const name = nameOf(operation.key);
    const later = this.#changes.get(name);
    if (later === undefined || later.index <= index)
      this.#changes.set(name, changeOf(operation, sequence, index));
  }

  #known(key: Uint8Array): KeyChange | undefined {
    let last = this.#changes.get(nameOf(key));
    for (const { range, sequence, index } of this.#ranges) {
      if (last !== undefined && last.sequence > sequence) continue;
      if (isInExtent(key, range.start, range.end))
        last = { type: range.type, sequence, index, expiresAt: undefined };
    }
    return last;
  }
}

function changeOf(operation: WalOperation, sequence: SequenceNumber, index: number): KeyChange {
  const { type } = operation;
  return { type, sequence, index, expiresAt: type === "put" ? operation.expiresAt : undefined };
}

// Bytes one to one as characters: a Map does not find a Uint8Array by its bytes.
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
