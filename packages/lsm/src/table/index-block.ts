import { commonPrefix, compareToRange, copyBytes, copyInto, headOf } from "../bytes.js";
import { corruption, endOf, MAX_BLOCK_BYTES, type Place, TRAILER_BYTES } from "./format.js";
import { MAX_VARINT_BYTES, VarintReader, writeVarint } from "./varint.js";

/**
 * A short key that is `last` or greater and less than `next`: a separator need not be a key of either block.
 * @param next undefined behind the last block: then it is `last`
 */
export function separatorOf(last: Uint8Array, next: Uint8Array | undefined): Uint8Array {
  if (next === undefined) return copyBytes(last);
  const shared = commonPrefix(last, next);
  if (shared >= last.length) return copyBytes(last);
  for (let i = shared; i < last.length; i++) {
    const byte = last[i] as number;
    // At the first difference it must stay below `next`; later bytes only need to make it greater than `last`.
    if (byte === 0xff || (i === shared && byte + 1 >= (next[i] as number))) continue;
    const separator = copyBytes(last.subarray(0, i + 1));
    separator[i] = byte + 1;
    return separator;
  }
  return copyBytes(last);
}

/** Lays out an index block: see "An index block" in TABLE.md. */
export class IndexBlockBuilder {
  #bytes = new Uint8Array(4096);
  #length = 0;
  #count = 0;
  #previous: Uint8Array = new Uint8Array(0);
  #end = 0;

  get count(): number {
    return this.#count;
  }

  /** Of the last entry. */
  get lastSeparator(): Uint8Array {
    return this.#previous;
  }

  /** Bytes of the block as it is now. */
  get length(): number {
    return this.#length + 4;
  }

  /** @param blocks how many data blocks are behind the entry: 1 on the lower level */
  add(separator: Uint8Array, place: Place, blocks: number): void {
    const shared = commonPrefix(this.#previous, separator);
    const own = separator.length - shared;
    this.#makeRoom(5 * MAX_VARINT_BYTES + own + 4);
    const bytes = this.#bytes;
    let at = writeVarint(bytes, this.#length, shared);
    at = writeVarint(bytes, at, own);
    at = writeVarint(bytes, at, place.offset - this.#end);
    at = writeVarint(bytes, at, place.length);
    at = writeVarint(bytes, at, blocks);
    copyInto(bytes, at, separator, shared, separator.length);
    this.#length = at + own;
    this.#previous = separator;
    this.#end = endOf(place);
    this.#count++;
  }

  /** The whole block; the next one begins empty. */
  finish(): Uint8Array {
    this.#makeRoom(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, this.#count, true);
    const block = this.#bytes.slice(0, this.#length + 4);
    this.#length = 0;
    this.#count = 0;
    this.#previous = new Uint8Array(0);
    this.#end = 0;
    return block;
  }

  #makeRoom(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** An index block as it is searched: its separators side by side, and for most comparisons four bytes of each. */
export class IndexBlock {
  readonly count: number;
  readonly #keys: Uint8Array;
  readonly #keyEnds: Uint32Array;
  /** The four bytes behind what all separators have in common. */
  readonly #heads: Uint32Array;
  readonly #inCommon: number;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #blocks: Uint32Array;

  /**
   * @param fileBytes no block ends behind it
   * @throws KayaError KAYA_CORRUPTION where it is no index, or its separators are not in order
   */
  constructor(bytes: Uint8Array, fileBytes: number, path: string, offset: number) {
    const damaged = () => corruption(path, offset, "an index that no writer writes");
    if (bytes.length < 4) throw damaged();
    const end = bytes.length - 4;
    const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
    if (count * 5 > end) throw damaged(); // an entry takes five bytes or more
    this.count = count;
    this.#keyEnds = new Uint32Array(count);
    this.#heads = new Uint32Array(count);
    this.#offsets = new Float64Array(count);
    this.#lengths = new Uint32Array(count);
    this.#blocks = new Uint32Array(count);
    this.#keys = this.#decode(bytes, end, fileBytes, damaged);
    this.#inCommon = count < 2 ? 0 : commonPrefix(this.separatorAt(0), this.separatorAt(count - 1));
    for (let i = 0; i < count; i++)
      this.#heads[i] = headOf(this.#keys, this.#start(i) + this.#inCommon, this.#end(i));
  }

  #decode(bytes: Uint8Array, end: number, fileBytes: number, damaged: () => Error): Uint8Array {
    const reader = new VarintReader();
    let keys = new Uint8Array(Math.max(64, 2 * end));
    let at = 0;
    let length = 0;
    let previousStart = 0;
    let blockEnd = 0;
    const number = (): number => {
      at = reader.read(bytes, at, end);
      if (reader.value < 0) throw damaged();
      return reader.value;
    };
    for (let i = 0; i < this.count; i++) {
      const shared = number();
      const own = number();
      const gap = number();
      const stored = number();
      const blocks = number();
      const place = { offset: blockEnd + gap, length: stored };
      const previousLength = length - previousStart;
      if (
        shared > previousLength ||
        at + own > end ||
        stored > MAX_BLOCK_BYTES ||
        blocks === 0 ||
        blocks > 2 ** 31
      )
        throw damaged();
      if (endOf(place) > fileBytes) throw damaged();
      const keyLength = shared + own;
      // The file bounds the memory: each separator repeats at most the one before it.
      if (length + keyLength > MAX_BLOCK_BYTES) throw damaged();
      if (length + keyLength > keys.length) {
        const larger = new Uint8Array(Math.max(2 * keys.length, length + keyLength));
        larger.set(keys.subarray(0, length));
        keys = larger;
      }
      // A separator shares as many bytes with the one before as possible: so the next byte decides which is greater.
      const isGreater =
        own > 0 &&
        (shared === previousLength || (bytes[at] as number) > (keys[previousStart + shared] as number));
      if (i > 0 && !isGreater) throw damaged();
      copyInto(keys, length, keys, previousStart, previousStart + shared);
      copyInto(keys, length + shared, bytes, at, at + own);
      at += own;
      previousStart = length;
      length += keyLength;
      this.#keyEnds[i] = length;
      this.#offsets[i] = place.offset;
      this.#lengths[i] = stored;
      this.#blocks[i] = blocks;
      blockEnd = endOf(place);
    }
    if (at !== end) throw damaged();
    return keys.slice(0, length);
  }

  /** Bytes that it takes in memory. */
  get byteLength(): number {
    return this.#keys.length + this.count * 24;
  }

  offsetAt(i: number): number {
    return this.#offsets[i] as number;
  }

  lengthAt(i: number): number {
    return this.#lengths[i] as number;
  }

  /** How many data blocks are behind the entry. */
  blocksAt(i: number): number {
    return this.#blocks[i] as number;
  }

  placeAt(i: number): Place {
    return { offset: this.offsetAt(i), length: this.lengthAt(i) };
  }

  /** Offset behind the block's trailer. */
  endAt(i: number): number {
    return this.offsetAt(i) + this.lengthAt(i) + TRAILER_BYTES;
  }

  separatorAt(i: number): Uint8Array {
    return this.#keys.subarray(this.#start(i), this.#end(i));
  }

  /** The first entry whose separator is `key` or greater: where `key` is if it is anywhere. `count` where there is none. */
  search(key: Uint8Array): number {
    const inCommon = this.#inCommon;
    const keys = this.#keys;
    for (let i = 0; i < inCommon; i++) {
      if (i === key.length) return 0;
      const difference = (key[i] as number) - (keys[i] as number);
      if (difference !== 0) return difference < 0 ? 0 : this.count;
    }
    const head = headOf(key, inCommon, key.length);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#heads[middle] as number;
      const isLess =
        other === head ? compareToRange(key, keys, this.#start(middle), this.#end(middle)) > 0 : other < head;
      if (isLess) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #start(i: number): number {
    return i === 0 ? 0 : (this.#keyEnds[i - 1] as number);
  }

  #end(i: number): number {
    return this.#keyEnds[i] as number;
  }
}
