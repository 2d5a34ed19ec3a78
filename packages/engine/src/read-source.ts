import type { EntryCursor } from "@kaya/lsm";
import type { Now } from "./clock.js";
import type { EntryView } from "./entry.js";
import type { KeyRange } from "./memtable/key-range.js";
import type { Value } from "./store/key-state.js";
import type { Turns } from "./turns.js";

/** What a read that ends in its own turn of the event loop looks at. */
export interface ReadView extends EntryView {
  /**
   * A copy of the key's value. Never blocks: it gives a promise where a block of a table must be read.
   * @param now the time that the read sees, asked only where the value expires. Default: the view's
   */
  find(key: Uint8Array, now?: Now): Value;
  /** The same with a synchronous read. */
  getSync(key: Uint8Array, now?: Now): Uint8Array | undefined;
}

export interface CursorOptions {
  /** Read what is not in memory synchronously: no move of the cursor gives a promise. Default false. */
  readonly sync?: boolean;
}

/** The data at one moment, whatever is written afterwards. */
export interface Moment extends ReadView {
  /**
   * A cursor over the entries that have a value. Its owner closes it.
   * @param range what is going to be read with it, at most
   */
  cursor(range: KeyRange, options?: CursorOptions): EntryCursor;
}

/** A moment that is held for one reading. */
export interface HeldMoment {
  /** Asked again after each turn of the event loop. @throws KayaError KAYA_CLOSED */
  moment(): Moment;
  /** The reading is over. */
  release(): void;
  /** It counts how far a reading goes: nothing is read that the caller has not asked for. Default false. */
  readonly readsNoFurther?: boolean;
}

/** What a `Reader` reads from. */
export interface ReadSource {
  readonly turns: Turns;
  /** For reads that begin in this turn. @throws KayaError KAYA_CLOSED */
  view(): ReadView;
  /** For a reading of several turns. @throws KayaError KAYA_CLOSED */
  hold(): HeldMoment;
}
