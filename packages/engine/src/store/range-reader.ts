import { invariant } from "@kaya/core";
import type { EntryCursor } from "@kaya/lsm";
import { compareBytes } from "../memtable/bytes.js";
import { type Bound, type KeyRange, lowerBoundOf, upperBoundOf } from "../memtable/key-range.js";

/** What is read of the entry on which a cursor stands. Its bytes are lent: copy them. */
export type Visit = (cursor: EntryCursor) => void;

/**
 * Walks the entries of a range with a cursor, in the range's order, up to its limit. One call of `read` at a time: await its promise
 * before the next.
 */
export class RangeReader {
  readonly #cursor: EntryCursor;
  readonly #isReverse: boolean;
  readonly #from: Bound | undefined;
  readonly #to: Bound | undefined;
  #left: number;
  #hasBegun = false;
  #isAtEnd = false;

  /** @param cursor the reader owns it */
  constructor(cursor: EntryCursor, range: KeyRange) {
    this.#cursor = cursor;
    this.#isReverse = range.reverse ?? false;
    const [lower, upper] = [lowerBoundOf(range), upperBoundOf(range)];
    this.#from = this.#isReverse ? upper : lower;
    this.#to = this.#isReverse ? lower : upper;
    this.#left = Math.max(range.limit ?? Number.POSITIVE_INFINITY, 0);
  }

  /** Nothing is left for sure. */
  get isAtEnd(): boolean {
    return this.#isAtEnd || this.#left === 0;
  }

  /**
   * Visits the next entries until `isEnough`, which is asked before each one.
   * @returns a promise only where a block of a table must be read
   * @throws KayaError as the tables
   */
  read(visit: Visit, isEnough: () => boolean): void | Promise<void> {
    while (!this.isAtEnd && !isEnough()) {
      const moved = this.#move();
      if (typeof moved !== "boolean") return this.#readOn(moved, visit, isEnough);
      if (!this.#accept(moved, visit)) return;
    }
  }

  /**
   * The cursor, on the next entry; undefined where there is none. For a cursor that reads synchronously.
   * @throws KayaError as the tables
   */
  nextSync(): EntryCursor | undefined {
    if (this.isAtEnd) return undefined;
    const moved = this.#move();
    invariant(typeof moved === "boolean", "T10", "a cursor that reads synchronously gives no promise");
    return this.#isNext(moved) ? this.#cursor : undefined;
  }

  close(): void {
    this.#isAtEnd = true;
    this.#cursor.close();
  }

  async #readOn(first: Promise<boolean>, visit: Visit, isEnough: () => boolean): Promise<void> {
    if (!this.#accept(await first, visit)) return;
    while (!this.isAtEnd && !isEnough()) {
      const moved = this.#move();
      if (!this.#accept(typeof moved === "boolean" ? moved : await moved, visit)) return;
    }
  }

  #accept(isThere: boolean, visit: Visit): boolean {
    if (!this.#isNext(isThere)) return false;
    visit(this.#cursor);
    return true;
  }

  #isNext(isThere: boolean): boolean {
    if (!isThere || !this.#isBeforeEnd()) {
      this.#isAtEnd = true;
      return false;
    }
    this.#left--;
    return true;
  }

  #move(): boolean | Promise<boolean> {
    if (this.#hasBegun) return this.#isReverse ? this.#cursor.previous() : this.#cursor.next();
    this.#hasBegun = true;
    const from = this.#from;
    if (this.#isReverse) {
      return from === undefined ? this.#cursor.seekLast() : this.#cursor.seekBefore(from.key, from.inclusive);
    }
    if (from === undefined) return this.#cursor.seekFirst();
    const found = this.#cursor.seek(from.key);
    if (from.inclusive) return found;
    return typeof found === "boolean"
      ? this.#pass(found, from.key)
      : found.then((isThere) => this.#pass(isThere, from.key));
  }

  /** A lower bound that is not in the range itself. */
  #pass(isThere: boolean, key: Uint8Array): boolean | Promise<boolean> {
    return isThere && compareBytes(this.#cursor.key, key) === 0 ? this.#cursor.next() : isThere;
  }

  #isBeforeEnd(): boolean {
    const to = this.#to;
    if (to === undefined) return true;
    const order = compareBytes(this.#cursor.key, to.key);
    return order === 0 ? to.inclusive : this.#isReverse ? order > 0 : order < 0;
  }
}
