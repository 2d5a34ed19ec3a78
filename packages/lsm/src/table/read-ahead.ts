import { KayaError } from "@kaya/core";
import type { BufferPool } from "../cache/buffer-pool.js";
import type { BlockReader } from "./block-reader.js";
import { DataBlock } from "./data-block.js";
import type { DataBlocks, DataItem } from "./data-blocks.js";
import { BlockKind, endOf, type Place, TRAILER_BYTES } from "./format.js";
import type { IndexPart, TableIndex } from "./table-index.js";

/** Bytes of the longest read of a cursor; it has two of them at most. */
export const READ_AHEAD_BYTES = 256 * 1024;

/**
 * After so many blocks a cursor counts as a scan: the next piece is read while this one is used, and pieces are not cached. A short range
 * ends before that, and finds its blocks in the cache the next time.
 */
const BLOCKS_TO_GO_ON = 4;

/** How a cursor reads blocks that are not in memory. */
export interface CursorOptions {
  /** Read several blocks at a time once it goes from one to the next, more and more of them, and the next ones beforehand. Default true. */
  readonly readAhead?: boolean;
  /** Put blocks that are read one by one, or behind a seek, into the cache. What a long scan reads ahead never gets there. Default true. */
  readonly fillCache?: boolean;
  /**
   * How many blocks a seek reads at once where the first of them is not cached: a range that goes on into the next one then waits for
   * one read, not for two. Default 1.
   */
  readonly seekBlocks?: number;
  /** Read what is not in memory synchronously: no move gives a promise. Default false. */
  readonly sync?: boolean;
}

/** A cursor's direction: 1 forward, -1 backward. */
export type Direction = 1 | -1;

/** Adjacent blocks of the file. */
interface Piece {
  readonly part: IndexPart;
  readonly first: number;
  readonly last: number;
  /** Of the file. */
  readonly offset: number;
  /** Of the pool: longer than the blocks, as a rule. */
  readonly buffer: Uint8Array;
}

/** A piece that is being read. */
interface Ahead {
  readonly first: number;
  readonly last: number;
  readonly piece: Promise<Piece>;
}

/**
 * Gets a cursor its data blocks: from the cache, one by one, or several at a time. It holds the last one until the next. It has at most two
 * buffers of the pool, and returns each as soon as it has neither a read nor a reader.
 */
export class ReadAhead {
  readonly #index: TableIndex;
  readonly #blocks: DataBlocks;
  readonly #reader: BlockReader;
  readonly #pool: BufferPool;
  readonly #readsAhead: boolean;
  readonly #fillsCache: boolean;
  readonly #seekBlocks: number;
  readonly isSync: boolean;
  #item: DataItem | undefined;
  #piece: Piece | undefined;
  #ahead: Ahead | undefined;
  /** The number of the last block, and the length of the run of adjacent blocks. */
  #previous = -2;
  #run = 0;

  #isClosed = false;

  constructor(
    index: TableIndex,
    blocks: DataBlocks,
    reader: BlockReader,
    pool: BufferPool,
    options: CursorOptions,
  ) {
    this.#index = index;
    this.#blocks = blocks;
    this.#reader = reader;
    this.#pool = pool;
    this.#readsAhead = options.readAhead ?? true;
    this.#fillsCache = options.fillCache ?? true;
    this.#seekBlocks = options.seekBlocks ?? 1;
    this.isSync = options.sync ?? false;
  }

  /** The block. It stays as it is until the next call. */
  take(ordinal: number, direction: Direction): DataBlock | Promise<DataBlock> {
    this.release();
    this.#run = ordinal === this.#previous + direction ? this.#run + 1 : 0;
    this.#previous = ordinal;
    // It went elsewhere, or turned round: the read under way is not for the next block.
    if (this.#run === 0 && !covers(this.#ahead, ordinal)) this.#dropAhead();
    const item = this.#blocks.cached(ordinal);
    if (item !== undefined) {
      item.pins++;
      this.#item = item;
      return item.block;
    }
    if (covers(this.#piece, ordinal)) return this.#fromPiece(this.#piece as Piece, ordinal, direction);
    if (this.isSync) return this.#readSync(ordinal, direction);
    if (covers(this.#ahead, ordinal)) return this.#fromAhead(ordinal, direction);
    return this.#read(ordinal, direction);
  }

  /** Releases the last block. */
  release(): void {
    if (this.#item !== undefined) this.#blocks.release(this.#item);
    this.#item = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.release();
    this.#stand(undefined);
    this.#dropAhead();
  }

  async #fromAhead(ordinal: number, direction: Direction): Promise<DataBlock> {
    const ahead = this.#ahead;
    this.#ahead = undefined; // also after a failure: the next call reads again
    const piece = await ahead?.piece;
    if (piece === undefined) return this.#read(ordinal, direction);
    this.#stand(piece);
    return this.#fromPiece(piece, ordinal, direction);
  }

  /** The piece before has no reader any more. @throws KayaError KAYA_CLOSED where it was closed while this one was read */
  #stand(piece: Piece | undefined): void {
    if (this.#piece !== undefined) this.#pool.give(this.#piece.buffer);
    this.#piece = piece;
    if (!this.#isClosed || piece === undefined) return;
    this.#stand(undefined);
    throw new KayaError("KAYA_CLOSED", `${this.#reader.path}: the cursor was closed while it moved`);
  }

  #dropAhead(): void {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    ahead?.piece.then(
      ({ buffer }) => this.#pool.give(buffer),
      () => undefined, // nobody needs these blocks
    );
  }

  #fromPiece(piece: Piece, ordinal: number, direction: Direction): DataBlock {
    const isLong = piece.last - piece.first + 1 >= BLOCKS_TO_GO_ON;
    if (isLong && this.#ahead === undefined && this.#run > 0 && !this.isSync) this.#goOn(piece, direction);
    const place = piece.part.placeOf(ordinal);
    const { offset } = place;
    const start = offset - piece.offset;
    const bytes = piece.buffer.subarray(start, start + place.length + TRAILER_BYTES);
    if (this.#run < BLOCKS_TO_GO_ON && this.#fillsCache) {
      this.#item = this.#blocks.adopt(ordinal, place, bytes);
      return this.#item.block;
    }
    const stored = this.#reader.check(bytes, BlockKind.Data, offset);
    return new DataBlock(this.#reader.rawOf(stored, offset), this.#reader.originAt(offset));
  }

  async #read(ordinal: number, direction: Direction): Promise<DataBlock> {
    const part = await this.#index.partOf(ordinal);
    if (part === undefined) throw new RangeError(`no data block ${ordinal}`);
    if (this.#readsSeveral) {
      const piece = await this.#readPiece(part, ordinal, direction);
      this.#stand(piece);
      return this.#fromPiece(piece, ordinal, direction);
    }
    const place = part.placeOf(ordinal);
    if (!this.#fillsCache) {
      const raw = await this.#reader.read(place, BlockKind.Data);
      return new DataBlock(raw, this.#reader.originAt(place.offset));
    }
    const item = await this.#blocks.load(ordinal, place);
    this.#item = item;
    return item.block;
  }

  #readSync(ordinal: number, direction: Direction): DataBlock {
    const part = this.#index.partOf(ordinal, true) as IndexPart | undefined; // no promise
    if (part === undefined) throw new RangeError(`no data block ${ordinal}`);
    if (this.#readsSeveral) {
      const { first, last } = this.#rangeFrom(part, ordinal, direction);
      const piece = this.#readRangeSync(part, first, last);
      this.#stand(piece);
      return this.#fromPiece(piece, ordinal, direction);
    }
    const place = part.placeOf(ordinal);
    if (!this.#fillsCache) {
      const raw = this.#reader.readSync(place, BlockKind.Data);
      return new DataBlock(raw, this.#reader.originAt(place.offset));
    }
    const item = this.#blocks.loadSync(ordinal, place);
    item.pins++;
    this.#item = item;
    return item.block;
  }

  get #readsSeveral(): boolean {
    return this.#readsAhead && (this.#run > 0 || this.#seekBlocks > 1);
  }

  /** Begins to read the piece behind this one. */
  #goOn(piece: Piece, direction: Direction): void {
    const next = direction === 1 ? piece.last + 1 : piece.first - 1;
    if (!piece.part.has(next)) return; // another part of the index: reading ahead begins again there
    const { first, last } = this.#rangeFrom(piece.part, next, direction);
    const ahead = this.#readRange(piece.part, first, last);
    ahead.catch(() => undefined); // reported when the blocks are needed
    this.#ahead = { first, last, piece: ahead };
  }

  #readPiece(part: IndexPart, ordinal: number, direction: Direction): Promise<Piece> {
    const { first, last } = this.#rangeFrom(part, ordinal, direction);
    return this.#readRange(part, first, last);
  }

  async #readRange(part: IndexPart, first: number, last: number): Promise<Piece> {
    const { piece, bytes } = this.#pieceFor(part, first, last);
    try {
      await this.#reader.fill(bytes, piece.offset);
    } catch (error) {
      this.#pool.give(piece.buffer);
      throw error;
    }
    return piece;
  }

  #readRangeSync(part: IndexPart, first: number, last: number): Piece {
    const { piece, bytes } = this.#pieceFor(part, first, last);
    try {
      this.#reader.fillSync(bytes, piece.offset);
    } catch (error) {
      this.#pool.give(piece.buffer);
      throw error;
    }
    return piece;
  }

  /** A piece to read, and the place of its bytes. */
  #pieceFor(part: IndexPart, first: number, last: number): { piece: Piece; bytes: Uint8Array } {
    const { offset } = part.placeOf(first);
    const length = endOf(part.placeOf(last)) - offset;
    const buffer = this.#pool.take(length);
    return { piece: { part, first, last, offset, buffer }, bytes: buffer.subarray(0, length) };
  }

  /** Twice as many blocks each time in a run; at a seek those that were asked for. */
  #rangeFrom(part: IndexPart, ordinal: number, direction: Direction): { first: number; last: number } {
    const most = this.#run === 0 ? this.#seekBlocks : 2 ** Math.min(this.#run, 16);
    let other = ordinal;
    const start = part.placeOf(ordinal);
    for (let count = 1; count < most; count++) {
      const next = other + direction;
      if (!part.has(next)) break;
      const place = part.placeOf(next);
      if (lengthBetween(start, place) > READ_AHEAD_BYTES) break;
      other = next;
    }
    return direction === 1 ? { first: ordinal, last: other } : { first: other, last: ordinal };
  }
}

function covers(
  range: { readonly first: number; readonly last: number } | undefined,
  ordinal: number,
): boolean {
  return range !== undefined && ordinal >= range.first && ordinal <= range.last;
}

function lengthBetween(a: Place, b: Place): number {
  return Math.abs(a.offset < b.offset ? endOf(b) - a.offset : endOf(a) - b.offset);
}
