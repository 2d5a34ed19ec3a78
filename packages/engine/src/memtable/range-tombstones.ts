import type { SequenceNumber } from "@kaya/core";
import type { RangeTombstone } from "@kaya/lsm";
import { compareBytes, copyBytes } from "./bytes.js";
import type { Pins } from "./pins.js";
import { OBJECT } from "./retired.js";

/** The object of a piece with its two bounds, about. */
const PIECE_BYTES = 460;
const BLOCK_BYTES = 100;
const PLACE_BYTES = 8;
/** A change copies a block and the places of all blocks: for a hundred thousand pieces that is about a thousand words. */
const LARGEST_BLOCK = 256;

/** Keys that a range tombstone covers, and no later one. */
export class Piece implements RangeTombstone {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly sequence: SequenceNumber;
  /** The memtable's time when it was made: a later tombstone may have cut it out of a larger piece. */
  readonly birth: SequenceNumber;

  constructor(
    start: Uint8Array,
    end: Uint8Array | undefined,
    sequence: SequenceNumber,
    birth: SequenceNumber,
  ) {
    this.start = start;
    this.end = end;
    this.sequence = sequence;
    this.birth = birth;
  }

  get bytes(): number {
    return PIECE_BYTES + this.start.length + (this.end?.length ?? 0);
  }

  includes(key: Uint8Array): boolean {
    return compareBytes(this.start, key) <= 0 && (this.end === undefined || compareBytes(key, this.end) < 0);
  }
}

/** Some of the pieces, next to each other. There is at least one. */
export class Block {
  readonly pieces: readonly Piece[];
  readonly birth: SequenceNumber;

  constructor(pieces: readonly Piece[], birth: SequenceNumber) {
    this.pieces = pieces;
    this.birth = birth;
  }

  get bytes(): number {
    return BLOCK_BYTES + this.pieces.length * PLACE_BYTES;
  }

  get start(): Uint8Array {
    return (this.pieces[0] as Piece).start; // there is one
  }

  get end(): Uint8Array | undefined {
    return (this.pieces[this.pieces.length - 1] as Piece).end; // as above
  }
}

/** A piece by its block and its place there. */
interface Position {
  readonly block: number;
  readonly index: number;
}

/**
 * Pieces in key order, none of which overlap: a look-up is two binary searches, however many tombstones there are. It never changes: a
 * snapshot holds it as it is.
 */
export class PieceList {
  readonly blocks: readonly Block[];
  readonly birth: SequenceNumber;
  /** The highest sequence of a piece; 0 where there is none. */
  readonly newest: SequenceNumber;

  static readonly EMPTY: PieceList = new PieceList([], 0, 0);

  constructor(blocks: readonly Block[], birth: SequenceNumber, newest: SequenceNumber) {
    this.blocks = blocks;
    this.birth = birth;
    this.newest = newest;
  }

  get isEmpty(): boolean {
    return this.blocks.length === 0;
  }

  get bytes(): number {
    return this.blocks.length * PLACE_BYTES;
  }

  /** All of them, in an array of the caller's. */
  get pieces(): Piece[] {
    return this.blocks.flatMap(({ pieces }) => pieces);
  }

  /** The piece that the key is in. */
  covering(key: Uint8Array): Piece | undefined {
    if (this.blocks.length === 0) return undefined;
    const block = this.blocks[countEndingBefore(this.blocks, key)];
    const piece = block?.pieces[countEndingBefore(block.pieces, key)];
    return piece !== undefined && compareBytes(piece.start, key) <= 0 ? piece : undefined;
  }

  /** The first piece that ends behind the key; behind the last piece where none does. */
  firstEndingBehind(key: Uint8Array): Position {
    const block = countEndingBefore(this.blocks, key);
    const pieces = this.blocks[block]?.pieces;
    if (pieces !== undefined) return { block, index: countEndingBefore(pieces, key) };
    return { block: block - 1, index: this.blocks[block - 1]?.pieces.length ?? 0 };
  }

  /** Behind the last piece that begins before the end, but not before `from`. */
  behindThoseBeginningBefore(end: Uint8Array | undefined, from: Position): Position {
    const block = countBeginningBefore(this.blocks, end) - 1;
    if (block < from.block) return from;
    const index = countBeginningBefore(this.blocks[block]?.pieces ?? [], end);
    return block === from.block && index < from.index ? from : { block, index };
  }
}

/** The range tombstones of the present. */
export class RangeTombstones {
  readonly #pins: Pins;
  #list = PieceList.EMPTY;
  #usedBytes = 0;

  constructor(pins: Pins) {
    this.#pins = pins;
  }

  get list(): PieceList {
    return this.#list;
  }

  /** In the list of the present. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * Adds a tombstone, whose bounds it copies. It is newer than all others, so it takes their places wherever it reaches.
   * @param end behind `start`; undefined: behind every key
   */
  add(start: Uint8Array, end: Uint8Array | undefined, sequence: SequenceNumber): void {
    const list = this.#list;
    const added = new Piece(copyBytes(start), end && copyBytes(end), sequence, sequence);
    const from = list.firstEndingBehind(start);
    const to = list.behindThoseBeginningBefore(end, from);
    const old = list.blocks.slice(Math.max(from.block, 0), to.block + 1);
    const before = old[0]?.pieces.slice(0, from.index) ?? [];
    const behind = old.at(-1)?.pieces.slice(to.index) ?? [];
    const all = old.flatMap(({ pieces }) => pieces);
    const cut = all.slice(before.length, all.length - behind.length);
    const pieces = aroundOf(cut, added);
    const blocks = inBlocks([...before, ...pieces, ...behind], sequence);
    this.#list = new PieceList(
      list.blocks.toSpliced(Math.max(from.block, 0), old.length, ...blocks),
      sequence,
      sequence,
    );
    for (const object of [this.#list, ...blocks, ...pieces]) this.#usedBytes += object.bytes;
    for (const object of [list, ...old, ...cut]) {
      this.#usedBytes -= object.bytes;
      this.#pins.retire(OBJECT, object);
    }
  }
}

/** What takes the place of the pieces that overlap a new one: the ends of them that it does not reach, and itself. */
function aroundOf(cut: readonly Piece[], added: Piece): Piece[] {
  const [first, last] = [cut[0], cut.at(-1)];
  const pieces = [added];
  if (first !== undefined && compareBytes(first.start, added.start) < 0)
    pieces.unshift(new Piece(first.start, added.start, first.sequence, added.birth));
  if (last !== undefined && added.end !== undefined && isBehind(last.end, added.end))
    pieces.push(new Piece(added.end, last.end, last.sequence, added.birth));
  return pieces;
}

/** As few blocks as the pieces fit in, and about as large as each other. */
function inBlocks(pieces: readonly Piece[], birth: SequenceNumber): Block[] {
  const count = Math.ceil(pieces.length / LARGEST_BLOCK);
  const length = Math.ceil(pieces.length / count);
  return Array.from(
    { length: count },
    (_, i) => new Block(pieces.slice(i * length, (i + 1) * length), birth),
  );
}

function isBehind(end: Uint8Array | undefined, key: Uint8Array): boolean {
  return end === undefined || compareBytes(key, end) < 0;
}

/** How many of the sorted items end before the key, or at it. */
function countEndingBefore(items: readonly (Piece | Block)[], key: Uint8Array): number {
  let from = 0;
  let to = items.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBehind((items[middle] as Piece | Block).end, key))
      to = middle; // middle is below the length
    else from = middle + 1;
  }
  return from;
}

/** How many of the sorted items begin before the end. */
function countBeginningBefore(items: readonly (Piece | Block)[], end: Uint8Array | undefined): number {
  if (end === undefined) return items.length;
  let from = 0;
  let to = items.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (compareBytes((items[middle] as Piece | Block).start, end) < 0)
      from = middle + 1; // as above
    else to = middle;
  }
  return from;
}
