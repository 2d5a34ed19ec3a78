import { setImmediate as nextTurn } from "node:timers/promises";
import { describe } from "@kaya/core";
import { invalid } from "./input.js";
import type { Entry, KeyRange, MemtableView } from "./memtable/memtable.js";

/** A key with its value. The bytes are the caller's. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const PAGE_SIZE = 256;

/**
 * The entries of a range as they were when the scan was made, whatever is written since. It may be iterated more than
 * once, and left early: it holds nothing but memory.
 */
export class Scan implements AsyncIterable<KeyValue> {
  readonly #view: MemtableView;
  readonly #range: KeyRange;
  readonly #assertOpen: () => void;

  /** @internal Made by `Engine.scan` and `Snapshot.scan`. */
  constructor(view: MemtableView, range: KeyRange, assertOpen: () => void) {
    this.#view = view;
    this.#range = range;
    this.#assertOpen = assertOpen;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<KeyValue, void> {
    for await (const page of this.pages(PAGE_SIZE)) yield* page;
  }

  /**
   * The same entries, up to `size` at a time: much faster than one by one. Other work of the event loop gets its turn between
   * pages.
   * @throws KayaError KAYA_INVALID_ARGUMENT for a size that is not a whole number >= 1
   */
  pages(size: number): AsyncIterable<KeyValue[]> {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw invalid(`the size of a page must be a whole number >= 1, not ${describe(size)}`);
    }
    return { [Symbol.asyncIterator]: () => this.#readPages(size) };
  }

  async *#readPages(size: number): AsyncGenerator<KeyValue[], void> {
    this.#assertOpen();
    let page: KeyValue[] = [];
    for (const entry of this.#view.entries(this.#range)) {
      page.push(copyOf(entry));
      if (page.length < size) continue;
      yield page;
      page = [];
      await nextTurn();
      this.#assertOpen();
    }
    if (page.length > 0) yield page;
  }
}

function copyOf({ key, value }: Entry): KeyValue {
  return { key: key.slice(), value: value.slice() };
}
