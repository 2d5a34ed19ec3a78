import { KayaError } from "@kaya/core";
import { type EntryCursor, EXPIRING, type Extent, type Found } from "@kaya/lsm";
import type { Now } from "../clock.js";
import { nameOfBytes } from "../memtable/bytes.js";
import type { KeyRange } from "../memtable/key-range.js";
import type { CursorOptions, HeldMoment, Moment, ReadSource } from "../read-source.js";
import { type KeyState, type Value, valueAt } from "../store/key-state.js";
import type { Turns } from "../turns.js";
import type { Basis } from "./basis.js";
import type { OwnWrites } from "./own-writes.js";
import { TrackedCursor } from "./tracked-cursor.js";

/** A range of which something was read. */
export interface ReadRange {
  /** As it was asked for. */
  readonly whole: Extent;
  readonly read: Extent;
}

/** What was there when it was read, and is no more from a moment on. */
export interface FirstToExpire {
  readonly key: Uint8Array;
  readonly expiresAt: number;
}

/** Of what the transaction wrote itself: it has no sequence yet, and no write has this one. */
const OWN_SEQUENCE = 0;

/** What a transaction reads: its own writes, above the data at one moment. It remembers which keys and ranges of that were read. */
export class TransactionSource implements ReadSource, Moment {
  readonly turns: Turns;
  readonly basis: Basis;
  readonly #own: OwnWrites;
  readonly #assertEngineOpen: () => void;
  readonly #keys = new Map<string, Uint8Array>();
  readonly #cursors: TrackedCursor[] = [];
  #firstToExpire: FirstToExpire | undefined;
  #isOver = false;

  constructor(basis: Basis, own: OwnWrites, turns: Turns, assertEngineOpen: () => void) {
    this.basis = basis;
    this.#own = own;
    this.turns = turns;
    this.#assertEngineOpen = assertEngineOpen;
  }

  /** The keys that were read, but for those that the transaction had written before. */
  get keys(): Iterable<Uint8Array> {
    return this.#keys.values();
  }

  get ranges(): ReadRange[] {
    return this.#cursors.flatMap(({ whole, read }) =>
      whole === undefined || read === undefined ? [] : [{ whole, read }],
    );
  }

  view(): Moment {
    this.#assertEngineOpen();
    if (this.#isOver)
      throw new KayaError(
        "KAYA_CLOSED",
        "the transaction is over: use it only inside its function, and await every read there",
      );
    return this;
  }

  hold(): HeldMoment {
    this.view();
    return { moment: () => this.view(), release: () => undefined, readsNoFurther: true };
  }

  /** Nothing is read any more, nor written. */
  end(): void {
    this.#isOver = true;
  }

  /** Ends it, and lets go of the moment. */
  release(): void {
    this.end();
    this.basis.release();
  }

  /** The one time of all that it reads. */
  get now(): Now {
    return this.basis.now;
  }

  get tables() {
    const { tables } = this.basis;
    return {
      find: (key: Uint8Array) => {
        const found = tables.find(key);
        return found instanceof Promise
          ? found.then((each) => this.#noteFound(key, each))
          : this.#noteFound(key, found);
      },
      getSync: (key: Uint8Array) => this.#noteFound(key, tables.getSync(key)),
    };
  }

  find(key: Uint8Array, now = this.now): Value {
    const own = this.#own.get(key, now);
    if (own !== undefined) return own ?? undefined;
    if (this.#noteState(key) !== undefined) return this.basis.getSync(key, now); // a memtable has it
    const found = this.tables.find(key);
    return found instanceof Promise ? found.then((each) => valueAt(each, now)) : valueAt(found, now);
  }

  getSync(key: Uint8Array, now = this.now): Uint8Array | undefined {
    const own = this.#own.get(key, now);
    if (own !== undefined) return own ?? undefined;
    if (this.#noteState(key) !== undefined) return this.basis.getSync(key, now);
    return valueAt(this.tables.getSync(key), now);
  }

  stateInMemory(key: Uint8Array): KeyState | undefined {
    const state = this.#own.stateOf(key);
    if (state === undefined) return this.#noteState(key);
    return { ...state, sequence: state.sequence && OWN_SEQUENCE };
  }

  cursor(range: KeyRange, options?: CursorOptions): EntryCursor {
    const own = this.#own.memtable(this.basis.sequence)?.snapshot();
    const above = own === undefined ? [] : [own.run()];
    const reading = this.basis.cursor(range, { ...options, above });
    if (own !== undefined) {
      const close = reading.close.bind(reading);
      reading.close = () => {
        close();
        own.release(); // doing it again is fine
      };
    }
    const { sequence } = this.basis;
    const cursor = new TrackedCursor(reading, range, (at) => {
      if (at.sequence <= sequence) this.#noteExpiry(at.key, at.expiresAt); // else it is its own
    });
    this.#cursors.push(cursor);
    return cursor;
  }

  /** The first of what was read that expires; undefined where nothing does. */
  get firstToExpire(): FirstToExpire | undefined {
    return this.#firstToExpire;
  }

  /** The key is read. @returns what the memtables of the basis say of it */
  #noteState(key: Uint8Array): KeyState | undefined {
    const name = nameOfBytes(key);
    if (!this.#keys.has(name)) this.#keys.set(name, new Uint8Array(key));
    const state = this.basis.stateInMemory(key);
    if (state?.expiresAt !== undefined) this.#noteExpiry(key, state.expiresAt);
    return state;
  }

  #noteFound(key: Uint8Array, found: Found | undefined): Found | undefined {
    if (found?.kind === EXPIRING) this.#noteExpiry(key, found.expiresAt);
    return found;
  }

  #noteExpiry(key: Uint8Array, expiresAt: number): void {
    const isGone = expiresAt <= this.now();
    if (isGone || expiresAt >= (this.#firstToExpire?.expiresAt ?? Number.POSITIVE_INFINITY)) return;
    this.#firstToExpire = { key: new Uint8Array(key), expiresAt };
  }
}
