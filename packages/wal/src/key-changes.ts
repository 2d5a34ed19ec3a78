import type { SequenceNumber } from "@kaya/core";
import { operationsOf, type WalOperation, type WalRecord } from "./format.js";

export interface KeyChange {
  readonly type: WalOperation["type"];
  readonly sequence: SequenceNumber;
  /** Of its record, in what the records were added to. */
  readonly index: number;
}

/** The last change to each key by a row of records. */
export class KeyChanges {
  readonly #changes = new Map<string, KeyChange>();
  #records = 0;

  /** How many records were added. */
  get records(): number {
    return this.#records;
  }

  /** Adds the next record. */
  add({ sequence, payload }: WalRecord): void {
    const index = this.#records++;
    let next = sequence;
    for (const { type, key } of operationsOf(payload))
      this.#changes.set(nameOf(key), { type, sequence: next++, index });
  }

  of(key: Uint8Array): KeyChange | undefined {
    return this.#changes.get(nameOf(key));
  }
}

// Bytes one to one as characters: a Map does not find a Uint8Array by its bytes.
function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
