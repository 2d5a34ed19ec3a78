import type { SequenceNumber } from "@kaya/core";
import { EncodedOperations } from "./batch-operations.js";
import { operationsOf, type WalOperation, type WalRecord } from "./format.js";

/** Operations of a large batch that each question adds to what is known by key: the rest is looked at one by one. */
const KNOWN_PER_QUESTION = 4096;

export interface KeyChange {
  readonly type: WalOperation["type"];
  readonly sequence: SequenceNumber;
  /** Of its record, in what the records were added to. */
  readonly index: number;
}

/** A large batch: what is known by key ends with the operation before number `known`, which stands at `at`. */
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
  /** Those that are not known by key to their ends, in order. */
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
    for (const { type, key } of operations) this.#changes.set(nameOf(key), { type, sequence: next++, index });
  }

  of(key: Uint8Array): KeyChange | undefined {
    this.#learn();
    const known = this.#changes.get(nameOf(key));
    for (let i = this.#large.length - 1; i >= 0; i--) {
      const batch = this.#large[i] as LargeBatch;
      if (known !== undefined && known.index > batch.index) break;
      const found = batch.operations.lastOf(key, batch.at);
      if (found === undefined) continue;
      return { type: found.type, sequence: batch.sequence + batch.known + found.behind, index: batch.index };
    }
    return known;
  }

  #learn(): void {
    const batch = this.#large[0];
    if (batch === undefined) return;
    const { index, operations } = batch;
    batch.at = operations.visit(batch.at, KNOWN_PER_QUESTION, ({ type, key }) => {
      const name = nameOf(key);
      const sequence = batch.sequence + batch.known++;
      // What came behind the batch may be known already.
      const later = this.#changes.get(name);
      if (later === undefined || later.index <= index) this.#changes.set(name, { type, sequence, index });
    });
    if (operations.isEnd(batch.at)) this.#large.shift();
  }
}

// Bytes one to one as characters: a Map does not find a Uint8Array by its bytes.
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
