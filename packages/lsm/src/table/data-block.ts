import type { SequenceNumber } from "@kaya/core";
import { compareToRange, headOf } from "../bytes.js";
import { type EntryKind, EXPIRING, TOMBSTONE } from "../entry.js";
import { corruption, EXPIRY_VERSION } from "./format.js";
import { VarintReader } from "./varint.js";

export const DATA_TAIL_BYTES = 16;

/** A decoded entry. Its key is the block's common bytes, then these bytes. */
export class EntryPlace {
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  kind: EntryKind = 0;
  sequence: SequenceNumber = 0;
  /** Set only for an entry that expires; else unchanged. */
  expiresAt = 0;
}

/** Where a block came from: names it in an error. */
export interface BlockOrigin {
  readonly path: string;
  readonly offset: number;
  /** Of the table: only from version 2 on may entries expire. */
  readonly version: number;
}

/** Slots of the hash index of a block: a quarter more than entries, and one free at least. */
export function slotsFor(count: number): number {
  return count + ((count + 3) >>> 2);
}

/** The slot where the search for a key begins. @param first the first half of the key's hash */
export function slotOf(first: number, slots: number): number {
  return Math.floor(((first >>> 0) * slots) / 0x1_0000_0000);
}

/** The part of a key's hash in a slot; 0 is a free slot. @param second the second half of the key's hash */
export function tagOf(second: number): number {
  const tag = second & 0xff;
  return tag === 0 ? 1 : tag;
}

/**
 * A data block that was read, uncompressed and checked against its checksum. Its shape is checked here nevertheless: no input makes a
 * reader go out of bounds.
 *
 * A key is found through a hash index; an order among keys through restart points.
 */
export class DataBlock {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly interval: number;
  readonly restarts: number;
  /** How many bytes all keys have in common. They are the block's first bytes. */
  readonly inCommon: number;
  readonly #origin: BlockOrigin;
  readonly #base: SequenceNumber;
  /** Of the offset in a slot. */
  readonly #offsetBytes: number;
  readonly #slots: number;
  /** The entries end here. */
  readonly #slotsAt: number;
  readonly #headsAt: number;
  readonly #restartsAt: number;

  /** @throws KayaError KAYA_CORRUPTION where its parts do not add up */
  constructor(bytes: Uint8Array, origin: BlockOrigin) {
    this.bytes = bytes;
    this.#origin = origin;
    const tail = bytes.length - DATA_TAIL_BYTES;
    if (tail < 0) throw this.damage(`a data block of ${bytes.length} bytes`);
    const high = wordAt(bytes, tail + 4);
    if (high >= 2 ** 21) throw this.damage("a sequence above 2^53 - 1");
    this.#base = high * 2 ** 32 + wordAt(bytes, tail);
    this.count = wordAt(bytes, tail + 8);
    this.#offsetBytes = bytes[tail + 12] as number;
    this.interval = bytes[tail + 13] as number;
    this.inCommon = (bytes[tail + 14] as number) | ((bytes[tail + 15] as number) << 8);
    // An entry takes three bytes or more.
    if (
      this.count === 0 ||
      this.count * 3 > tail ||
      this.interval === 0 ||
      (this.#offsetBytes !== 2 && this.#offsetBytes !== 4)
    )
      throw this.damage("a data block's tail with values that no writer writes");
    this.restarts = Math.ceil(this.count / this.interval);
    this.#slots = slotsFor(this.count);
    this.#restartsAt = tail - 4 * this.restarts;
    this.#headsAt = this.#restartsAt - 4 * this.restarts;
    this.#slotsAt = this.#headsAt - this.#slots * (1 + this.#offsetBytes);
    if (this.#slotsAt < this.inCommon + 3 * this.count)
      throw this.damage(`a data block of ${bytes.length} bytes with ${this.count} entries`);
  }

  damage(what: string): Error {
    return corruption(this.#origin.path, this.#origin.offset, what);
  }

  /** Where the entries from restart number `restart` on begin. */
  restartAt(restart: number): number {
    const start =
      restart === this.restarts ? this.#slotsAt : wordAt(this.bytes, this.#restartsAt + 4 * restart);
    if (start > this.#slotsAt) throw this.damage(`restart point ${restart} is behind the entries`);
    return start;
  }

  /**
   * Whether the key has an entry; `place` then tells where.
   * @param first and `second`: the halves of the key's hash
   */
  find(key: Uint8Array, first: number, second: number, place: EntryPlace): boolean {
    const { bytes, inCommon } = this;
    if (key.length < inCommon) return false;
    for (let i = 0; i < inCommon; i++) if (bytes[i] !== key[i]) return false;
    const tag = tagOf(second);
    const slotBytes = 1 + this.#offsetBytes;
    const end = this.#headsAt;
    let at = this.#slotsAt + slotOf(first, this.#slots) * slotBytes;
    for (let left = this.#slots; left > 0; left--) {
      const other = bytes[at] as number;
      if (other === 0) return false;
      if (other === tag && this.#isAt(this.#offsetAt(at + 1), key, place)) return true;
      at += slotBytes;
      if (at === end) at = this.#slotsAt;
    }
    return false;
  }

  #offsetAt(at: number): number {
    if (this.#offsetBytes === 4) return wordAt(this.bytes, at);
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8);
  }

  /** Whether the entry at `at` has this key, which begins with the common bytes. */
  #isAt(at: number, key: Uint8Array, place: EntryPlace): boolean {
    const { bytes, inCommon } = this;
    this.decode(at, place);
    const start = place.keyStart - inCommon;
    if (place.keyEnd - start !== key.length) return false;
    for (let i = inCommon; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  /** Slots that are taken. */
  get takenSlots(): number {
    let taken = 0;
    for (let at = this.#slotsAt; at < this.#headsAt; at += 1 + this.#offsetBytes)
      if (this.bytes[at] !== 0) taken++;
    return taken;
  }

  /** Decodes the entry at `at` into `place`; gives the offset behind it. */
  decode(at: number, place: EntryPlace): number {
    const { bytes } = this;
    if (at < this.inCommon || at + 3 > this.#slotsAt)
      throw this.damage("an entry that is not within its block");
    const own = bytes[at] as number;
    let tag = bytes[at + 1] as number;
    let next = at + 2;
    if (tag >= 0x80) {
      const more = bytes[next++] as number;
      if (more >= 0x80) return this.#decodeLong(at, place);
      tag = (tag & 0x7f) | (more << 7);
    }
    // Most lengths take a byte, or two for that of the value, and the sequence up to four. These bytes are within the block: its tail follows.
    let away = bytes[next++] as number;
    if (away >= 0x80) {
      away &= 0x7f;
      let byte = bytes[next++] as number;
      away |= (byte & 0x7f) << 7;
      if (byte >= 0x80) {
        byte = bytes[next++] as number;
        away |= (byte & 0x7f) << 14;
        if (byte >= 0x80) {
          byte = bytes[next++] as number;
          away |= (byte & 0x7f) << 21;
          if (byte >= 0x80) return this.#decodeLong(at, place);
        }
      }
    }
    if (own >= 0x80) return this.#decodeLong(at, place);
    return this.#place(next, own, tag, away, place);
  }

  #decodeLong(at: number, place: EntryPlace): number {
    const reader = new VarintReader();
    const end = this.#slotsAt;
    let position = reader.read(this.bytes, at, end);
    const own = reader.value;
    position = reader.read(this.bytes, position, end);
    const tag = reader.value;
    position = reader.read(this.bytes, position, end);
    if (own < 0 || tag < 0 || reader.value < 0) throw this.damage("a length that is none");
    return this.#place(position, own, tag, reader.value, place);
  }

  #place(keyStart: number, own: number, tag: number, away: number, place: EntryPlace): number {
    const flags = tag & 3;
    const kind = (flags & 1) as EntryKind;
    const valueStart = keyStart + own;
    const valueEnd = valueStart + (tag - flags) / 4;
    const sequence = flags >= 2 ? this.#base - away : this.#base + away;
    if (valueEnd > this.#slotsAt) throw this.damage("an entry whose lengths no writer writes");
    if (sequence < 0 || sequence > Number.MAX_SAFE_INTEGER)
      throw this.damage("a sequence that is not from 0 to 2^53 - 1");
    place.keyStart = keyStart;
    place.keyEnd = valueStart;
    place.valueStart = valueStart;
    place.valueEnd = valueEnd;
    place.kind = kind;
    place.sequence = sequence;
    if (kind === TOMBSTONE && valueEnd !== valueStart) this.#placeExpiring(place);
    return valueEnd;
  }

  /** A tombstone's kind with bytes: first the time at which the entry expires, then its value. */
  #placeExpiring(place: EntryPlace): void {
    if (this.#origin.version < EXPIRY_VERSION) throw this.damage("a tombstone with a value");
    const reader = new VarintReader();
    const start = reader.read(this.bytes, place.valueStart, place.valueEnd);
    if (reader.value < 1) throw this.damage("an entry that expires at no time");
    place.kind = EXPIRING;
    place.expiresAt = reader.value;
    place.valueStart = start;
  }

  /** The number of the first entry with `key` or a greater one; `count` where there is none. */
  lowerBound(key: Uint8Array): number {
    const order = this.#compareToCommon(key);
    if (order !== 0) return order < 0 ? 0 : this.count;
    const restart = this.#restartFor(key);
    if (restart < 0) return 0;
    const first = restart * this.interval;
    const last = Math.min(this.count, first + this.interval);
    let at = this.restartAt(restart);
    for (let index = first; index < last; index++) {
      at = this.decode(at, SCRATCH);
      if (compareToOwn(key, this.inCommon, this.bytes, SCRATCH) <= 0) return index;
    }
    return last;
  }

  /** The number of the last entry whose key is less than `key`, or with `inclusive` the same; -1 where there is none. */
  lastBefore(key: Uint8Array, inclusive: boolean): number {
    const at = this.lowerBound(key);
    if (!inclusive || at === this.count) return at - 1;
    return this.#hasKeyAt(at, key) ? at : at - 1;
  }

  #hasKeyAt(index: number, key: Uint8Array): boolean {
    if (this.#compareToCommon(key) !== 0) return false;
    let at = this.restartAt(Math.floor(index / this.interval));
    for (let i = index % this.interval; i >= 0; i--) at = this.decode(at, SCRATCH);
    return compareToOwn(key, this.inCommon, this.bytes, SCRATCH) === 0;
  }

  /** 0 if the key begins with the common bytes; else whether it is before or behind all keys. */
  #compareToCommon(key: Uint8Array): number {
    for (let i = 0; i < this.inCommon; i++) {
      if (i === key.length) return -1;
      const difference = (key[i] as number) - (this.bytes[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /**
   * The last restart point whose key is `key` or less, or -1. Compares four bytes of each, which are side by side: a search over the keys
   * would wait for memory at each step.
   * @param key begins with the common bytes
   */
  #restartFor(key: Uint8Array): number {
    const head = headOf(key, this.inCommon, key.length);
    let low = 0;
    let high = this.restarts - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const other = wordAt(this.bytes, this.#headsAt + 4 * middle);
      const order = other === head ? this.#compareToRestart(key, middle) : head - other;
      if (order === 0) return middle;
      if (order > 0) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  #compareToRestart(key: Uint8Array, restart: number): number {
    this.decode(this.restartAt(restart), SCRATCH);
    return compareToOwn(key, this.inCommon, this.bytes, SCRATCH);
  }
}

// Used within one call only.
const SCRATCH = new EntryPlace();

/** Compares `key`, from `from` on, with the bytes that an entry has of its own. */
function compareToOwn(key: Uint8Array, from: number, bytes: Uint8Array, place: EntryPlace): number {
  return compareToRange(key, bytes, place.keyStart, place.keyEnd, from);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
