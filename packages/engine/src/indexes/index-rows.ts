import { checkPageSize, readLimit, type ToArrayOptions } from "../range.js";

/** What is read at once for a caller that takes rows one by one. */
const ROWS_AT_ONCE = 128;

/** Reads rows, about so many at once, and at most `limit` of them. */
export type ReadIndexRows<T> = (rowsAtOnce: number, limit?: number) => AsyncIterable<readonly T[]>;

/**
 * Rows that an index leads to, or their keys, as they are when the reading begins, whatever is written since.
 * Each reading waits until the index is built. It keeps memory and files from the beginning of the reading to
 * the last row, or until you leave the loop.
 */
export class IndexRows<T> implements AsyncIterable<T> {
  readonly #read: ReadIndexRows<T>;

  /** @internal Made by `IndexReader`. */
  constructor(read: ReadIndexRows<T>) {
    this.#read = read;
  }

  /** Begins a reading, for `for await`. Each one reads the data as it is then. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, undefined> {
    for await (const rows of this.#read(ROWS_AT_ONCE)) yield* rows;
  }

  /**
   * Reads arrays of up to `size` rows: faster than one by one.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for a size that is not a whole number >= 1
   */
  pages(size: number): AsyncIterable<T[]> {
    checkPageSize(size);
    return { [Symbol.asyncIterator]: () => pagesOf(this.#read(Math.min(size, ROWS_AT_ONCE)), size) };
  }

  /**
   * Reads all of it, or the first `limit` rows, into one array. Without a limit it needs memory for the whole
   * range.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE if the index cannot be built, KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async toArray(options?: ToArrayOptions): Promise<T[]> {
    const { limit } = readLimit({}, options);
    const all: T[] = [];
    for await (const rows of this.#read(ROWS_AT_ONCE, limit)) all.push(...rows);
    return all;
  }
}

/** Pages that are full, but for the last one. */
async function* pagesOf<T>(read: AsyncIterable<readonly T[]>, size: number): AsyncGenerator<T[], undefined> {
  let page: T[] = [];
  for await (const rows of read)
    for (const row of rows) {
      page.push(row);
      if (page.length < size) continue;
      yield page;
      page = [];
    }
  if (page.length > 0) yield page;
}
