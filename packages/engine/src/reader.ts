import { describe, readInput } from "@kaya/core";
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

/**
 * The reading methods of an engine, which reads the data as it is now, and of a snapshot or a transaction,
 * which read it as it was at one moment.
 */
export abstract class Reader {
  readonly #source: ReadSource;

  /** @internal */
  protected constructor(source: ReadSource) {
    this.#source = source;
  }

  /**
   * The value of a key, as a copy; undefined if the key is absent or has expired. It never blocks the event
   * loop: another thread reads a block of a table that is not in memory.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async get(key: Bytes): Promise<Uint8Array | undefined> {
    const value = this.find(toBytes(key, "key"));
    return value instanceof Promise ? await value : value; // a promise that is returned takes two more turns
  }

  /**
   * The value of a key, as a copy; undefined if the key is absent or has expired. It reads a block that is not
   * in memory synchronously: some microseconds if the system has it in its page cache, otherwise as long as the
   * disk takes.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  getSync(key: Bytes): Uint8Array | undefined {
    return this.#source.view().getSync(toBytes(key, "key"));
  }

  /**
   * The value of a key with the sequence of the write that made it, and when it expires. It serves as a
   * condition of a later batch: that the key is still as it was read. For an absent key `value` and `sequence`
   * are undefined.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async getEntry(key: Bytes): Promise<Entry> {
    return entryOf(this.#source.view(), key);
  }

  /**
   * The value of a key with the sequence of the write that made it, and when it expires, without a promise. It
   * reads a block that is not in memory synchronously.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  getEntrySync(key: Bytes): Entry {
    return entryOfSync(this.#source.view(), key);
  }

  /**
   * Resolves to true if the key has a value that has not expired. It costs as much as `get`.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async has(key: Bytes): Promise<boolean> {
    return (await this.#source.view().find(toBytes(key, "key"))) !== undefined;
  }

  /**
   * The values of several keys at one moment, in the keys' order; undefined for each absent key. Many keys are
   * read over several turns of the event loop: do not change the bytes of the keys until it resolves.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async getMany(keys: readonly Bytes[]): Promise<(Uint8Array | undefined)[]> {
    const view = this.#source.view();
    const given = readInput("the keys of getMany", () => {
      if (!Array.isArray(keys)) throw invalid(`getMany takes an array of keys, not ${describe(keys)}`);
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
   * The entries of a range in key order, as they are at this call, whatever is written while they are read.
   * Read it once, to its end, or leave the loop, or close it.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scan(range?: RangeOptions): Scan {
    return new Scan(this.scanOf(range));
  }

  /**
   * The entries of a range in key order, for a loop without `await`: `for (const { key, value } of
   * db.scanSync(range))`. It reads blocks that are not in memory synchronously, and the event loop stands still
   * while the loop runs.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scanSync(range?: RangeOptions): SyncScan {
    return new SyncScan(this.scanOf(range));
  }

  /**
   * The keys of a range in key order, as they are at this call. Values are not copied.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  keys(range?: RangeOptions): Rows<Uint8Array> {
    return new Rows(this.scanOf(range), KEYS);
  }

  /**
   * The values of a range, in the order of their keys, as they are at this call. Keys are not copied.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  values(range?: RangeOptions): Rows<Uint8Array> {
    return new Rows(this.scanOf(range), VALUES);
  }

  /**
   * The entries of a range in key order, each as the pair `[key, value]`, as a `Map` gives them.
   *
   * @param range default: all keys
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  entries(range?: RangeOptions): Rows<[key: Uint8Array, value: Uint8Array]> {
    return new Rows(this.scanOf(range), PAIRS);
  }

  /**
   * The entry with the smallest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async first(bounds?: KeyBounds): Promise<KeyValue | undefined> {
    return this.#end(bounds, false);
  }

  /**
   * The entry with the greatest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async last(bounds?: KeyBounds): Promise<KeyValue | undefined> {
    return this.#end(bounds, true);
  }

  /**
   * How many entries a range has. The count is exact: it reads the keys, so its time grows with the range.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async count(range?: RangeOptions): Promise<number> {
    const { shared, range: keyRange, turns } = this.scanOf(range);
    let count = 0;
    await readThrough(shared.reading(keyRange), turns, () => count++);
    return count;
  }

  /**
   * The next `size` entries of a range, and a `cursor` for the entries behind them. Each page shows the data at
   * the moment of its call. It begins behind the last key of the page before it, whatever was written since.
   * With `reverse` pages go from the last key to the first.
   *
   * A cursor is text, and stays valid after a restart. It belongs to its range: pass the same bounds and
   * direction each time. It contains the last key of its page, readable, and leads nowhere outside the range.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also for the cursor of another range; KAYA_CORRUPTION if a block
   *   that it needs is damaged, KAYA_IO, KAYA_CLOSED
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
