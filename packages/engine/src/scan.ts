import { describe, KayaError } from "@kaya/core";
import { invalid } from "./input.js";
import type { KeyRange } from "./memtable/key-range.js";
import type { HeldMoment, Moment } from "./read-source.js";
import {
  EntryIterator,
  type KeyValue,
  PageIterator,
  type Reading,
  type ReadPage,
  readEntries,
  readKeys,
} from "./scan-iterators.js";
import { RangeReader } from "./store/range-reader.js";

export type { KeyValue } from "./scan-iterators.js";

/**
 * The entries of a range as they were when the scan was made, whatever is written since. It is read once, and lets go of the past that
 * it pins (memory and files) when the reading ends: at the last entry, or where the loop is left. A scan that is never read pins
 * until it is collected, or closed. Reading rejects with KAYA_CORRUPTION where a block that it needs is damaged.
 */
export class Scan implements AsyncIterable<KeyValue> {
  readonly #held: HeldMoment;
  readonly #range: KeyRange;
  #readers = 0;
  #isOver = false;

  /** @internal Made by `Reader.scan`. */
  constructor(held: HeldMoment, range: KeyRange) {
    this.#held = held;
    this.#range = range;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<KeyValue, undefined> {
    return new EntryIterator(this.#reading());
  }

  /**
   * The same entries, up to `size` at a time: much faster than one by one. Other work of the event loop gets its turn between
   * pages.
   * @throws KayaError KAYA_INVALID_ARGUMENT for a size that is not a whole number >= 1
   */
  pages(size: number): AsyncIterable<KeyValue[]> {
    return this.#pages(size, readEntries);
  }

  /** As `pages`, of the keys alone: values are not copied. */
  keyPages(size: number): AsyncIterable<Uint8Array[]> {
    return this.#pages(size, readKeys);
  }

  /** Lets go of what the scan pins; for one that is not read to its end. Doing it again is fine. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #pages<T>(size: number, readPage: ReadPage<T>): AsyncIterable<T[]> {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw invalid(`the size of a page must be a whole number >= 1, not ${describe(size)}`);
    }
    return { [Symbol.asyncIterator]: () => new PageIterator(this.#reading(), size, readPage) };
  }

  /** Readers that begin before the first of them has ended read the same. */
  #reading(): Reading {
    let isReading = true;
    this.#readers++;
    return {
      begin: () => new RangeReader(this.#moment().cursor(this.#range), this.#range),
      assertOpen: () => void this.#moment(),
      end: () => {
        if (isReading && --this.#readers === 0) this.close();
        isReading = false;
      },
    };
  }

  #moment(): Moment {
    if (this.#isOver) throw new KayaError("KAYA_CLOSED", "the scan is over: it is read once; make another");
    return this.#held.moment();
  }
}
