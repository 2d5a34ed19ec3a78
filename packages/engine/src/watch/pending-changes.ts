import type { SequenceNumber } from "@kaya/core";
import { compareBytes, nameOfBytes } from "../memtable/bytes.js";
import { isInExtent } from "../range.js";

/** A change of a watched range: a put, a deletion, or the deletion of a range. The bytes are copies. */
export type WatchChange =
  | {
      readonly type: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly sequence: SequenceNumber;
      /** When the key loses the value by itself, in milliseconds since 1970: that is not told. Not there where it does not. */
      readonly expiresAt?: number;
    }
  | { readonly type: "delete"; readonly key: Uint8Array; readonly sequence: SequenceNumber }
  /** Every key from `start` up to, but without, `end`; without an end there is no upper bound. */
  | {
      readonly type: "deleteRange";
      readonly start: Uint8Array;
      readonly end: Uint8Array | undefined;
      readonly sequence: SequenceNumber;
    };

export type KeyChange = Exclude<WatchChange, { type: "deleteRange" }>;
export type RangeDeletion = Extract<WatchChange, { type: "deleteRange" }>;

/** Each later write is compared with all of them. */
const MOST_RANGES = 64;

/** What an object and its place in a map take, about. */
const BYTES_EACH = 200;

/** Changes that are to be told: of each key the newest. What a later deletion of a range covers is left out. */
export class PendingChanges {
  readonly #keys = new Map<string, KeyChange>();
  /** Stands behind the keys that were taken. A new iterator would pass over all of these again. */
  #rest = this.#keys.entries();
  #ranges: RangeDeletion[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#ranges.length === 0;
  }

  /** About what they take in memory. */
  get bytes(): number {
    return this.#ranges.length > MOST_RANGES ? Number.POSITIVE_INFINITY : this.#bytes;
  }

  add(change: WatchChange): void {
    if (change.type === "deleteRange") this.#addRange(change);
    else this.#addKey(nameOfBytes(change.key), change);
  }

  /** All of `later` behind these. */
  absorb(later: PendingChanges): void {
    for (const range of later.#ranges) this.#addRange(range);
    for (const [name, change] of later.#keys) this.#addKey(name, change);
    later.clear();
  }

  /** Takes out the next one: deletions of ranges come before the keys that were written after them. */
  take(): WatchChange | undefined {
    const range = this.#ranges.shift();
    if (range !== undefined) return range;
    if (this.#keys.size === 0) return undefined;
    let next = this.#rest.next();
    if (next.done === true) {
      this.#rest = this.#keys.entries();
      next = this.#rest.next();
    }
    if (next.done === true) return undefined;
    const [name, change] = next.value;
    this.#forget(name, change);
    return change;
  }

  clear(): void {
    this.#keys.clear();
    this.#ranges = [];
    this.#bytes = 0;
  }

  #addKey(name: string, change: KeyChange): void {
    const before = this.#keys.get(name);
    if (before !== undefined) this.#bytes -= bytesOf(before);
    this.#keys.set(name, change);
    this.#bytes += bytesOf(change);
  }

  #addRange(range: RangeDeletion): void {
    for (const [name, change] of this.#keys) if (isInExtent(range, change.key)) this.#forget(name, change);
    this.#ranges = this.#ranges.filter((other) => !isWithin(other, range));
    this.#ranges.push(range);
  }

  #forget(name: string, change: KeyChange): void {
    this.#keys.delete(name);
    this.#bytes -= bytesOf(change);
  }
}

function isWithin(inner: RangeDeletion, outer: RangeDeletion): boolean {
  if (compareBytes(inner.start, outer.start) < 0) return false;
  if (outer.end === undefined) return true;
  return inner.end !== undefined && compareBytes(inner.end, outer.end) <= 0;
}

function bytesOf(change: KeyChange): number {
  return BYTES_EACH + 2 * change.key.length + (change.type === "put" ? change.value.length : 0);
}
