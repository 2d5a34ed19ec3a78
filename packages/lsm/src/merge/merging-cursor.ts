import { KayaError, type SequenceNumber } from "@kaya/core";
import { compareBytes } from "../bytes.js";
import { type EntryCursor, type EntryKind, EXPIRING, PUT, type RangeTombstone } from "../entry.js";
import { after, all, type Moved } from "./moves.js";
import type { Run } from "./run.js";

/** What a merge shows of tombstones and expired entries. */
export interface MergeOptions {
  /** Point tombstones are given too, for a merge that has older entries below it. Default false. */
  readonly showTombstones?: boolean;
  /**
   * Milliseconds since 1970: an entry that expires at or before this time is a tombstone to the cursor. It is hidden, and hides what is
   * older. With `showTombstones` it is given as it is. Default: no entry has expired.
   */
  readonly now?: number | undefined;
}

/** A run that stands on an entry. */
interface Place {
  readonly run: Run;
  /** 0 for the newest. */
  readonly age: number;
  key: Uint8Array;
}

const NO_KEY = new Uint8Array(0);

/**
 * Several runs as one: each key once, with its newest entry. Hidden are entries that a range tombstone covers and, unless they are
 * asked for, tombstones and entries that have expired.
 *
 * A binary heap by key. Its second best place is remembered: where one run has the next keys, which is the usual case, a move
 * costs one comparison of keys.
 */
export class MergingCursor implements EntryCursor {
  readonly #places: readonly Place[];
  readonly #covering: readonly Place[];
  readonly #showsTombstones: boolean;
  readonly #now: number;
  /** Heap of the runs that are on an entry. If `#isPlaced`, its first place is the cursor's. */
  #heap: Place[] = [];
  /** The better child of the first place; 0 where that is not known. */
  #second = 0;
  #isPlaced = false;
  #isBackward = false;
  #isClosed = false;

  /** @param runs the newest first. The cursor owns their cursors. */
  constructor(runs: readonly Run[], { showTombstones = false, now = 0 }: MergeOptions = {}) {
    this.#places = runs.map((run, age) => ({ run, age, key: NO_KEY }));
    this.#covering = this.#places.filter(({ run }) => run.hasRangeTombstones);
    this.#showsTombstones = showTombstones;
    this.#now = now;
  }

  /** The key of the entry; valid until the next move. */
  get key(): Uint8Array {
    return this.#at.key;
  }

  /** What the entry does to its key. */
  get kind(): EntryKind {
    return this.#at.run.cursor.kind;
  }

  /** The sequence of the write that made the entry. */
  get sequence(): SequenceNumber {
    return this.#at.run.cursor.sequence;
  }

  /** When an `EXPIRING` entry expires: milliseconds since 1970. For another entry any number. */
  get expiresAt(): number {
    return this.#at.run.cursor.expiresAt;
  }

  /** The value of the entry; valid until the next move. */
  get value(): Uint8Array {
    return this.#at.run.cursor.value;
  }

  /** Moves to the first entry; false if there is none. */
  seekFirst(): Moved {
    return this.#seekAll(false, (cursor) => cursor.seekFirst());
  }

  /** Moves to the last entry; false if there is none. */
  seekLast(): Moved {
    return this.#seekAll(true, (cursor) => cursor.seekLast());
  }

  /** Moves to the first entry whose key is `key` or greater; false if there is none. */
  seek(key: Uint8Array): Moved {
    return this.#seekAll(false, (cursor) => cursor.seek(key));
  }

  /**
   * Moves to the last entry whose key is less than `key`, or with `inclusive` equal to it; false if there is
   * none.
   */
  seekBefore(key: Uint8Array, inclusive: boolean): Moved {
    return this.#seekAll(true, (cursor) => cursor.seekBefore(key, inclusive));
  }

  /**
   * Moves to the next entry; false if there is none: then the cursor stands on no entry until the next seek.
   */
  next(): Moved {
    return this.#step(false);
  }

  /**
   * Moves to the previous entry; false if there is none: then the cursor stands on no entry until the next
   * seek.
   */
  previous(): Moved {
    return this.#step(true);
  }

  /** Closes the cursors of its runs. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#leave();
    this.#isClosed = true;
    for (const { run } of this.#places) run.cursor.close();
  }

  get #at(): Place {
    const place = this.#isPlaced ? this.#heap[0] : undefined;
    if (place !== undefined) return place;
    throw new KayaError("KAYA_INVARIANT_VIOLATION", "the cursor stands on no entry: move it first.");
  }

  #step(backward: boolean): Moved {
    if (!this.#isPlaced) return this.#checkOpen();
    const place = this.#heap[0] as Place; // it is placed
    if (backward !== this.#isBackward) {
      const key = new Uint8Array(place.key);
      // Every run: the others are on the other side, or on no entry.
      return this.#seekAll(backward, (cursor) =>
        backward ? cursor.seekBefore(key, false) : this.#seekBehind(cursor, key),
      );
    }
    this.#isPlaced = false; // until its place is known
    return this.#guarded(() => after(this.#stepOf(place), (moved) => this.#moved(0, moved)));
  }

  #seekBehind(cursor: EntryCursor, key: Uint8Array): Moved {
    return after(cursor.seek(key), (found) =>
      found && compareBytes(cursor.key, key) === 0 ? cursor.next() : found,
    );
  }

  #seekAll(backward: boolean, seek: (cursor: EntryCursor) => Moved): Moved {
    this.#checkOpen();
    this.#leave();
    this.#isBackward = backward;
    return this.#guarded(() => {
      const moves = all(this.#places.map(({ run }) => seek(run.cursor)));
      return Array.isArray(moves) ? this.#placeAll(moves) : moves.then((found) => this.#placeAll(found));
    });
  }

  #placeAll(found: readonly boolean[]): Moved {
    this.#heap = this.#places.filter((place, index) => {
      if (found[index] === true) place.key = place.run.cursor.key;
      return found[index];
    });
    this.#second = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#siftDown(at);
    return this.#settle();
  }

  /** The place at `at` of the heap moved on. */
  #moved(at: number, moved: boolean): Moved {
    this.#replace(at, moved);
    return this.#settle();
  }

  #replace(at: number, moved: boolean): void {
    const heap = this.#heap;
    if (moved) {
      const place = heap[at] as Place; // callers name a place of the heap
      place.key = place.run.cursor.key;
      if (at === 0) return; // `#settle` compares the first place anyway
    } else {
      const last = heap.pop() as Place;
      if (at < heap.length) heap[at] = last;
    }
    this.#second = 0;
    this.#siftDown(at);
  }

  /** Finds the next visible entry from the places of the runs. */
  #settle(): Moved {
    const heap = this.#heap;
    for (;;) {
      const first = heap[0];
      if (first === undefined) return false;
      const moved = this.#skipOlder(first) ?? this.#skipHidden(first);
      if (moved === undefined) {
        this.#isPlaced = true;
        return true;
      }
      if (moved !== "again") return moved;
    }
  }

  /** Puts the best place first and moves runs past older entries of its key. Undefined if there is nothing to do. */
  #skipOlder(first: Place): Promise<boolean> | "again" | undefined {
    const heap = this.#heap;
    if (heap.length === 1) return undefined;
    const at = this.#findSecond();
    const second = heap[at] as Place; // there are two
    const order = this.#isBackward
      ? compareBytes(second.key, first.key)
      : compareBytes(first.key, second.key);
    if (order < 0) return undefined;
    if (order > 0 || first.age > second.age) {
      heap[0] = second;
      heap[at] = first;
      this.#second = 0;
      this.#siftDown(at);
      return "again";
    }
    return this.#goOn(at, this.#stepOf(second));
  }

  /** Moves the first place on if its entry is hidden. Undefined if it is visible. */
  #skipHidden(first: Place): Promise<boolean> | "again" | undefined {
    const hiding = this.#covering.length === 0 ? undefined : this.#hiding(first);
    if (hiding !== undefined) return this.#goOn(0, this.#stepBehind(first, hiding));
    if (this.#showsTombstones) return undefined;
    const { kind } = first.run.cursor;
    if (kind === PUT || (kind === EXPIRING && first.run.cursor.expiresAt > this.#now)) return undefined;
    return this.#goOn(0, this.#stepOf(first));
  }

  #goOn(at: number, moved: Moved): Promise<boolean> | "again" {
    if (typeof moved !== "boolean") return moved.then((arrived) => this.#moved(at, arrived));
    this.#replace(at, moved);
    return "again";
  }

  /** The range tombstone that hides an entry, with the run that has it. */
  #hiding({ key, age, run }: Place): { readonly piece: RangeTombstone; readonly age: number } | undefined {
    const { sequence } = run.cursor;
    for (const other of this.#covering) {
      if (other.age > age) return undefined; // an older run hides nothing of it
      const piece = other.run.covering(key);
      if (piece !== undefined && piece.sequence > sequence) return { piece, age: other.age };
    }
    return undefined;
  }

  /**
   * Skips a run's entries under a range tombstone at once if all are hidden: if the tombstone is of a newer run, or the run has nothing
   * newer than its own tombstone.
   */
  #stepBehind(place: Place, { piece, age }: { piece: RangeTombstone; age: number }): Moved {
    const { cursor, newest = Number.POSITIVE_INFINITY } = place.run;
    if (age === place.age && newest > piece.sequence) return this.#stepOf(place);
    if (this.#isBackward) return cursor.seekBefore(piece.start, false);
    return piece.end === undefined ? false : cursor.seek(piece.end);
  }

  #stepOf({ run }: Place): Moved {
    return this.#isBackward ? run.cursor.previous() : run.cursor.next();
  }

  #findSecond(): number {
    if (this.#second === 0) this.#second = this.#betterOf(1, 2);
    return this.#second;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    for (let at = from; 2 * at + 1 < heap.length; ) {
      const child = this.#betterOf(2 * at + 1, 2 * at + 2);
      if (this.#isBetter(at, child)) return;
      const place = heap[at] as Place; // both are below the length
      heap[at] = heap[child] as Place;
      heap[child] = place;
      at = child;
    }
  }

  #betterOf(left: number, right: number): number {
    return right >= this.#heap.length || this.#isBetter(left, right) ? left : right;
  }

  /** By key, then the newer first. */
  #isBetter(left: number, right: number): boolean {
    const a = this.#heap[left] as Place; // callers stay below the length
    const b = this.#heap[right] as Place;
    const order = this.#isBackward ? compareBytes(b.key, a.key) : compareBytes(a.key, b.key);
    return order === 0 ? a.age < b.age : order < 0;
  }

  /** After a failed move the cursor is on no entry. */
  #guarded(move: () => Moved): Moved {
    try {
      const moved = move();
      if (typeof moved === "boolean") return moved;
      return moved.catch((error: unknown) => {
        this.#leave();
        throw error;
      });
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  #leave(): void {
    this.#isPlaced = false;
    this.#heap = [];
    this.#second = 0;
  }

  #checkOpen(): false {
    if (this.#isClosed) throw new KayaError("KAYA_CLOSED", "the cursor is closed");
    return false;
  }
}
