import type { Lsn } from "@kaya/core";
import type { Found } from "@kaya/lsm";
import { entryInMemory, entryInTable } from "../entry.js";
import { nameOfBytes } from "../memtable/bytes.js";
import { type HeadEngine, type HeadEntry, pendingEntry } from "../modify.js";

/** Entries must be read from the disk first. Begin again once `read` has resolved. */
export class MissingEntries extends Error {
  /** Rejects as the tables. */
  readonly read: Promise<unknown>;

  constructor(read: Promise<unknown>) {
    super("entries must be read from the disk");
    this.read = read;
  }
}

/** What tables have of a key. */
interface Kept {
  readonly found: Found | undefined;
  /** The last attempt that had begun when it was read: it is kept until all up to that one are over. */
  readonly through: number;
}

/** Before all moments at which something expires. */
const BEFORE_ALL = () => 0;

/**
 * Entries at the head of the log's queue, where one says which to read next: the value of a row gives the keys of its entries. What was read
 * from tables stays known until they cover more of the log, the key is written, or the attempts that were under way by then are over.
 */
export class GrowingHead {
  readonly #engine: Pick<HeadEngine, "applied" | "wal">;
  /** In the order of `through`. */
  readonly #inTables = new Map<string, Kept>();
  readonly #reading = new Map<string, Promise<void>>();
  #covered: Lsn = -1;
  /** Attempts that began, and the numbers of those that are under way, in their order. */
  #begun = 0;
  readonly #underWay = new Set<number>();

  constructor(engine: Pick<HeadEngine, "applied" | "wal">) {
    this.#engine = engine;
  }

  /** Tries until nothing has to be read from the disk first. */
  async retry<T>(attempt: () => T | Promise<T>): Promise<T> {
    const own = ++this.#begun;
    this.#underWay.add(own);
    try {
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          if (!(error instanceof MissingEntries)) throw error;
          await error.read;
        }
      }
    } finally {
      this.#underWay.delete(own);
      this.#letGo();
    }
  }

  /** Keys that have been written are found in the log's queue and in memory from now on. */
  forget(keys: Iterable<Uint8Array>): void {
    if (this.#inTables.size > 0) for (const key of keys) this.#inTables.delete(nameOfBytes(key));
  }

  /**
   * As the next record of the log finds them, those that have expired included.
   * @param isSync reads blocks of tables with synchronous reads; else it throws `MissingEntries` where one must be read
   * @throws KayaError as the tables
   */
  entries(keys: readonly Uint8Array[], isSync = false): readonly HeadEntry[] {
    this.#refresh();
    const reading: Promise<void>[] = [];
    const entries: HeadEntry[] = [];
    for (const key of keys) {
      const found = this.#find(key, isSync);
      if (found instanceof Promise) reading.push(found);
      else entries.push(found);
    }
    if (reading.length > 0) throw new MissingEntries(Promise.all(reading));
    return entries;
  }

  /** Begins to read what an attempt to come will ask for. */
  prefetch(keys: readonly Uint8Array[]): void {
    this.#refresh();
    for (const key of keys) {
      const found = this.#find(key, false);
      if (found instanceof Promise) found.catch(() => undefined); // the attempt that asks for it is told
    }
  }

  /** An attempt that began later reads again what it needs. */
  #letGo(): void {
    const [oldest = Number.POSITIVE_INFINITY] = this.#underWay;
    for (const [name, { through }] of this.#inTables) {
      if (through >= oldest) return;
      this.#inTables.delete(name);
    }
  }

  #refresh(): void {
    const covered = this.#engine.applied.store.tables.covered.lsn;
    if (covered === this.#covered) return;
    this.#covered = covered;
    this.#inTables.clear();
    this.#reading.clear();
  }

  #find(key: Uint8Array, isSync: boolean): HeadEntry | Promise<void> {
    const { wal, applied } = this.#engine;
    const pending = pendingEntry(key, wal, BEFORE_ALL);
    if (pending !== undefined) return pending;
    const inMemory = entryInMemory(applied.store, key, BEFORE_ALL);
    if (inMemory !== undefined) return { ...inMemory, ahead: undefined };
    const name = nameOfBytes(key);
    if (isSync) return inTable(key, applied.store.tables.getSync(key));
    const kept = this.#inTables.get(name);
    if (kept !== undefined) return inTable(key, kept.found);
    const begun = this.#reading.get(name);
    if (begun !== undefined) return begun;
    const found = applied.store.tables.find(key);
    if (!(found instanceof Promise)) return inTable(key, found);
    const read = this.#read(name, found).finally(() => {
      if (this.#reading.get(name) === read) this.#reading.delete(name);
    });
    this.#reading.set(name, read);
    return read;
  }

  async #read(name: string, reading: Promise<Found | undefined>): Promise<void> {
    const covered = this.#covered;
    const found = await reading;
    // Where the tables cover more by then, it is read again.
    if (covered === this.#covered && this.#underWay.size > 0)
      this.#inTables.set(name, { found, through: this.#begun });
  }
}

function inTable(key: Uint8Array, found: Found | undefined): HeadEntry {
  return { ...entryInTable({ now: BEFORE_ALL }, key, found), ahead: undefined };
}
