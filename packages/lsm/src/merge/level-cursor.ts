import type { SequenceNumber } from "@kaya/core";
import { KayaError } from "@kaya/core";
import type { EntryCursor, EntryKind, RangeTombstone } from "../entry.js";
import { contains, type Extent, firstEndingAfter } from "../version/extent.js";
import { after, type Moved } from "./moves.js";
import type { Run } from "./run.js";
import type { Skyline } from "./skyline.js";

/** A table as a part of a run. */
export interface RunTable extends Extent {
  readonly skyline: Skyline;
  openCursor(): EntryCursor;
}

/** Disjoint tables in key order as one run. A table is opened when the cursor reaches it, and released when it leaves. */
export class LevelCursor implements EntryCursor {
  readonly #tables: readonly RunTable[];
  #index = -1;
  #inner: EntryCursor | undefined;
  #isClosed = false;

  constructor(tables: readonly RunTable[]) {
    this.#tables = tables;
  }

  get key(): Uint8Array {
    return this.#at.key;
  }

  get kind(): EntryKind {
    return this.#at.kind;
  }

  get sequence(): SequenceNumber {
    return this.#at.sequence;
  }

  get expiresAt(): number {
    return this.#at.expiresAt;
  }

  get value(): Uint8Array {
    return this.#at.value;
  }

  seekFirst(): Moved {
    return this.#forwardFrom(0);
  }

  seekLast(): Moved {
    return this.#backwardFrom(this.#tables.length - 1);
  }

  seek(key: Uint8Array): Moved {
    const index = firstEndingAfter(this.#tables, key);
    const cursor = this.#enter(index);
    if (cursor === undefined) return false;
    return after(cursor.seek(key), (found) => found || this.#forwardFrom(index + 1));
  }

  seekBefore(key: Uint8Array, inclusive: boolean): Moved {
    const index = Math.min(firstEndingAfter(this.#tables, key), this.#tables.length - 1);
    const cursor = this.#enter(index);
    if (cursor === undefined) return false;
    return after(cursor.seekBefore(key, inclusive), (found) => found || this.#backwardFrom(index - 1));
  }

  next(): Moved {
    const moved = this.#at.next();
    return moved === true ? true : after(moved, (found) => found || this.#forwardFrom(this.#index + 1));
  }

  previous(): Moved {
    const moved = this.#at.previous();
    return moved === true ? true : after(moved, (found) => found || this.#backwardFrom(this.#index - 1));
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  get #at(): EntryCursor {
    if (this.#inner !== undefined) return this.#inner;
    throw new KayaError("KAYA_INVARIANT_VIOLATION", "the cursor stands on no entry: move it first.");
  }

  /** A table may have range tombstones only. */
  #forwardFrom(index: number): Moved {
    const cursor = this.#enter(index);
    if (cursor === undefined) return false;
    return after(cursor.seekFirst(), (found) => found || this.#forwardFrom(index + 1));
  }

  #backwardFrom(index: number): Moved {
    const cursor = this.#enter(index);
    if (cursor === undefined) return false;
    return after(cursor.seekLast(), (found) => found || this.#backwardFrom(index - 1));
  }

  #enter(index: number): EntryCursor | undefined {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", "the cursor is closed");
    if (index === this.#index && this.#inner !== undefined) return this.#inner;
    this.#leave();
    this.#index = index;
    this.#inner = this.#tables[index]?.openCursor();
    return this.#inner;
  }

  #leave(): void {
    this.#inner?.close();
    this.#inner = undefined;
  }
}

/** Disjoint tables in key order, or one table, as a run. */
export class TablesRun implements Run {
  readonly cursor: EntryCursor;
  readonly hasRangeTombstones: boolean;
  readonly #tables: readonly RunTable[];
  #last: RunTable | undefined;

  constructor(tables: readonly RunTable[]) {
    const [only] = tables;
    this.#tables = tables;
    this.cursor = tables.length === 1 && only !== undefined ? only.openCursor() : new LevelCursor(tables);
    this.hasRangeTombstones = tables.some(({ skyline }) => !skyline.isEmpty);
  }

  covering(key: Uint8Array): RangeTombstone | undefined {
    // Keys come in order: mostly it is the same table again.
    if (this.#last === undefined || !contains(this.#last, key))
      this.#last = this.#tables[firstEndingAfter(this.#tables, key)];
    return this.#last?.skyline.covering(key);
  }
}
