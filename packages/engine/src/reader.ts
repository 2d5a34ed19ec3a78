import { readInput } from "@kaya/core";
import { once } from "./clock.js";
import { countEntries } from "./count.js";
import { type Entry, entryOf, entryOfSync } from "./entry.js";
import { getInSlices } from "./get-many.js";
import { type Bytes, invalid, toBytes } from "./input.js";
import { type RangeOptions, toKeyRange } from "./range.js";
import type { ReadSource } from "./read-source.js";
import { Scan } from "./scan.js";

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
    const value = this.#source.view().find(toBytes(key, "key"));
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
    this.#source.view(); // a closed one says so before it looks at the range
    const keyRange = toKeyRange(range);
    return new Scan(this.#source.hold(), keyRange);
  }

  /** How many entries a range has. Exact: it reads their keys. Rejects as `get`. */
  async count(range?: RangeOptions): Promise<number> {
    this.#source.view();
    const keyRange = toKeyRange(range);
    const held = this.#source.hold();
    try {
      return await countEntries(held.moment().cursor(keyRange), keyRange, this.#source.turns, () => {
        held.moment();
      });
    } finally {
      held.release();
    }
  }
}
