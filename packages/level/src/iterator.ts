import { setImmediate as nextTurn } from "node:timers/promises";
import type { Snapshot } from "@kaya/engine";
import { AbstractIterator, type AbstractIteratorOptions, type AbstractLevel } from "abstract-level";
import { aborted } from "./errors.js";
import { type Data, type Format, toFormat } from "./format.js";
import { type Bounds, boundsBehind, boundsFrom, type LevelRange, toBounds } from "./range.js";

/** The options of an iterator as abstract-level hands them on. */
export interface LevelIteratorOptions extends LevelRange {
  readonly keys: boolean;
  readonly values: boolean;
  readonly keyEncoding: Format;
  readonly valueEncoding: Format;
  readonly signal?: AbortSignal | null;
}

/** The source of an iterator, and the work after its closing. */
export interface View {
  readonly snapshot: Snapshot;
  release(): void;
}

/** As the engine gives it; without values only the key. */
interface Entry {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

type Row = [key: Data | undefined, value: Data | undefined];
type Database = AbstractLevel<Data, unknown, unknown>;

/** Entries taken one by one come from pages that grow up to this many, or to a limit of bytes. */
const MOST_AHEAD = 256;
const BYTES_AHEAD = 64 * 1024;

/** After so many entries other work of the event loop gets its turn. */
const ENTRIES_A_TURN = 1000;

/** Reads a range of a snapshot in pages; each begins behind the last key of the page before. */
export class KayaIterator extends AbstractIterator<Database, unknown, unknown> {
  readonly #options: LevelIteratorOptions;
  readonly #view: View;
  readonly #bounds: Bounds;
  /** The part not read yet; undefined at the end. */
  #rest: Bounds | undefined;
  #ahead: readonly Entry[] = [];
  #position = 0;
  #pageSize = 1;
  #sinceTurn = 0;

  constructor(db: Database, options: LevelIteratorOptions, view: View) {
    super(db, options as AbstractIteratorOptions<unknown, unknown>);
    this.#options = options;
    this.#view = view;
    this.#bounds = toBounds(options);
    this.#rest = this.#bounds;
  }

  protected async _next(): Promise<Row | undefined> {
    if (this.#position === this.#ahead.length) await this.#readAhead();
    const entry = this.#ahead[this.#position];
    if (entry === undefined) return undefined;
    this.#position++;
    return this.#toRow(entry);
  }

  protected async _nextv(size: number): Promise<Row[]> {
    let page = this.#ahead.slice(this.#position, this.#position + size);
    this.#position += page.length;
    if (page.length < size) page = page.concat(await this.#read(size - page.length));
    return page.map((entry) => this.#toRow(entry));
  }

  protected _seek(target: Data): void {
    this.#rest = boundsFrom(this.#bounds, target);
    this.#ahead = [];
    this.#position = 0;
    this.#pageSize = 1;
  }

  protected async _close(): Promise<void> {
    this.#ahead = [];
    this.#position = 0;
    this.#view.release();
  }

  async #readAhead(): Promise<void> {
    const size = Math.min(this.#pageSize, this.limit - this.count);
    this.#ahead = await this.#read(size);
    this.#position = 0;
    const bytes = this.#ahead.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 1);
    const fitting = Math.ceil((BYTES_AHEAD * this.#ahead.length) / bytes);
    this.#pageSize = Math.max(1, Math.min(this.#pageSize * 4, MOST_AHEAD, fitting));
  }

  async #read(size: number): Promise<Entry[]> {
    const rest = this.#rest;
    if (rest === undefined) return [];
    if (this.#sinceTurn >= ENTRIES_A_TURN) {
      this.#sinceTurn = 0;
      await nextTurn();
    }
    const scan = this.#view.snapshot.scan(rest);
    const page: Entry[] = this.#options.values
      ? await firstOf(scan.pages(size))
      : (await firstOf(scan.keyPages(size))).map((key) => ({ key }));
    if (this.#options.signal?.aborted) throw aborted(this.#options.signal);
    const last = page.length < size ? undefined : page.at(-1);
    this.#rest = last && boundsBehind(rest, last.key);
    this.#sinceTurn += page.length;
    return page;
  }

  #toRow({ key, value }: Entry): Row {
    const { keys, keyEncoding, valueEncoding } = this.#options;
    return [keys ? toFormat(key, keyEncoding) : undefined, value && toFormat(value, valueEncoding)];
  }
}

async function firstOf<T>(pages: AsyncIterable<T[]>): Promise<T[]> {
  for await (const page of pages) return page;
  return [];
}
