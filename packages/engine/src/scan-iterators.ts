import { setImmediate as nextTurn } from "node:timers/promises";
import { ValueCopier } from "@kaya/lsm";
import type { Reading } from "./reading.js";
import type { RowKind } from "./row.js";
import type { RangeReader } from "./store/range-reader.js";

type Result<T> = IteratorResult<T, undefined>;

/** How much is copied at once for a caller that takes rows one by one. */
const ROWS_AT_ONCE = 256;
const BYTES_AT_ONCE = 256 * 1024;

const DONE = { done: true, value: undefined } as const;

/** Reads a page: at most `size` of them, none only where there are no more. */
export type ReadPage<T> = (reader: RangeReader, size: number, copier: ValueCopier) => Promise<T[]>;

export function readPages<T>(kind: RowKind<T>): ReadPage<T> {
  return async (reader, size, copier) => {
    const page: T[] = [];
    await reader.read(
      (cursor) => page.push(kind.read(cursor, copier)),
      () => page.length >= size,
    );
    return page;
  };
}

/** At least one row where there is one, and few bytes beyond a bound. */
export function readFewBytes<T>(kind: RowKind<T>): ReadPage<T> {
  return async (reader, size, copier) => {
    const page: T[] = [];
    let bytes = 0;
    await reader.read(
      (cursor) => {
        page.push(kind.read(cursor, copier));
        bytes += kind.bytes(cursor);
      },
      () => page.length >= size || bytes >= BYTES_AT_ONCE,
    );
    return page;
  };
}

/** The pages of a scan. The event loop gets its turn in between. */
export class PageIterator<T> implements AsyncIterableIterator<T[], undefined> {
  readonly #reading: Reading;
  readonly #size: number;
  readonly #readPage: ReadPage<T>;
  readonly #copier = new ValueCopier();
  #reader: RangeReader | undefined;
  readonly #pagesInTurn: number;
  #pages = 0;
  #isDone = false;
  /** The page that is being read: one at a time. */
  #last: Promise<unknown> | undefined;

  /** @param pagesInTurn that may be read before the event loop gets its turn */
  constructor(reading: Reading, size: number, readPage: ReadPage<T>, pagesInTurn = 1) {
    this.#reading = reading;
    this.#size = size;
    this.#readPage = readPage;
    this.#pagesInTurn = pagesInTurn;
  }

  next(): Promise<Result<T[]>> {
    const page = this.#last === undefined ? this.#next() : this.#last.then(() => this.#next());
    const last: Promise<unknown> = page.then(
      () => this.#forget(last),
      () => this.#forget(last), // its caller has the rejection
    );
    this.#last = last;
    return page;
  }

  async return(): Promise<Result<T[]>> {
    this.#isDone = true;
    await this.#last; // a cursor that moves must not be closed
    this.#end();
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #forget(page: Promise<unknown>): void {
    if (this.#last === page) this.#last = undefined;
  }

  async #next(): Promise<Result<T[]>> {
    if (this.#isDone) return DONE;
    if (this.#reader === undefined) this.#reader = this.#reading.begin();
    else if (++this.#pages % this.#pagesInTurn === 0) await nextTurn();
    try {
      this.#reading.assertOpen();
      const value = await this.#readPage(this.#reader, this.#size, this.#copier);
      this.#reading.assertOpen();
      if (value.length === 0 || this.#reader.isAtEnd) this.#end();
      return value.length === 0 ? DONE : { done: false, value };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#isDone = true;
    this.#reader?.close();
    this.#reader = undefined;
    this.#reading.end();
  }
}

/** The rows of a scan one by one, taken from pages: most cost no more than a promise. */
export class RowIterator<T> implements AsyncIterableIterator<T, undefined> {
  readonly #pages: PageIterator<T>;
  #page: readonly T[] = [];
  #position = 0;
  /** Calls that wait for a page, or for one that does, and the last of them. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(reading: Reading, readPage: ReadPage<T>) {
    this.#pages = reading.readsNoFurther
      ? new PageIterator(reading, 1, readPage, ROWS_AT_ONCE)
      : new PageIterator(reading, ROWS_AT_ONCE, readPage);
  }

  next(): Promise<Result<T>> {
    if (this.#waiting > 0 || this.#position === this.#page.length) return this.#wait();
    return Promise.resolve(this.#take());
  }

  async return(): Promise<Result<T>> {
    this.#page = [];
    this.#position = 0;
    return (await this.#pages.return()) as Result<never>;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Result<T> {
    return { done: false, value: this.#page[this.#position++] as T };
  }

  #wait(): Promise<Result<T>> {
    this.#waiting++;
    const result = this.#last.then(() => this.#takeOrTurn()).finally(() => this.#waiting--);
    this.#last = result.catch(() => undefined); // its caller has the rejection
    return result;
  }

  async #takeOrTurn(): Promise<Result<T>> {
    if (this.#position < this.#page.length) return this.#take();
    const page = await this.#pages.next();
    if (page.done) return DONE;
    this.#page = page.value;
    this.#position = 0;
    return this.#take();
  }
}
