import type { SequenceNumber } from "@kaya/core";
import { commonPrefix, copyBytes, copyInto, headOf } from "../bytes.js";
import { type EntryKind, EXPIRING, PUT } from "../entry.js";
import { DATA_TAIL_BYTES, slotOf, slotsFor, tagOf } from "./data-block.js";
import { RESTART_INTERVAL } from "./format.js";
import { MAX_VARINT_BYTES, varintLength, writeVarint } from "./varint.js";

const MOST_IN_COMMON = 0xffff;
/** Entries that begin later need offsets of four bytes in the hash index. */
const MOST_SHORT_OFFSET = 0xffff;

/** Lays entries out in one block: see "A data block" in TABLE.md. */
export class DataBlockBuilder {
  #bytes: Uint8Array;
  /** Where entries are moved to when they have less in common. */
  #spare: Uint8Array;
  /** End of the last entry. The first one leaves room for the common bytes, which were longest at first. */
  #length = 0;
  #count = 0;
  #first: Uint8Array = new Uint8Array(0);
  /** Common beginning of all keys so far: it only gets shorter. */
  #inCommon = 0;
  #longestKey = 0;
  #base: SequenceNumber = 0;
  #starts = new Uint32Array(256);
  /** Both halves of the hash of each key. */
  #hashes = new Int32Array(512);

  constructor(blockBytes: number) {
    this.#bytes = new Uint8Array(blockBytes);
    this.#spare = new Uint8Array(blockBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of the block, at most, if the entry were its last one. */
  lengthWith(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): number {
    const valueBytes = value.length + (kind === EXPIRING ? varintLength(expiresAt) : 0);
    const count = this.#count + 1;
    const inCommon = this.#commonWith(key);
    const lost = this.#count === 0 ? 0 : this.#inCommon - inCommon;
    // Lengths of keys may take more bytes than now where keys have less in common.
    const longer = lost === 0 ? 0 : varintLength(Math.max(this.#longestKey, key.length)) - 1;
    const before = this.#count === 0 ? inCommon : this.#length - lost + this.#count * (lost + longer);
    const own = key.length - inCommon;
    const entry =
      varintLength(own) +
      varintLength(valueBytes * 4 + 3) +
      varintLength(this.#count === 0 ? 0 : Math.abs(sequence - this.#base)) +
      own +
      valueBytes;
    const offsetBytes = before + entry > MOST_SHORT_OFFSET ? 4 : 2;
    const restarts = Math.ceil(count / RESTART_INTERVAL) * 8;
    return before + entry + slotsFor(count) * (1 + offsetBytes) + restarts + DATA_TAIL_BYTES;
  }

  /**
   * The caller has checked the order.
   * @param first and `second`: the halves of the key's hash
   * @param expiresAt of an entry that expires
   */
  add(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    first: number,
    second: number,
    expiresAt: number,
  ): void {
    const inCommon = this.#commonWith(key);
    if (this.#count === 0) this.#begin(key, inCommon, sequence);
    else if (inCommon < this.#inCommon) this.#shareLess(inCommon);
    if (key.length > this.#longestKey) this.#longestKey = key.length;
    const own = key.length - inCommon;
    const before = kind === EXPIRING ? varintLength(expiresAt) : 0;
    this.#makeRoom(3 * MAX_VARINT_BYTES + own + before + value.length);
    this.#note(first, second);
    const bytes = this.#bytes;
    const isBefore = sequence < this.#base;
    let at = writeVarint(bytes, this.#length, own);
    const tag = (before + value.length) * 4 + (isBefore ? 2 : 0) + (kind === PUT ? 0 : 1);
    at = writeVarint(bytes, at, tag);
    at = writeVarint(bytes, at, isBefore ? this.#base - sequence : sequence - this.#base);
    copyInto(bytes, at, key, inCommon, key.length);
    at += own;
    if (kind === EXPIRING) at = writeVarint(bytes, at, expiresAt);
    copyInto(bytes, at, value, 0, value.length);
    this.#length = at + value.length;
  }

  /** The whole block, lent until the next `add`; the next one begins empty. */
  finish(): Uint8Array {
    const count = this.#count;
    const slotsAt = this.#length;
    const offsetBytes = slotsAt > MOST_SHORT_OFFSET ? 4 : 2;
    const slots = slotsFor(count);
    const restarts = Math.ceil(count / RESTART_INTERVAL);
    const headsAt = slotsAt + slots * (1 + offsetBytes);
    const restartsAt = headsAt + 4 * restarts;
    const tailAt = restartsAt + 4 * restarts;
    this.#makeRoom(tailAt + DATA_TAIL_BYTES - slotsAt);
    this.#writeSlots(slotsAt, slots, offsetBytes);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    for (let i = 0; i < restarts; i++) {
      const start = this.#starts[i * RESTART_INTERVAL] as number;
      view.setUint32(headsAt + 4 * i, this.#headAt(start), true);
      view.setUint32(restartsAt + 4 * i, start, true);
    }
    view.setBigUint64(tailAt, BigInt(this.#base), true);
    view.setUint32(tailAt + 8, count, true);
    view.setUint8(tailAt + 12, offsetBytes);
    view.setUint8(tailAt + 13, RESTART_INTERVAL);
    view.setUint16(tailAt + 14, this.#inCommon, true);
    this.#length = 0;
    this.#count = 0;
    return this.#bytes.subarray(0, tailAt + DATA_TAIL_BYTES);
  }

  #begin(key: Uint8Array, inCommon: number, sequence: SequenceNumber): void {
    this.#first = copyBytes(key);
    this.#inCommon = inCommon;
    this.#longestKey = key.length;
    this.#base = sequence;
    this.#length = 0;
    this.#makeRoom(inCommon);
    copyInto(this.#bytes, 0, key, 0, inCommon);
    this.#length = inCommon;
  }

  #commonWith(key: Uint8Array): number {
    if (this.#count === 0) return Math.min(key.length, MOST_IN_COMMON);
    return Math.min(this.#inCommon, commonPrefix(this.#first, key));
  }

  #note(first: number, second: number): void {
    const count = this.#count++;
    if (count === this.#starts.length) {
      this.#starts = doubled(this.#starts, new Uint32Array(2 * count));
      this.#hashes = doubled(this.#hashes, new Int32Array(4 * count));
    }
    this.#starts[count] = this.#length;
    this.#hashes[2 * count] = first;
    this.#hashes[2 * count + 1] = second;
  }

  /** Lays out the entries again: each gets the bytes that are no longer common. It happens a few times a block, mostly early. */
  #shareLess(inCommon: number): void {
    const lost = this.#inCommon - inCommon;
    const most = this.#length + this.#count * (lost + MAX_VARINT_BYTES);
    if (this.#spare.length < most) this.#spare = new Uint8Array(Math.max(2 * this.#spare.length, most));
    const [from, to] = [this.#bytes, this.#spare];
    copyInto(to, 0, this.#first, 0, inCommon);
    let written = inCommon;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#starts[i] as number;
      const end = i + 1 < this.#count ? (this.#starts[i + 1] as number) : this.#length;
      let at = start;
      const own = readVarint(from, start);
      at = start + varintLength(own);
      const tailAt = behindVarint(from, behindVarint(from, at)); // behind tag and sequence
      this.#starts[i] = written;
      written = writeVarint(to, written, own + lost);
      copyInto(to, written, from, at, tailAt);
      written += tailAt - at;
      copyInto(to, written, this.#first, inCommon, this.#inCommon);
      written += lost;
      copyInto(to, written, from, tailAt, end);
      written += end - tailAt;
    }
    this.#bytes = to;
    this.#spare = from;
    this.#inCommon = inCommon;
    this.#length = written;
  }

  #headAt(start: number): number {
    const own = readVarint(this.#bytes, start);
    const keyAt = behindVarint(this.#bytes, behindVarint(this.#bytes, behindVarint(this.#bytes, start)));
    return headOf(this.#bytes, keyAt, keyAt + own);
  }

  /** Open addressing with linear probing. */
  #writeSlots(slotsAt: number, slots: number, offsetBytes: number): void {
    const bytes = this.#bytes;
    const slotBytes = 1 + offsetBytes;
    bytes.fill(0, slotsAt, slotsAt + slots * slotBytes);
    for (let i = 0; i < this.#count; i++) {
      let slot = slotOf(this.#hashes[2 * i] as number, slots);
      while (bytes[slotsAt + slot * slotBytes] !== 0) slot = slot + 1 === slots ? 0 : slot + 1;
      const at = slotsAt + slot * slotBytes;
      let start = this.#starts[i] as number;
      bytes[at] = tagOf(this.#hashes[2 * i + 1] as number);
      for (let byte = 1; byte <= offsetBytes; byte++) {
        bytes[at + byte] = start & 0xff;
        start >>>= 8;
      }
    }
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function doubled<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Of one that the builder wrote. */
function readVarint(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at, scale = 1; ; i++, scale *= 0x80) {
    const byte = bytes[i] as number;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

function behindVarint(bytes: Uint8Array, at: number): number {
  let end = at;
  while ((bytes[end] as number) >= 0x80) end++;
  return end + 1;
}
