import { KayaError, type SequenceNumber } from "@kaya/core";
import { copyBytes } from "../bytes.js";
import type { EntryCursor, EntryKind } from "../entry.js";
import type { DataBlock } from "./data-block.js";
import { DecodedEntries } from "./decoded-entries.js";
import { chain } from "./maybe-promise.js";
import type { Direction, ReadAhead } from "./read-ahead.js";
import type { TableIndex } from "./table-index.js";

/** Finds a place in a block: the number of the entry, -1 before the first, `count` behind the last. */
type Landing = (block: DataBlock) => number;

const atFirst: Landing = () => 0;
const atLast: Landing = (block) => block.count - 1;

/**
 * A place among the entries of one table. The entries between two restart points are decoded together: so backward is as fast as forward.
 */
export class TableCursor implements EntryCursor {
  readonly #path: string;
  readonly #index: TableIndex;
  readonly #source: ReadAhead;
  readonly #isSync: boolean;
  readonly #onClose: (cursor: TableCursor) => void;
  #block: DataBlock | undefined;
  #ordinal = -1;
  #at = -1;
  /** The decoded entries: from `#from` up to, but without, `#to`. */
  #from = 0;
  #to = 0;
  readonly #entries = DecodedEntries.take();
  #key: Uint8Array = new Uint8Array(0);
  /** The entry of `#key`. */
  #keyOf = -1;
  #isMoving = false;
  #isClosed = false;

  constructor(path: string, index: TableIndex, source: ReadAhead, onClose: (cursor: TableCursor) => void) {
    this.#path = path;
    this.#index = index;
    this.#source = source;
    this.#isSync = source.isSync;
    this.#onClose = onClose;
  }

  get key(): Uint8Array {
    const i = this.#standing() - this.#from;
    if (this.#keyOf === this.#at) return this.#key;
    const length = this.#entries.keyLengthAt(i);
    // A view costs more than copying a few bytes: if the length is the same, the last view gets this key's bytes.
    if (length === this.#key.length && length <= 64) this.#entries.copyKey(i, this.#key);
    else this.#key = this.#entries.keyAt(i);
    this.#keyOf = this.#at;
    return this.#key;
  }

  get kind(): EntryKind {
    return this.#entries.kindAt(this.#standing() - this.#from);
  }

  get sequence(): SequenceNumber {
    return this.#entries.sequenceAt(this.#standing() - this.#from);
  }

  get expiresAt(): number {
    return this.#entries.expiresAtAt(this.#standing() - this.#from);
  }

  get value(): Uint8Array {
    const i = this.#standing() - this.#from;
    return (this.#block as DataBlock).bytes.subarray(
      this.#entries.valueStartAt(i),
      this.#entries.valueEndAt(i),
    );
  }

  seekFirst(): boolean | Promise<boolean> {
    this.#begin();
    return this.#goTo(0, 1, atFirst);
  }

  seekLast(): boolean | Promise<boolean> {
    this.#begin();
    return this.#guarded(
      chain(this.#index.blockCount(this.#isSync), (count) => this.#enter(count - 1, -1, atLast)),
    );
  }

  seek(key: Uint8Array): boolean | Promise<boolean> {
    this.#begin();
    const sought = copyBytes(key);
    const entered = chain(this.#index.partFor(sought, this.#isSync), (part) => {
      if (part === undefined) return this.#leave();
      const at = part.block.search(sought);
      return this.#enter(part.first + at, 1, (block) => block.lowerBound(sought));
    });
    return this.#guarded(entered);
  }

  seekBefore(key: Uint8Array, inclusive: boolean): boolean | Promise<boolean> {
    this.#begin();
    const sought = copyBytes(key);
    const land: Landing = (block) => block.lastBefore(sought, inclusive);
    const entered = chain(this.#index.partFor(sought, this.#isSync), (part) => {
      const at = part?.block.search(sought) ?? 0;
      if (part !== undefined && at < part.block.count) return this.#enter(part.first + at, -1, land);
      return chain(this.#index.blockCount(this.#isSync), (count) => this.#enter(count - 1, -1, atLast));
    });
    return this.#guarded(entered);
  }

  next(): boolean | Promise<boolean> {
    const block = this.#block;
    if (block === undefined || this.#isMoving) this.#refuse();
    const at = this.#at + 1;
    if (at < this.#to) {
      this.#at = at;
      return true;
    }
    if (at < (block as DataBlock).count) return this.#stand(block as DataBlock, at);
    return this.#goTo(this.#ordinal + 1, 1, atFirst);
  }

  previous(): boolean | Promise<boolean> {
    const block = this.#block;
    if (block === undefined || this.#isMoving) this.#refuse();
    const at = this.#at - 1;
    if (at >= this.#from) {
      this.#at = at;
      return true;
    }
    if (at >= 0) return this.#stand(block as DataBlock, at);
    return this.#goTo(this.#ordinal - 1, -1, atLast);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
    this.#source.close();
    DecodedEntries.give(this.#entries);
    this.#onClose(this);
  }

  #begin(): void {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", `${this.#path}: the cursor is closed`);
    if (this.#isMoving) this.#refuse();
    this.#leave();
  }

  #goTo(ordinal: number, direction: Direction, land: Landing): boolean | Promise<boolean> {
    return this.#guarded(this.#enter(ordinal, direction, land));
  }

  /** Marks the time until a promise settles: another move would find the cursor between two places. */
  #guarded(moved: boolean | Promise<boolean>): boolean | Promise<boolean> {
    if (typeof moved === "boolean") return moved;
    this.#isMoving = true;
    return moved.then(
      (isThere) => {
        this.#isMoving = false;
        return isThere;
      },
      (error: unknown) => {
        this.#isMoving = false;
        this.#leave();
        throw error;
      },
    );
  }

  /** Into a data block; into the next one if the place is not in it. */
  #enter(ordinal: number, direction: Direction, land: Landing): boolean | Promise<boolean> {
    this.#block = undefined; // also if a later step fails
    return chain(this.#index.blockCount(this.#isSync), (count) => {
      if (ordinal < 0 || ordinal >= count) return this.#leave();
      return chain(this.#source.take(ordinal, direction), (block) => {
        if (this.#isClosed) {
          this.#source.release();
          throw new KayaError("KAYA_CLOSED", `${this.#path}: the cursor was closed while it moved`);
        }
        const at = land(block);
        if (at < 0) return this.#enter(ordinal - 1, direction, atLast);
        if (at >= block.count) return this.#enter(ordinal + 1, direction, atFirst);
        this.#ordinal = ordinal;
        return this.#stand(block, at);
      });
    });
  }

  #leave(): boolean {
    this.#block = undefined;
    this.#keyOf = -1;
    this.#source.release();
    return false;
  }

  /** Decodes the entries around `at`, up to the restart points before and behind it. */
  #stand(block: DataBlock, at: number): boolean {
    this.#block = undefined; // until all of it is checked
    const restart = Math.floor(at / block.interval);
    const from = restart * block.interval;
    const to = Math.min(block.count, from + block.interval);
    const position = this.#entries.decode(block, block.restartAt(restart), to - from);
    if (position !== block.restartAt(restart + 1))
      throw block.damage("entries that do not end where the next ones begin");
    this.#from = from;
    this.#to = to;
    this.#at = at;
    this.#keyOf = -1;
    this.#block = block;
    return true;
  }

  #standing(): number {
    if (this.#block === undefined || this.#isMoving) this.#refuse();
    return this.#at;
  }

  #refuse(): never {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", `${this.#path}: the cursor is closed`);
    const why = this.#isMoving ? "its last move is not awaited" : "it stands on no entry";
    throw new KayaError("KAYA_INVARIANT_VIOLATION", `${this.#path}: the cursor cannot do that: ${why}`);
  }
}
