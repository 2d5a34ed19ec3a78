import { invariant, type LogPosition, type SequenceNumber } from "@kaya/core";
import { copyBytes } from "../bytes.js";
import { bytesOf } from "../compaction/shape.js";
import { type EntryCursor, type Found, TOMBSTONE } from "../entry.js";
import type { ManifestState } from "../manifest/manifest-state.js";
import { TablesRun } from "../merge/level-cursor.js";
import { MergingCursor } from "../merge/merging-cursor.js";
import type { Run } from "../merge/run.js";
import type { CursorOptions } from "../table/read-ahead.js";
import { contains, type Extent, firstEndingAfter, overlapping } from "./extent.js";
import type { LiveTable } from "./live-table.js";

/** What a cursor over a tree reads beside its tables, and which entries have expired. */
export interface TreeCursorOptions extends CursorOptions {
  /** Runs that are newer than all tables, the newest first: the merge includes them. The cursor owns their cursors. */
  readonly newer?: readonly Run[];
  /** Milliseconds since 1970: entries that expire at or before this time are hidden, and hide what is older. Default: none has expired. */
  readonly now?: number | undefined;
}

/** A range of a hundred entries mostly goes on into a second block of the level that has most of them. */
const RANGE_BLOCKS = 2;

/**
 * An immutable set of tables: level 0, the newest first, whose tables may overlap, and deeper levels of disjoint tables. A higher level's
 * entry of a key is newer than a deeper one's. Its tables stay until it is released as often as it was retained; it begins with one
 * reference.
 */
export class Version {
  readonly levels: readonly (readonly LiveTable[])[];
  /** What the manifest says of it. */
  readonly state: ManifestState;
  /** The largest level below level 0. */
  readonly #largestLevel: number;
  #references = 1;

  constructor(levels: readonly (readonly LiveTable[])[], state: ManifestState) {
    this.levels = levels;
    this.state = state;
    const bytes = levels.map((tables, level) => (level === 0 ? 0 : bytesOf(tables)));
    this.#largestLevel = bytes.indexOf(Math.max(0, ...bytes));
    for (const tables of levels) for (const table of tables) table.retain();
  }

  /** The part of the log that is in the tables. */
  get covered(): LogPosition {
    return this.state.covered;
  }

  retain(): this {
    invariant(this.#references > 0, "M7", "a version was used after its last reader left");
    this.#references++;
    return this;
  }

  release(): void {
    this.#references--;
    if (this.#references > 0) return;
    for (const tables of this.levels) for (const table of tables) table.release();
  }

  /**
   * The newest entry of a key; undefined where it has none, or a tombstone. The caller checks whether it has expired. Reads blocks that are
   * not cached synchronously.
   */
  getSync(key: Uint8Array): Found | undefined {
    const lookup = new Lookup(this.levels, key);
    for (let table = lookup.next(); table !== undefined; table = lookup.next()) {
      const found = table.table.getSync(key);
      if (found !== undefined) return lookup.judge(found);
    }
    return undefined;
  }

  /**
   * The newest entry of a key; undefined where it has none, or a tombstone. A promise where a block is not cached: it never blocks the event loop, and
   * retains the version until it settles.
   */
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    return this.#findFrom(new Lookup(this.levels, key));
  }

  #findFrom(lookup: Lookup): Found | undefined | Promise<Found | undefined> {
    for (let table = lookup.next(); table !== undefined; table = lookup.next()) {
      const found = table.table.find(lookup.key);
      if (found instanceof Promise) return this.#findLater(found, lookup);
      if (found !== undefined) return lookup.judge(found);
    }
    return undefined;
  }

  async #findLater(pending: Promise<Found | undefined>, lookup: Lookup): Promise<Found | undefined> {
    this.retain();
    lookup.key = copyBytes(lookup.key); // the caller may change it from here on
    try {
      const found = await pending;
      return found === undefined ? await this.#findFrom(lookup) : lookup.judge(found);
    } finally {
      this.release();
    }
  }

  /** A cursor over all entries that have a value. The version must be retained until it is closed. */
  cursor({ newer = [], now, ...options }: TreeCursorOptions = {}): EntryCursor {
    const runs: Run[] = [...newer];
    const opened = (table: LiveTable, of: CursorOptions) => ({
      start: table.start,
      end: table.end,
      skyline: table.skyline,
      openCursor: () => table.openCursor(of),
    });
    for (const [level, tables] of this.levels.entries()) {
      if (level === 0) runs.push(...tables.map((table) => new TablesRun([opened(table, options)])));
      else if (tables.length > 0) {
        const of = level === this.#largestLevel ? { seekBlocks: RANGE_BLOCKS, ...options } : options;
        runs.push(new TablesRun(tables.map((table) => opened(table, of))));
      }
    }
    return new MergingCursor(runs, { now });
  }

  /** Stored bytes in an extent, from the indexes; deleted and overwritten data counts too. */
  async approximateSize(extent: Extent): Promise<number> {
    let bytes = 0;
    for (const [level, tables] of this.levels.entries()) {
      const candidates = level === 0 ? tables : overlapping(tables, extent);
      for (const { table } of candidates) bytes += await table.approximateSize(extent.start, extent.end);
    }
    return bytes;
  }
}

/** The tables that may have a visible entry of a key, the newest first. */
class Lookup {
  readonly #levels: readonly (readonly LiveTable[])[];
  key: Uint8Array;
  #level = 0;
  #index = 0;
  #coveredBy: SequenceNumber = 0;

  constructor(levels: readonly (readonly LiveTable[])[], key: Uint8Array) {
    this.#levels = levels;
    this.key = key;
  }

  next(): LiveTable | undefined {
    // A range tombstone that was met hides older entries.
    if (this.#coveredBy > 0) return undefined;
    const table = this.#find();
    if (table !== undefined && table.meta.rangeTombstones > 0)
      this.#coveredBy = table.table.coveringSequence(this.key);
    return table;
  }

  judge(found: Found): Found | undefined {
    return found.kind === TOMBSTONE || found.sequence < this.#coveredBy ? undefined : found;
  }

  #find(): LiveTable | undefined {
    for (; this.#level < this.#levels.length; this.#level++) {
      const tables = this.#levels[this.#level] as readonly LiveTable[]; // it is below the length
      const table = this.#level === 0 ? this.#nextOfLevel0(tables) : this.#of(tables);
      if (table === undefined) continue;
      if (this.#level > 0) this.#level++;
      return table;
    }
    return undefined;
  }

  #nextOfLevel0(tables: readonly LiveTable[]): LiveTable | undefined {
    while (this.#index < tables.length) {
      const table = tables[this.#index++] as LiveTable; // it is below the length
      if (contains(table, this.key)) return table;
    }
    return undefined;
  }

  #of(tables: readonly LiveTable[]): LiveTable | undefined {
    if (tables.length === 0) return undefined;
    const table = tables[firstEndingAfter(tables, this.key)];
    return table !== undefined && contains(table, this.key) ? table : undefined;
  }
}
