import { setImmediate as nextTurn } from "node:timers/promises";
import type { EntryReader } from "./memtable/entry-reader.js";
import type { KeyValue } from "./memtable/memtable.js";

/** One reading of a scan. */
export interface Reading {
  /** Begins. @throws KayaError KAYA_CLOSED */
  begin(): EntryReader;
  /** @throws KayaError KAYA_CLOSED */
  assertOpen(): void;
  /** Whatever the reason; only the first call counts. */
  end(): void;
}

type Result<T> = IteratorResult<T, undefined>;

/** How much is copied at once for whoever takes entries one by one. */
const ENTRIES_AT_ONCE = 256;
const BYTES_AT_ONCE = 256 * 1024;

const DONE = { done: true, value: undefined } as const;

/** What a page is made of: at most `size` of them, none only where there are no more. */
export type ReadPage<T> = (reader: EntryReader, size: number) => T[];

export const readEntries: ReadPage<KeyValue> = (reader, size) => reader.read(size);
const readFewBytes: ReadPage<KeyValue> = (reader, size) => reader.readBytes(size, BYTES_AT_ONCE);
export const readKeys: ReadPage<Uint8Array> = (reader, size) => reader.readKeys(size);

/** The pages of a scan. Each but the first comes in a turn of the event loop of its own. */
export class PageIterator<T> implements AsyncIterableIterator<T[], undefined> {
  readonly #reading: Reading;
  readonly #size: number;
  readonly #readPage: ReadPage<T>;
  #reader: EntryReader | undefined;
  #isDone = false;

  constructor(reading: Reading, size: number, readPage: ReadPage<T>) {
    this.#reading = reading;
    this.#size = size;
    this.#readPage = readPage;
  }

  async next(): Promise<Result<T[]>> {
    if (this.#isDone) return DONE;
    if (this.#reader === undefined) this.#reader = this.#reading.begin();
    else await nextTurn();
    return this.#read(this.#reader);
  }

  async return(): Promise<Result<T[]>> {
    this.#end();
    return DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #read(reader: EntryReader): Result<T[]> {
    // Whoever asks for several pages at once may have passed the end, or left, while this one waited.
    if (this.#isDone) return DONE;
    try {
      this.#reading.assertOpen();
      const value = this.#readPage(reader, this.#size);
      if (value.length === 0 || reader.isAtEnd) this.#end();
      return value.length === 0 ? DONE : { done: false, value };
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#isDone = true;
    this.#reader = undefined;
    this.#reading.end();
  }
}

/** The entries of a scan one by one, taken from pages: most cost no more than a promise. */
export class EntryIterator implements AsyncIterableIterator<KeyValue, undefined> {
  readonly #pages: PageIterator<KeyValue>;
  #page: readonly KeyValue[] = [];
  #position = 0;
  /** Calls that wait for a page, or for one that does, and the last of them. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(reading: Reading) {
    this.#pages = new PageIterator(reading, ENTRIES_AT_ONCE, readFewBytes);
  }

  next(): Promise<Result<KeyValue>> {
    if (this.#waiting > 0 || this.#position === this.#page.length) return this.#wait();
    return Promise.resolve(this.#take());
  }

  async return(): Promise<Result<KeyValue>> {
    this.#page = [];
    this.#position = 0;
    return (await this.#pages.return()) as Result<never>;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Result<KeyValue> {
    return { done: false, value: this.#page[this.#position++] as KeyValue };
  }

  #wait(): Promise<Result<KeyValue>> {
    this.#waiting++;
    const result = this.#last.then(() => this.#takeOrTurn()).finally(() => this.#waiting--);
    this.#last = result.catch(() => undefined); // its caller has the rejection
    return result;
  }

  async #takeOrTurn(): Promise<Result<KeyValue>> {
    if (this.#position < this.#page.length) return this.#take();
    const page = await this.#pages.next();
    if (page.done) return DONE;
    this.#page = page.value;
    this.#position = 0;
    return this.#take();
  }
}
