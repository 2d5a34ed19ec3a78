import { copyInto } from "../bytes.js";
import { type EntryKind, EXPIRING } from "../entry.js";
import { type DataBlock, EntryPlace } from "./data-block.js";

/** The interval between restart points is one byte in a block. */
const MOST_ENTRIES = 255;
/** Longer ones are not kept: one long key must not hold memory forever. */
const LARGEST_KEPT = 64 * 1024;
const MOST_KEPT = 64;

/**
 * The entries between two restart points, decoded together, with whole keys. Cursors take one and give it back: new arrays would cost more
 * than a short range.
 */
export class DecodedEntries {
  static readonly #free: DecodedEntries[] = [];

  #keys = new Uint8Array(1024);
  readonly #keyStarts = new Int32Array(MOST_ENTRIES + 1);
  readonly #valueStarts = new Int32Array(MOST_ENTRIES);
  readonly #valueEnds = new Int32Array(MOST_ENTRIES);
  readonly #kinds = new Uint8Array(MOST_ENTRIES);
  readonly #sequences = new Float64Array(MOST_ENTRIES);
  /** Of those that expire. */
  readonly #expiries = new Float64Array(MOST_ENTRIES);

  /** A free one. */
  static take(): DecodedEntries {
    return DecodedEntries.#free.pop() ?? new DecodedEntries();
  }

  /** Takes one back: its owner must not use it any more. */
  static give(entries: DecodedEntries): void {
    if (DecodedEntries.#free.length < MOST_KEPT && entries.#keys.length <= LARGEST_KEPT)
      DecodedEntries.#free.push(entries);
  }

  /** Decodes `count` entries from `at` on; gives the offset behind the last. @throws KayaError KAYA_CORRUPTION */
  decode(block: DataBlock, at: number, count: number): number {
    const { bytes, inCommon } = block;
    const place = PLACE;
    let position = at;
    let end = 0;
    for (let i = 0; i < count; i++) {
      position = block.decode(position, place);
      const keyEnd = end + inCommon + place.keyEnd - place.keyStart;
      if (keyEnd > this.#keys.length) this.#growKeys(keyEnd);
      copyInto(this.#keys, end, bytes, 0, inCommon);
      copyInto(this.#keys, end + inCommon, bytes, place.keyStart, place.keyEnd);
      this.#keyStarts[i] = end;
      this.#valueStarts[i] = place.valueStart;
      this.#valueEnds[i] = place.valueEnd;
      this.#kinds[i] = place.kind;
      this.#sequences[i] = place.sequence;
      if (place.kind === EXPIRING) this.#expiries[i] = place.expiresAt;
      end = keyEnd;
    }
    this.#keyStarts[count] = end;
    return position;
  }

  keyLengthAt(i: number): number {
    return (this.#keyStarts[i + 1] as number) - (this.#keyStarts[i] as number);
  }

  /** Copies a key to the beginning of `target`. */
  copyKey(i: number, target: Uint8Array): void {
    copyInto(target, 0, this.#keys, this.#keyStarts[i] as number, this.#keyStarts[i + 1] as number);
  }

  keyAt(i: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#keys, this.#keyStarts[i], this.#keyStarts[i + 1]);
  }

  /** Where a value is in the block. */
  valueStartAt(i: number): number {
    return this.#valueStarts[i] as number;
  }

  valueEndAt(i: number): number {
    return this.#valueEnds[i] as number;
  }

  kindAt(i: number): EntryKind {
    return this.#kinds[i] as EntryKind;
  }

  sequenceAt(i: number): number {
    return this.#sequences[i] as number;
  }

  /** Of an entry that expires. */
  expiresAtAt(i: number): number {
    return this.#expiries[i] as number;
  }

  #growKeys(length: number): void {
    const larger = new Uint8Array(Math.max(length, 2 * this.#keys.length));
    larger.set(this.#keys);
    this.#keys = larger;
  }
}

// Used within one call only.
const PLACE = new EntryPlace();
