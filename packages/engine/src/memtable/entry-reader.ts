import type { SequenceNumber } from "@kaya/core";
import { type Arena, byteOffset, chunkOf } from "./arena.js";
import type { CopyOut, KeyValue } from "./copy-out.js";
import { Cursor } from "./cursor.js";
import type { KeyRange } from "./key-range.js";
import { LEAF_CAPACITY } from "./node-layout.js";
import { keyLengthOf, keyOf, lengthOf, RECORD_HEADER_BYTES, sequenceOf, valueIn } from "./record.js";
import type { Tree } from "./tree.js";
import { itemAt } from "./words.js";

/** Reads the entries of a range, in its order. All bytes are copies. */
export class EntryReader {
  readonly #cursor: Cursor;
  readonly #copyOut: CopyOut;
  readonly #records: Arena;
  readonly #addresses = new Int32Array(LEAF_CAPACITY);
  /** As long as somebody reads, the snapshot is not dropped. */
  readonly source: object;

  constructor(source: object, tree: Tree, root: number, copyOut: CopyOut, range: KeyRange) {
    this.source = source;
    this.#copyOut = copyOut;
    this.#records = tree.records;
    this.#cursor = new Cursor(tree, root, range);
  }

  /** The next entries: at most `limit`, fewer only where there are no more. */
  read(limit: number): KeyValue[] {
    const entries: KeyValue[] = [];
    for (let left = limit; left > 0; ) {
      const count = this.#cursor.read(this.#addresses, left);
      if (count === 0) break;
      this.#copyOut.keysAndValues(this.#addresses, count, entries);
      left -= count;
    }
    return entries;
  }

  /** The next entries: at least one where there is one, and no more than have `maxBytes` together. */
  readBytes(limit: number, maxBytes: number): KeyValue[] {
    const entries: KeyValue[] = [];
    for (let bytes = 0; entries.length < limit; ) {
      const read = this.#cursor.read(this.#addresses, limit - entries.length);
      let count = 0;
      for (; count < read; count++) {
        bytes += lengthOf(this.#records, this.#addresses[count] as number);
        if (bytes > maxBytes && entries.length + count > 0) break;
      }
      this.#cursor.giveBack(read - count);
      this.#copyOut.keysAndValues(this.#addresses, count, entries);
      if (count < read || read === 0) break;
    }
    return entries;
  }

  /** Nothing is left for sure. */
  get isAtEnd(): boolean {
    return this.#cursor.isAtEnd;
  }

  /**
   * Calls `visit` for the next entries, at most `limit`, with views of their bytes, which are lent for the call.
   * @returns how many; 0 where there are no more
   */
  lend(limit: number, visit: (key: Uint8Array, value: Uint8Array, sequence: SequenceNumber) => void): number {
    const count = this.#cursor.read(this.#addresses, limit);
    for (let i = 0; i < count; i++) {
      const address = this.#addresses[i] as number;
      visit(
        keyOf(this.#records, address),
        valueIn(this.#records, address),
        sequenceOf(this.#records, address),
      );
    }
    return count;
  }

  /**
   * Calls `visit` for the keys of the next entries, at most `limit`: with the bytes that hold each, from where to where. They are lent for
   * the call.
   * @returns how many; 0 where there are no more
   */
  lendKeys(limit: number, visit: (bytes: Uint8Array, start: number, end: number) => void): number {
    const count = this.#cursor.read(this.#addresses, limit);
    for (let i = 0; i < count; i++) {
      const address = this.#addresses[i] as number;
      const start = byteOffset(address) + RECORD_HEADER_BYTES;
      const bytes = itemAt(this.#records.bytes, chunkOf(address));
      visit(bytes, start, start + keyLengthOf(this.#records, address));
    }
    return count;
  }

  /** The keys of the next entries: at most `limit`, fewer only where there are no more. */
  readKeys(limit: number): Uint8Array[] {
    const keys: Uint8Array[] = [];
    for (let left = limit; left > 0; ) {
      const count = this.#cursor.read(this.#addresses, left);
      if (count === 0) break;
      for (let i = 0; i < count; i++) keys.push(this.#copyOut.key(this.#addresses[i] as number));
      left -= count;
    }
    return keys;
  }
}
