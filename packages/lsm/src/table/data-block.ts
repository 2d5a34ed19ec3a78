import type { SequenceNumber } from "@kaya/core";
import { compareToRange, headOf } from "../bytes.js";
import { type EntryKind, TOMBSTONE } from "../entry.js";
import { corruption } from "./format.js";
import { VarintReader } from "./varint.js";

export const DATA_TAIL_BYTES = 16;

/** What is known of an entry once it was found: see `DataBlock.find`. */
export class EntryPlace {
  /** Number of the entry in its block. */
  index = 0;
  /** Where its key begins to differ from the one before it, and where its value stands. */
  keyStart = 0;
  keyEnd = 0;
  shared = 0;
  valueStart = 0;
  valueEnd = 0;
  kind: EntryKind = 0;
}

/** Where a block came from: names it in an error. */
export interface BlockOrigin {
  readonly path: string;
  readonly offset: number;
}

/**
 * A data block that was read, uncompressed and checked against its checksum. Its shape is checked here nevertheless: no input makes a
 * reader go out of bounds.
 */
export class DataBlock {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly interval: number;
  readonly restarts: number;
  readonly #origin: BlockOrigin;
  readonly #entriesEnd: number;
  readonly #headsAt: number;
  readonly #restartsAt: number;
  /** How many bytes all keys have in common, the first and the last one: the heads are those behind. */
  readonly #inCommon: number;
  readonly #width: number;
  readonly #base: SequenceNumber;

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
    this.#width = bytes[tail + 12] as number;
    this.interval = bytes[tail + 13] as number;
    this.#inCommon = (bytes[tail + 14] as number) | ((bytes[tail + 15] as number) << 8);
    if (this.count === 0 || this.interval === 0 || this.#width > 7)
      throw this.damage("a data block's tail with values that no writer writes");
    this.restarts = Math.ceil(this.count / this.interval);
    this.#restartsAt = tail - 4 * this.restarts;
    this.#headsAt = this.#restartsAt - 4 * this.restarts;
    this.#entriesEnd = this.#headsAt - this.count * this.#width;
    // An entry takes three bytes or more.
    if (this.#entriesEnd < 3 * this.count)
      throw this.damage(`a data block of ${bytes.length} bytes with ${this.count} entries`);
  }

  damage(what: string): Error {
    return corruption(this.#origin.path, this.#origin.offset, what);
  }

  sequenceAt(index: number): SequenceNumber {
    let sequence = this.#base;
    let scale = 1;
    const start = this.#entriesEnd + index * this.#width;
    for (let i = 0; i < this.#width; i++) {
      sequence += (this.bytes[start + i] as number) * scale;
      scale *= 256;
    }
    if (sequence > Number.MAX_SAFE_INTEGER) throw this.damage("a sequence above 2^53 - 1");
    return sequence;
  }

  /** Where the entries from restart number `restart` on begin. */
  restartAt(restart: number): number {
    const start =
      restart === this.restarts ? this.#entriesEnd : wordAt(this.bytes, this.#restartsAt + 4 * restart);
    if (start > this.#entriesEnd) throw this.damage(`restart point ${restart} is behind the entries`);
    return start;
  }

  /** Whether an entry with this key is there: `place` tells then where. */
  find(key: Uint8Array, place: EntryPlace): boolean {
    const restart = this.#restartFor(key);
    return restart >= 0 && this.#search(key, restart, place) === 0;
  }

  /**
   * The last restart point whose key is `key` or less; -1 where there is none. It compares four bytes of each, which stand side by side:
   * a search over the keys themselves would wait for memory at each step.
   *
   * What all keys of the block have in common is not looked at. So the answer holds for a key that begins so; for another one it is
   * some restart point, and such a key is not in the block.
   */
  #restartFor(key: Uint8Array): number {
    const head = headOf(key, this.#inCommon, key.length);
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

  /** Decodes the head of the entry at `at` into `place`; gives the offset behind the entry. */
  decode(at: number, previousLength: number, place: EntryPlace): number {
    const { bytes } = this;
    const end = this.#entriesEnd;
    if (at + 3 > end) throw this.damage("an entry that does not end within its block");
    const shared = bytes[at] as number;
    const own = bytes[at + 1] as number;
    const tag = bytes[at + 2] as number;
    // Most heads are of one byte each, or of two for the last of them.
    if (shared < 0x80 && own < 0x80) {
      if (tag < 0x80) return this.#place(at + 3, shared, own, tag, previousLength, place);
      const next = bytes[at + 3] as number;
      if (next < 0x80)
        return this.#place(at + 4, shared, own, (tag & 0x7f) + next * 0x80, previousLength, place);
    }
    return this.#decodeLong(at, previousLength, place);
  }

  #decodeLong(at: number, previousLength: number, place: EntryPlace): number {
    const reader = new VarintReader();
    let position = reader.read(this.bytes, at, this.#entriesEnd);
    const shared = reader.value;
    position = reader.read(this.bytes, position, this.#entriesEnd);
    const own = reader.value;
    position = reader.read(this.bytes, position, this.#entriesEnd);
    if (shared < 0 || own < 0 || reader.value < 0) throw this.damage("a length that is none");
    return this.#place(position, shared, own, reader.value, previousLength, place);
  }

  #place(
    keyStart: number,
    shared: number,
    own: number,
    tag: number,
    previousLength: number,
    place: EntryPlace,
  ): number {
    const kind = (tag & 1) as EntryKind;
    const valueStart = keyStart + own;
    const valueEnd = valueStart + (tag - kind) / 2;
    if (
      shared > previousLength ||
      valueEnd > this.#entriesEnd ||
      (kind === TOMBSTONE && valueEnd !== valueStart)
    )
      throw this.damage("an entry whose lengths no writer writes");
    place.shared = shared;
    place.keyStart = keyStart;
    place.keyEnd = valueStart;
    place.valueStart = valueStart;
    place.valueEnd = valueEnd;
    place.kind = kind;
    return valueEnd;
  }

  #compareToRestart(key: Uint8Array, restart: number): number {
    const place = SCRATCH;
    this.decode(this.restartAt(restart), 0, place);
    return compareToRange(key, this.bytes, place.keyStart, place.keyEnd);
  }

  /**
   * Goes from a restart whose key is `key` or less up to the first entry with that key or a greater one. No key is put together: while
   * `matched` is how much of `key` is like the entry before, an entry that shares more with that one is like it in order, and one that
   * shares less is greater.
   *
   * @returns 0 where the entry has the key, -1 where it is greater or there is none before the next restart (`index` is behind then)
   */
  #search(key: Uint8Array, restart: number, place: EntryPlace): number {
    const { bytes } = this;
    let at = this.restartAt(restart);
    const first = restart * this.interval;
    const last = Math.min(this.count, first + this.interval);
    let matched = 0;
    let previousLength = 0;
    for (let index = first; index < last; index++) {
      at = this.decode(at, previousLength, place);
      const own = place.keyEnd - place.keyStart;
      previousLength = place.shared + own;
      if (index > first && place.shared > matched) continue;
      place.index = index;
      if (place.shared < matched) return -1;
      let i = 0;
      const most = Math.min(own, key.length - matched);
      while (i < most && bytes[place.keyStart + i] === key[matched + i]) i++;
      matched += i;
      if (i < own) {
        if (matched === key.length || (bytes[place.keyStart + i] as number) > (key[matched] as number))
          return -1;
      } else if (matched === key.length) {
        return 0;
      }
    }
    place.index = last;
    return -1;
  }

  /** The number of the first entry with `key` or a greater one; `count` where there is none. */
  lowerBound(key: Uint8Array): number {
    const order = this.#compareToCommon(key);
    if (order !== 0) return order < 0 ? 0 : this.count;
    const restart = this.#restartFor(key);
    if (restart < 0) return 0;
    this.#search(key, restart, SCRATCH);
    return SCRATCH.index;
  }

  /** 0 where the key begins as all keys of the block do; else whether it is before or behind them. */
  #compareToCommon(key: Uint8Array): number {
    this.decode(this.restartAt(0), 0, SCRATCH);
    const { keyStart, keyEnd } = SCRATCH;
    const inCommon = Math.min(this.#inCommon, keyEnd - keyStart);
    for (let i = 0; i < inCommon; i++) {
      if (i === key.length) return -1;
      const difference = (key[i] as number) - (this.bytes[keyStart + i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Whether entry number `index` has this key. */
  hasKeyAt(index: number, key: Uint8Array): boolean {
    return this.find(key, SCRATCH) && SCRATCH.index === index;
  }
}

// Used within one call only.
const SCRATCH = new EntryPlace();

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
