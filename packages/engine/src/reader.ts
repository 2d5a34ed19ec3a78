import { readInput } from "@kaya/core";
import { ValueCopier } from "@kaya/lsm";
import { once } from "./clock.js";
import { type Entry, entryOf, entryOfSync } from "./entry.js";
import { getInSlices } from "./get-many.js";
import { type Bytes, invalid, toBytes } from "./input.js";
import type { KeyRange } from "./memtable/key-range.js";
import { behindCursor, type Page, type PageOptions, readPage, readPageOptions } from "./page.js";
import { type KeyBounds, type RangeOptions, toKeyBounds, toKeyRange, toPagedRange } from "./range.js";
import type { ReadSource } from "./read-source.js";
import { type Reading, readThrough, SharedMoment } from "./reading.js";
import { ENTRIES, KEYS, type KeyValue, PAIRS, VALUES } from "./row.js";
import { Rows, Scan, type ScanOf } from "./scan.js";
import type { Value } from "./store/key-state.js";
import { SyncScan } from "./sync-scan.js";
import type { Turns } from "./turns.js";

/** Everything that reads: an engine, which reads the data as it is now, or something that reads it as it was at one point in time. */
export abstract class Reader {
  readonly #source: ReadSource;

  /** @internal */
  protected constructor(source: ReadSource) {
    this.#source = source;
  }

  /**
   * The value of a key, as a copy; undefined where it has none. Never blocks the event loop: a block of a table that is not in memory is read
   * by another thread. Rejects with KAYA_CORRUPTION where that block is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT.
   */
  async get(key: Bytes): Promise<Uint8Array | undefined> {
    const value = this.find(toBytes(key, "key"));
    return value instanceof Promise ? await value : value; // a promise that is returned takes two more turns
  }

  /**
   * `get` without a promise. It reads a block that is not in memory synchronously: some microseconds where the system has it in its page
   * cache, else as long as the disk takes.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION, KAYA_IO
   */
  getSync(key: Bytes): Uint8Array | undefined {
    return this.#source.view().getSync(toBytes(key, "key"));
  }

  /** The value of a key with the sequence of the write that made it: what a later batch may have as its condition. Rejects as `get`. */
  async getEntry(key: Bytes): Promise<Entry> {
    return entryOf(this.#source.view(), key);
  }

  /** @throws KayaError as `getSync` */
  getEntrySync(key: Bytes): Entry {
    return entryOfSync(this.#source.view(), key);
  }

  /** Rejects as `get`. */
  async has(key: Bytes): Promise<boolean> {
    return (await this.#source.view().find(toBytes(key, "key"))) !== undefined;
  }

  /**
   * The values of several keys at one point in time, in the keys' order. Many are read over several turns of the event loop: leave the bytes of
   * the keys alone until it resolves.
   */
  async getMany(keys: readonly Bytes[]): Promise<(Uint8Array | undefined)[]> {
    const view = this.#source.view();
    const given = readInput("the keys of getMany", () => {
      if (!Array.isArray(keys)) throw invalid("getMany takes an array of keys");
      // Holes too become elements. Not `Array.from` with a function, which takes ten times as long.
      return [...(keys as readonly Bytes[])];
    });
    const { turns } = this.#source;
    // One slice is read in one turn: that is one point in time.
    if (given.length <= turns.operations) {
      const now = once(view.now);
      return getInSlices((key) => view.find(key, now), given, turns);
    }
    const held = this.#source.hold();
    try {
      return await getInSlices((key) => held.moment().find(key), given, turns);
    } finally {
      held.release();
    }
  }

  /**
   * The entries of a range in key order, as they are now, whatever is written while they are read.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scan(range?: RangeOptions): Scan {
    return new Scan(this.scanOf(range));
  }

  /**
   * `scan` for a loop without `await`: `for (const { key, value } of db.scanSync(range))`. It reads as `getSync` does, and the event loop stands
   * still while the loop runs.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scanSync(range?: RangeOptions): SyncScan {
    return new SyncScan(this.scanOf(range));
  }

  /** The keys of a range, as `scan` gives its entries. Values are not copied. @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  keys(range?: RangeOptions): Rows<Uint8Array> {
    return new Rows(this.scanOf(range), KEYS);
  }

  /** The values of a range, in the order of their keys, as `scan` gives its entries. @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  values(range?: RangeOptions): Rows<Uint8Array> {
    return new Rows(this.scanOf(range), VALUES);
  }

  /** The entries of a range as a `Map` gives them, `[key, value]`. @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  entries(range?: RangeOptions): Rows<[key: Uint8Array, value: Uint8Array]> {
    return new Rows(this.scanOf(range), PAIRS);
  }

  /** The entry with the smallest key within the bounds; undefined where there is none. Rejects as `get`. */
  async first(bounds?: KeyBounds): Promise<KeyValue | undefined> {
    return this.#end(bounds, false);
  }

  /** The entry with the greatest key within the bounds; undefined where there is none. Rejects as `get`. */
  async last(bounds?: KeyBounds): Promise<KeyValue | undefined> {
    return this.#end(bounds, true);
  }

  /** How many entries a range has now. Exact: it reads their keys. Rejects as `get`. */
  async count(range?: RangeOptions): Promise<number> {
    const { shared, range: keyRange, turns } = this.scanOf(range);
    let count = 0;
    await readThrough(shared.reading(keyRange), turns, () => count++);
    return count;
  }

  /**
   * The next `size` entries of a range, and a `cursor` for those behind them. Each page is of the time of its call. It begins behind the last
   * key of the page before, whatever was written since; entries that were written before that key are not seen. With `reverse` pages go from
   * the last key to the first.
   *
   * A cursor is text, and as good after a restart. It belongs to its range: bounds and direction must be the same each time. It holds the last
   * key of its page, which who has it can read, and leads nowhere outside of the range.
   *
   * Rejects with KAYA_INVALID_ARGUMENT (also for the cursor of another range), and as `get`.
   */
  async page(range: Omit<RangeOptions, "limit"> | undefined, options: PageOptions): Promise<Page> {
    this.#source.view(); // who is closed says that first
    const whole = toPagedRange(range);
    const { size, cursor } = readPageOptions(options);
    const { reading, turns } = this.#readingOf({ ...behindCursor(whole, cursor), limit: size + 1 });
    return readPage(reading, whole, size, turns);
  }

  async #end(bounds: KeyBounds | undefined, reverse: boolean): Promise<KeyValue | undefined> {
    this.#source.view();
    const { reading, turns } = this.#readingOf({ ...toKeyBounds(bounds), reverse, limit: 1 });
    let entry: KeyValue | undefined;
    const copier = new ValueCopier();
    await readThrough(reading, turns, (cursor) => {
      entry = ENTRIES.read(cursor, copier);
    });
    return entry;
  }

  /** `get`, with a promise only where a block must be read. @internal */
  find(key: Uint8Array): Value {
    return this.#source.view().find(key);
  }

  /** @internal */
  scanOf(range: RangeOptions | undefined): ScanOf {
    this.#source.view();
    const keyRange = toKeyRange(range);
    return { shared: new SharedMoment(this.#source.hold()), range: keyRange, turns: this.#source.turns };
  }

  #readingOf(range: KeyRange): { reading: Reading; turns: Turns } {
    return { reading: new SharedMoment(this.#source.hold()).reading(range), turns: this.#source.turns };
  }
}
