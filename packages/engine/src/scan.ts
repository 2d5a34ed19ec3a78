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
 * What a range has (its entries, keys or values), as it was when this was made, whatever is written since. It is read once, and lets go of
 * the past that it pins (memory and files) when the reading ends: at the last entry, or where the loop is left. One that is never read pins
 * until it is collected, or closed. Reading rejects with KAYA_CORRUPTION where a block that it needs is damaged, KAYA_IO, and KAYA_CLOSED.
 */
export class Rows<T> implements AsyncIterable<T> {
  readonly #of: ScanOf;
  readonly #kind: RowKind<T>;

  /** @internal Made by `Reader`. */
  constructor(of: ScanOf, kind: RowKind<T>) {
    this.#of = of;
    this.#kind = kind;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return new RowIterator(this.#of.shared.reading(this.#of.range), readFewBytes(this.#kind));
  }

  /**
   * The same, up to `size` at a time: much faster than one by one. Other work of the event loop gets its turn between pages.
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
   * All of it in one array, or the first `limit` of it. Without a limit it needs memory for the whole range. Other work of the event loop gets
   * its turn in between. Rejects with KAYA_INVALID_ARGUMENT, and as reading does.
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

  /** Lets go of what it pins; for one that is not read to its end. Doing it again is fine. */
  close(): void {
    this.#of.shared.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The entries of a range, as `{ key, value }`. */
export class Scan extends Rows<KeyValue> {
  readonly #of: ScanOf;

  /** @internal Made by `Reader.scan`. */
  constructor(of: ScanOf) {
    super(of, ENTRIES);
    this.#of = of;
  }

  /** As `pages`, of the keys alone: values are not copied. @throws KayaError as `pages` */
  keyPages(size: number): AsyncIterable<Uint8Array[]> {
    return new Rows(this.#of, KEYS).pages(size);
  }
}
