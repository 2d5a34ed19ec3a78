import type { EntryCursor, LsmSnapshot, Run } from "@kaya/lsm";
import type { Now } from "../clock.js";
import type { KeyRange } from "../memtable/key-range.js";
import type { MemtableSnapshot } from "../memtable/memtable-snapshot.js";
import type { CursorOptions, Moment } from "../read-source.js";
import { type KeyState, stateIn, type Value, valueAt } from "./key-state.js";

/** What a snapshot holds. */
interface Held {
  readonly memtables: readonly MemtableSnapshot[];
  readonly tables: LsmSnapshot;
}

/** Lets go of what snapshots hold that were dropped without being released. */
const dropped = new FinalizationRegistry<Held>(letGo);

/**
 * The data at one moment, whatever is written, flushed or compacted afterwards. It holds the memtables of that moment in memory, and
 * its tables on the disk.
 */
export class StoreSnapshot implements Moment {
  readonly #held: Held;
  /** The time that its readers see. */
  readonly now: Now;
  #isReleased = false;

  /** @param memtables newest first. The snapshot owns all of them, and `tables`. */
  constructor(memtables: readonly MemtableSnapshot[], tables: LsmSnapshot, now: Now) {
    this.#held = { memtables, tables };
    this.now = now;
    dropped.register(this, this.#held, this);
  }

  get tables(): LsmSnapshot {
    return this.#held.tables;
  }

  get memtables(): readonly MemtableSnapshot[] {
    return this.#held.memtables;
  }

  /** As `Store.find`. */
  find(key: Uint8Array, now = this.now): Value {
    const value = this.#inMemory(key, now);
    if (value !== undefined) return value ?? undefined;
    const found = this.#held.tables.find(key);
    return found instanceof Promise ? found.then((each) => valueAt(each, now)) : valueAt(found, now);
  }

  /** As `Store.getSync`. */
  getSync(key: Uint8Array, now = this.now): Uint8Array | undefined {
    const value = this.#inMemory(key, now);
    return value !== undefined ? (value ?? undefined) : valueAt(this.#held.tables.getSync(key), now);
  }

  /** As `Store.stateInMemory`. */
  stateInMemory(key: Uint8Array): KeyState | undefined {
    for (const memtable of this.#held.memtables) {
      const state = stateIn(memtable, key);
      if (state !== undefined) return state;
    }
    return undefined;
  }

  /**
   * A cursor over the entries that have a value. Close it: until then it holds what the snapshot holds, for itself.
   * @param options.above runs that are newer than the snapshot
   */
  cursor(
    _range: KeyRange,
    { sync = false, above = [] }: CursorOptions & { readonly above?: readonly Run[] } = {},
  ): EntryCursor {
    const memtables = this.#held.memtables
      .filter(({ isEmpty }) => !isEmpty)
      .map((memtable) => memtable.another());
    const cursor = this.#held.tables.cursor({
      sync,
      newer: [...above, ...memtables.map((memtable) => memtable.run())],
      now: this.now(),
    });
    const close = cursor.close.bind(cursor);
    cursor.close = () => {
      close();
      for (const memtable of memtables) memtable.release(); // doing it again is fine
    };
    return cursor;
  }

  /** Another holder of the same moment, to be released for itself. @param now the time that its readers see. Default: the same */
  another(now = this.now): StoreSnapshot {
    return new StoreSnapshot(
      this.#held.memtables.map((memtable) => memtable.another()),
      this.#held.tables.another(),
      now,
    );
  }

  /** Doing it again is fine; nothing else may be asked afterwards. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    dropped.unregister(this);
    letGo(this.#held);
  }

  #inMemory(key: Uint8Array, now: Now): Uint8Array | null | undefined {
    for (const memtable of this.#held.memtables) {
      const value = memtable.get(key, now);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

function letGo({ memtables, tables }: Held): void {
  for (const memtable of memtables) memtable.release();
  tables.release();
}
