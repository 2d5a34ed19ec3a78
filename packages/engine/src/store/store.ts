import type { LogPosition } from "@kaya/core";
import type { Found, LsmSnapshot, LsmStats } from "@kaya/lsm";
import { type Now, SYSTEM_CLOCK } from "../clock.js";
import { Memtable, type MemtableOptions } from "../memtable/memtable.js";
import { type KeyState, stateIn, type Value, valueAt } from "./key-state.js";
import { StoreSnapshot } from "./store-snapshot.js";

/** The sorted tables below the memtables: those of an open tree, or the ones that a read-only engine looks at. */
export interface Tables {
  /** What of the log is in them. */
  readonly covered: LogPosition;
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined>;
  getSync(key: Uint8Array): Found | undefined;
  snapshot(): LsmSnapshot;
  stats(): LsmStats;
}

/**
 * All data: the active memtable, which takes writes; a sealed one, which is being flushed; and the tables. What a newer one of
 * them says of a key counts.
 */
export class Store {
  readonly #options: MemtableOptions | undefined;
  /** The time that single reads see. */
  readonly now: Now;
  #active: Memtable;
  #sealed: Memtable | undefined;
  #tables: Tables | undefined;

  constructor(options?: MemtableOptions, now: Now = SYSTEM_CLOCK.now) {
    this.#options = options;
    this.now = now;
    this.#active = new Memtable(options);
  }

  /** It takes the writes. */
  get active(): Memtable {
    return this.#active;
  }

  get sealed(): Memtable | undefined {
    return this.#sealed;
  }

  /** Set once recovery knows them; nobody reads before that. */
  get tables(): Tables {
    if (this.#tables === undefined) throw new TypeError("the store is read before its tables are known");
    return this.#tables;
  }

  attach(tables: Tables): void {
    this.#tables = tables;
  }

  /** The memtables, newest first. */
  get memtables(): readonly Memtable[] {
    return this.#sealed === undefined ? [this.#active] : [this.#active, this.#sealed];
  }

  /** A new memtable takes writes from now on. Only where none is sealed. */
  seal(): Memtable {
    if (this.#sealed !== undefined) throw new TypeError("a memtable is sealed already");
    this.#sealed = this.#active;
    this.#active = new Memtable(this.#options);
    return this.#sealed;
  }

  /** The sealed memtable is in the tables. Snapshots that hold it keep it. */
  forgetSealed(): void {
    this.#sealed = undefined;
  }

  /** A copy of the key's value. Never blocks: where a block of a table must be read it gives a promise. */
  find(key: Uint8Array, now = this.now): Value {
    const value = this.#inMemory(key, now);
    if (value !== undefined) return value ?? undefined;
    const found = this.tables.find(key);
    return found instanceof Promise ? found.then((each) => valueAt(each, now)) : valueAt(found, now);
  }

  /** A copy of the key's value; reads a block that is not cached with a synchronous read. */
  getSync(key: Uint8Array, now = this.now): Uint8Array | undefined {
    const value = this.#inMemory(key, now);
    return value !== undefined ? (value ?? undefined) : valueAt(this.tables.getSync(key), now);
  }

  /** What the memtables say of a key, whatever the time; undefined where they say nothing. */
  stateInMemory(key: Uint8Array): KeyState | undefined {
    return stateIn(this.#active, key) ?? (this.#sealed && stateIn(this.#sealed, key));
  }

  /** The data as it is now, to be read for as long as wanted. @param now the time that its readers see */
  snapshot(now: Now): StoreSnapshot {
    return new StoreSnapshot(
      this.memtables.map((memtable) => memtable.snapshot()),
      this.tables.snapshot(),
      now,
    );
  }

  #inMemory(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    const value = this.#active.get(key, now);
    return value === undefined && this.#sealed !== undefined ? this.#sealed.get(key, now) : value;
  }
}
