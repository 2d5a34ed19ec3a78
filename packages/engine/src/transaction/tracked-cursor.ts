import { type EntryCursor, EXPIRING, type Extent, MergingCursor } from "@kaya/lsm";
import type { KeyRange } from "../memtable/key-range.js";
import { behind, earlier, extentOf, later } from "../range.js";

type Moved = boolean | Promise<boolean>;

const CLOSED: EntryCursor = new MergingCursor([]);
CLOSED.close();

/**
 * A cursor over a range that knows how much of the range was read with it: from the side where it began up to where it stands. Each move looks
 * at all keys up to the one that it finds. Once it is closed it holds what was read of the range, and nothing that it read it with.
 */
export class TrackedCursor implements EntryCursor {
  /** The whole range; undefined where no key can be in it. */
  readonly whole: Extent | undefined;
  #cursor: EntryCursor;
  readonly #isReverse: boolean;
  readonly #onExpiring: (cursor: EntryCursor) => void;
  #state: "unread" | "standing" | "whole" = "unread";
  #isMoving = false;
  /** Where it stood when it was closed. */
  #last: Uint8Array | undefined;

  /**
   * @param range what is read, in which direction
   * @param onExpiring told of each entry with a value that expires
   */
  constructor(cursor: EntryCursor, range: KeyRange, onExpiring: (cursor: EntryCursor) => void) {
    this.#onExpiring = onExpiring;
    this.#cursor = cursor;
    this.#isReverse = range.reverse ?? false;
    this.whole = extentOf(range);
  }

  get key() {
    return this.#cursor.key;
  }

  get kind() {
    return this.#cursor.kind;
  }

  get sequence() {
    return this.#cursor.sequence;
  }

  get value() {
    return this.#cursor.value;
  }

  get expiresAt() {
    return this.#cursor.expiresAt;
  }

  /** What was read of the range so far; undefined: nothing. */
  get read(): Extent | undefined {
    const { whole } = this;
    if (this.#state === "unread" || whole === undefined) return undefined;
    if (this.#state === "whole") return whole;
    const key = this.#last ?? new Uint8Array(this.#cursor.key);
    if (this.#isReverse) return { start: later(key, whole.start), end: whole.end };
    return { start: whole.start, end: earlier(behind(key), whole.end) };
  }

  seekFirst(): Moved {
    return this.#begin(() => this.#cursor.seekFirst());
  }

  seekLast(): Moved {
    return this.#begin(() => this.#cursor.seekLast());
  }

  seek(key: Uint8Array): Moved {
    return this.#begin(() => this.#cursor.seek(key));
  }

  seekBefore(key: Uint8Array, inclusive: boolean): Moved {
    return this.#begin(() => this.#cursor.seekBefore(key, inclusive));
  }

  next(): Moved {
    return this.#go(() => this.#cursor.next(), this.#isReverse);
  }

  previous(): Moved {
    return this.#go(() => this.#cursor.previous(), !this.#isReverse);
  }

  close(): void {
    if (this.#state === "standing") this.#last ??= new Uint8Array(this.#cursor.key);
    this.#cursor.close();
    // A transaction remembers what it read to its end, and not what it read with.
    if (!this.#isMoving) this.#cursor = CLOSED;
  }

  /** A second reading may begin anywhere: then all of the range counts. */
  #begin(seek: () => Moved): Moved {
    return this.#go(seek, this.#state !== "unread");
  }

  #go(move: () => Moved, isAstray: boolean): Moved {
    const isWhole = isAstray || this.#state === "whole";
    this.#state = "whole"; // while it moves, and where that fails
    const moved = move();
    if (typeof moved === "boolean") return this.#arrived(moved, isWhole);
    this.#isMoving = true;
    return moved.then((isThere) => {
      this.#isMoving = false;
      return this.#arrived(isThere, isWhole);
    });
  }

  #arrived(isThere: boolean, isWhole: boolean): boolean {
    if (isThere && !isWhole) this.#state = "standing";
    if (isThere && this.#cursor.kind === EXPIRING) this.#onExpiring(this.#cursor);
    return isThere;
  }
}
