import { allocateBytes, type SequenceNumber } from "@kaya/core";
import { copyInto } from "../bytes.js";
import { type EntryKind, EXPIRING, type Found, PUT } from "../entry.js";

/** Hash of a key, by a secret seed. */
export interface RowHash {
  readonly first: number;
  readonly second: number;
}

/** Where a row was found. The next `put` may overwrite its bytes. */
export class RowPlace {
  bytes: Uint8Array = NOTHING;
  valueStart = 0;
  valueEnd = 0;
  kind: EntryKind = PUT;
  sequence: SequenceNumber = 0;
  /** Set only for an entry that expires; else unchanged. */
  expiresAt = 0;
}

const NOTHING = new Uint8Array(0);

/** Segments that the rows are in. The oldest one makes room for new rows. */
const SEGMENTS = 32;
const LEAST_SEGMENT_BYTES = 256;
/** A longer row is not kept: it would save too little of its block. */
const LARGEST_ROW = 2048;
/** Most of a segment that survivors take, so that there is always room for new rows. */
const SURVIVING_PART = 3 / 4;

/** Slots of the hash index stand side by side in buckets. A row is in the bucket of its hash or nowhere. */
const WAYS = 8;
/** With rows of typical length half of the slots are taken. */
const BYTES_A_SLOT = 96;
const SLOT_BYTES = 5;

// A row is six words, then key and value; the value of an entry that expires begins with eight bytes of time. Rows begin at multiples of 8.
const OWNER = 0;
const HASH = 1;
const KEY_LENGTH = 2;
const VALUE_LENGTH = 3;
const SEQUENCE_LOW = 4;
/** 21 bits of the sequence, the kind, and whether the row was used since it came or survived. */
const SEQUENCE_HIGH = 5;
const KIND_SHIFT = 29;
const EXPIRY_BYTES = 8;
const ASKED_FOR = 1 << 31;
const HEADER_BYTES = 24;
const ALIGNMENT = 8;

class Segment {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Rows end here. */
  end = 0;

  constructor(length: number) {
    this.bytes = allocateBytes(length);
    this.words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, length / 4);
  }
}

/**
 * Entries of tables by table and key, for gets whose blocks are not in memory. A block is a hundred times as long as most entries, so many
 * more of the often used entries fit. Tables do not change, so rows are never out of date; rows of a removed table are not used any more.
 *
 * Rows are appended to segments, used in turn. When a segment's turn comes again, rows used since then stay, and all others go: FIFO with
 * reinsertion, by segment. Scans add no rows; rows used once pass through. All memory is off the JavaScript heap, and allocated as it
 * fills.
 */
export class RowCache {
  /** Its most bytes. 0: it keeps nothing. */
  readonly mostBytes: number;
  readonly #segmentBytes: number;
  readonly #largest: number;
  readonly #slotCount: number;
  readonly #mayGrow: (bytes: number) => boolean;
  readonly #segments: Segment[] = [];
  /** The number of the segment that takes new rows. */
  #current = -1;
  /** By slot: the row's place, divided by ALIGNMENT. */
  #places = new Uint32Array(0);
  /** By slot: eight bits of the hash; 0 in a free one. */
  #tags = new Uint8Array(0);
  #nextVictim = 0;
  /** Rows that can be found. */
  count = 0;
  hits = 0;

  /**
   * @param bytes the budget, for all of it
   * @param mayGrow asked before it allocates more. If not, new rows replace old ones.
   */
  constructor(bytes: number, mayGrow: (bytes: number) => boolean = () => true) {
    this.#mayGrow = mayGrow;
    this.#slotCount = WAYS * 2 ** Math.max(0, Math.ceil(Math.log2(bytes / BYTES_A_SLOT / WAYS)));
    const forRows = Math.min(bytes - this.#slotCount * SLOT_BYTES, 2 ** 32);
    this.#segmentBytes = Math.floor(forRows / SEGMENTS / ALIGNMENT) * ALIGNMENT;
    if (this.#segmentBytes < LEAST_SEGMENT_BYTES) this.#segmentBytes = 0;
    this.#largest = Math.min(LARGEST_ROW, this.#segmentBytes / 4);
    this.mostBytes = this.#segmentBytes === 0 ? 0 : bytes;
  }

  /** Its bytes now. */
  get bytes(): number {
    return this.#segments.length * this.#segmentBytes + this.#tags.length * SLOT_BYTES;
  }

  /**
   * Whether it has a key's entry; `found` then tells where.
   * @param owner a number for the table
   */
  find(owner: number, key: Uint8Array, hash: RowHash, found: RowPlace): boolean {
    const place = this.#placeOf(owner, key, hash);
    if (place === -1) return false;
    const { bytes, words } = this.#segmentOf(place);
    const at = place % this.#segmentBytes;
    const word = at >>> 2;
    this.hits++;
    const high = words[word + SEQUENCE_HIGH] as number;
    words[word + SEQUENCE_HIGH] = high | ASKED_FOR;
    found.bytes = bytes;
    found.valueStart = at + HEADER_BYTES + key.length;
    found.valueEnd = found.valueStart + (words[word + VALUE_LENGTH] as number);
    found.kind = ((high >>> KIND_SHIFT) & 3) as EntryKind;
    if (found.kind === EXPIRING) {
      found.expiresAt = readTime(bytes, found.valueStart);
      found.valueStart += EXPIRY_BYTES;
    }
    found.sequence = (high & 0x1f_ffff) * 2 ** 32 + ((words[word + SEQUENCE_LOW] as number) >>> 0);
    return true;
  }

  /** Adds an entry, unless it is long or present. */
  put(owner: number, key: Uint8Array, hash: RowHash, { kind, sequence, expiresAt, value }: Found): void {
    const before = kind === EXPIRING ? EXPIRY_BYTES : 0;
    const length = roundUp(HEADER_BYTES + key.length + before + value.length);
    if (length > this.#largest || this.#placeOf(owner, key, hash) !== -1) return;
    const { first, second } = hash;
    const place = this.#reserve(length);
    if (place === -1) return;
    const { bytes, words } = this.#segmentOf(place);
    const at = place % this.#segmentBytes;
    const word = at >>> 2;
    words[word + OWNER] = owner;
    words[word + HASH] = first;
    words[word + KEY_LENGTH] = key.length;
    words[word + VALUE_LENGTH] = before + value.length;
    words[word + SEQUENCE_LOW] = sequence | 0;
    words[word + SEQUENCE_HIGH] = highOf(sequence) | (kind << KIND_SHIFT);
    copyInto(bytes, at + HEADER_BYTES, key, 0, key.length);
    const valueAt = at + HEADER_BYTES + key.length;
    if (kind === EXPIRING) writeTime(bytes, valueAt, expiresAt);
    copyInto(bytes, valueAt + before, value, 0, value.length);
    this.#enter(first, second, place);
  }

  /** The place of a row, or -1. */
  #placeOf(owner: number, key: Uint8Array, { first, second }: RowHash): number {
    if (this.count === 0) return -1;
    const tag = tagOf(second);
    const from = this.#bucketOf(first);
    for (let slot = from; slot < from + WAYS; slot++) {
      if (this.#tags[slot] !== tag) continue;
      const place = (this.#places[slot] as number) * ALIGNMENT;
      if (this.#isAt(place, owner, key)) return place;
    }
    return -1;
  }

  /** Whether the row at a place has this table and key: hashes collide. */
  #isAt(place: number, owner: number, key: Uint8Array): boolean {
    const { bytes, words } = this.#segmentOf(place);
    const at = place % this.#segmentBytes;
    const word = at >>> 2;
    if (words[word + OWNER] !== (owner | 0) || words[word + KEY_LENGTH] !== key.length) return false;
    const start = at + HEADER_BYTES;
    for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key[i]) return false;
    return true;
  }

  #segmentOf(place: number): Segment {
    return this.#segments[Math.floor(place / this.#segmentBytes)] as Segment; // places are within
  }

  #bucketOf(first: number): number {
    return (first & (this.#slotCount / WAYS - 1)) * WAYS;
  }

  /** Room for a row at the end of the current segment; -1 if there is no segment and none may be made. */
  #reserve(length: number): number {
    let segment = this.#segments[this.#current];
    if (segment === undefined || segment.end + length > this.#segmentBytes) segment = this.#nextSegment();
    if (segment === undefined) return -1;
    const at = segment.end;
    segment.end += length;
    return this.#current * this.#segmentBytes + at;
  }

  #nextSegment(): Segment | undefined {
    if (this.#segments.length <= (this.#current + 1) % SEGMENTS) {
      if (this.#mayGrow(this.#nextBytes)) return this.#newSegment();
      if (this.#segments.length === 0) return undefined;
      this.#current = -1;
    }
    this.#current = (this.#current + 1) % SEGMENTS;
    const segment = this.#segments[this.#current] as Segment; // there are more segments than that
    this.#keepSurvivors(segment);
    return segment;
  }

  get #nextBytes(): number {
    return this.#segmentBytes + (this.#segments.length === 0 ? this.#slotCount * SLOT_BYTES : 0);
  }

  #newSegment(): Segment {
    if (this.#segments.length === 0) {
      this.#places = new Uint32Array(this.#slotCount);
      this.#tags = new Uint8Array(this.#slotCount);
    }
    const segment = new Segment(this.#segmentBytes);
    this.#current = this.#segments.push(segment) - 1;
    return segment;
  }

  /** Moves the used rows of the current segment to its beginning, and forgets all others. */
  #keepSurvivors(segment: Segment): void {
    const { bytes, words, end } = segment;
    const base = this.#current * this.#segmentBytes;
    let kept = 0;
    for (let at = 0, length = 0; at < end; at += length) {
      const word = at >>> 2;
      length = roundUp(
        HEADER_BYTES + (words[word + KEY_LENGTH] as number) + (words[word + VALUE_LENGTH] as number),
      );
      const slot = this.#slotOf(words[word + HASH] as number, base + at);
      if (slot === -1) continue; // another row took its slot
      const high = words[word + SEQUENCE_HIGH] as number;
      if ((high & ASKED_FOR) === 0 || kept + length > this.#segmentBytes * SURVIVING_PART) {
        this.#free(slot);
        continue;
      }
      words[word + SEQUENCE_HIGH] = high & ~ASKED_FOR;
      bytes.copyWithin(kept, at, at + length);
      this.#places[slot] = (base + kept) / ALIGNMENT;
      kept += length;
    }
    segment.end = kept;
  }

  /** The slot of the row at a place; -1 where it has none. */
  #slotOf(first: number, place: number): number {
    const from = this.#bucketOf(first);
    for (let slot = from; slot < from + WAYS; slot++)
      if (this.#tags[slot] !== 0 && this.#places[slot] === place / ALIGNMENT) return slot;
    return -1;
  }

  #free(slot: number): void {
    this.#tags[slot] = 0;
    this.count--;
  }

  /** In a full bucket the new row takes the slot of an unused row, if there is one. */
  #enter(first: number, second: number, place: number): void {
    const slot = this.#slotFor(this.#bucketOf(first));
    if (this.#tags[slot] === 0) this.count++;
    this.#tags[slot] = tagOf(second);
    this.#places[slot] = place / ALIGNMENT;
  }

  #slotFor(from: number): number {
    for (let slot = from; slot < from + WAYS; slot++) if (this.#tags[slot] === 0) return slot;
    for (let slot = from; slot < from + WAYS; slot++) if (!this.#wasAskedFor(slot)) return slot;
    return from + (this.#nextVictim++ % WAYS);
  }

  #wasAskedFor(slot: number): boolean {
    const place = (this.#places[slot] as number) * ALIGNMENT;
    const word = (place % this.#segmentBytes) >>> 2;
    return ((this.#segmentOf(place).words[word + SEQUENCE_HIGH] as number) & ASKED_FOR) !== 0;
  }
}

/** Not the bits that choose the bucket. */
function tagOf(second: number): number {
  return second & 0xff || 1;
}

function roundUp(length: number): number {
  return (length + ALIGNMENT - 1) & -ALIGNMENT;
}

/** Eight bytes, little-endian, at any place. */
function writeTime(bytes: Uint8Array, at: number, time: number): void {
  let rest = time;
  for (let i = at; i < at + EXPIRY_BYTES; i++) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function readTime(bytes: Uint8Array, at: number): number {
  let time = 0;
  for (let i = at + EXPIRY_BYTES - 1; i >= at; i--) time = time * 256 + (bytes[i] as number);
  return time;
}

function highOf(sequence: SequenceNumber): number {
  return Math.floor(sequence / 2 ** 32);
}
