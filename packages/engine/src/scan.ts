import { ValueCopier } from "@kaya/lsm";
import type { KeyRange } from "./memtable/key-range.js";
import { checkPageSize, readLimit, type ToArrayOptions } from "./range.js";
import { readThrough, type SharedMoment } from "./reading.js";
import { ENTRIES, KEYS, type KeyValue, type RowKind } from "./row.js";
import { PageIterator, RowIterator, readFewBytes, readPages } from "./scan-iterators.js";
import type { Turns } from "./turns.js";

/** What is read, as it is when the reading is made. */
export interface ScanOf {
  readonly shared: SharedMoment;
  readonly range: KeyRange;
  readonly turns: Turns;
}

/**
 * Entries, keys or values of a range, as they were when this was made, whatever is written since. Read it once.
 * It keeps memory and files of that moment until the reading ends: at the last entry, or when you leave the
 * loop. If you do not read it, close it; otherwise it keeps them until it is garbage-collected.
 *
 * @throws KayaError while reading: KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED
 */
export class Rows<T> implements AsyncIterable<T> {
  readonly #of: ScanOf;
  readonly #kind: RowKind<T>;

  /** @internal Made by `Reader`. */
  constructor(of: ScanOf, kind: RowKind<T>) {
    this.#of = of;
    this.#kind = kind;
  }

  /**
   * Begins the one reading: for `for await`. Other work of the event loop gets its turn in between.
   *
   * @throws KayaError KAYA_CLOSED if it was read or closed before
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return new RowIterator(this.#of.shared.reading(this.#of.range), readFewBytes(this.#kind));
  }

  /**
   * Reads arrays of up to `size` rows: much faster than one by one. Other work of the event loop gets its turn
   * between pages.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for a size that is not a whole number >= 1
   */
  pages(size: number): AsyncIterable<T[]> {
    checkPageSize(size);
    return {
      [Symbol.asyncIterator]: () =>
        new PageIterator(this.#of.shared.reading(this.#of.range), size, readPages(this.#kind)),
    };
  }

  /**
   * Reads all of it, or the first `limit` rows, into one array. Without a limit it needs memory for the whole
   * range. Other work of the event loop gets its turn in between.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO,
   *   KAYA_CLOSED
   */
  async toArray(options?: ToArrayOptions): Promise<T[]> {
    const range = readLimit(this.#of.range, options);
    const rows: T[] = [];
    const copier = new ValueCopier();
    await readThrough(this.#of.shared.reading(range), this.#of.turns, (cursor) => {
      rows.push(this.#kind.read(cursor, copier));
    });
    return rows;
  }

  /**
   * Releases the memory and files that it keeps. Call it if you do not read it to the end. A second call does
   * nothing.
   */
  close(): void {
    this.#of.shared.close();
  }

  /** Closes it at the end of a `using` block, as `close` does. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The entries of a range, each as `{ key, value }`. */
export class Scan extends Rows<KeyValue> {
  readonly #of: ScanOf;

  /** @internal Made by `Reader.scan`. */
  constructor(of: ScanOf) {
    super(of, ENTRIES);
    this.#of = of;
  }

  /**
   * Reads arrays of up to `size` keys, without copying values.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for a size that is not a whole number >= 1
   */
  keyPages(size: number): AsyncIterable<Uint8Array[]> {
    return new Rows(this.#of, KEYS).pages(size);
  }
}
