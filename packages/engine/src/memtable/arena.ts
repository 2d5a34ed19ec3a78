import { KayaError } from "@kaya/core";
import { itemAt } from "./words.js";

/**
 * Where something stands in an arena, in 32 bits: the number of its chunk above, its place in units of 8 bytes below. It may
 * be negative; only `NO_ADDRESS` is none.
 */
export type Address = number;

export const NO_ADDRESS: Address = 0;

const UNITS_SHIFT = 15;
const UNITS_MASK = (1 << UNITS_SHIFT) - 1;
/** Large enough that a chunk costs nothing beside what is in it, small enough that making or emptying one is no pause. */
export const CHUNK_BYTES = 8 << UNITS_SHIFT;
/** What is larger gets a chunk of its own, which is freed with it: moving it would be slow, and leave holes. */
const LARGEST_SHARED = CHUNK_BYTES / 4;
/** Number 0 is never given out. */
const MAX_CHUNKS = 2 ** (32 - UNITS_SHIFT) - 1;
/** Of the numbers: so many are left to whoever makes room. */
const KEPT_FOR_COMPACTION = 4;
/** Emptied chunks that are kept for what comes next. */
const SPARE_CHUNKS = 4;

const NOTHING = { bytes: new Uint8Array(0), words: new Int32Array(0) };

export function chunkOf(address: Address): number {
  return address >>> UNITS_SHIFT;
}

export function addressOf(chunk: number, offset: number): Address {
  return (chunk << UNITS_SHIFT) | (offset >>> 3);
}

/** Offset in its chunk, in bytes. */
export function byteOffset(address: Address): number {
  return (address & UNITS_MASK) << 3;
}

/** Offset in its chunk, in words of 4 bytes. */
export function wordOffset(address: Address): number {
  return (address & UNITS_MASK) << 1;
}

/** Whether `length` bytes get a chunk of their own. */
export function standsAlone(length: number): boolean {
  return sizeOf(length) > LARGEST_SHARED;
}

/** What `length` bytes take in an arena. */
export function sizeOf(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/**
 * Memory off the JavaScript heap, in chunks, filled from front to end. Freeing only counts: a chunk is given back when
 * nothing in it is live, and `Compaction` moves the rest out of those that are mostly dead.
 */
export class Arena {
  /** The chunks by number. Read in place by whoever has an address; number 0 is never given out. */
  readonly bytes: Uint8Array[] = [NOTHING.bytes];
  /** The same memory as words. */
  readonly words: Int32Array[] = [NOTHING.words];
  readonly #live: number[] = [0];
  readonly #filled: number[] = [0];
  readonly #isEvacuated: boolean[] = [false];
  readonly #generations: number[] = [0];
  readonly #freeNumbers: number[] = [];
  readonly #spares: Uint8Array[] = [];
  /** The chunk that is being filled; 0 is full from the start. */
  #open = 0;
  #liveBytes = 0;
  #allocatedBytes = 0;
  readonly #maxChunks: number;

  /** @param maxChunks how many there may be. Default: as many as addresses can tell apart */
  constructor(maxChunks = MAX_CHUNKS) {
    this.#maxChunks = maxChunks;
  }

  /** How many chunks may be added. */
  get chunksLeft(): number {
    return this.#maxChunks - (this.bytes.length - 1) + this.#freeNumbers.length;
  }

  /** In what was allocated and not freed, rounding included. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** In all chunks that hold anything. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** In what was freed and holds up room in chunks that are in use. */
  get deadBytes(): number {
    const room = this.#open === 0 ? 0 : CHUNK_BYTES - itemAt(this.#filled, this.#open);
    return this.#allocatedBytes - this.#liveBytes - room;
  }

  /** @throws KayaError KAYA_MEMORY_LIMIT where no chunk is left: `MemoryBound` refuses a write before it comes to that */
  allocate(length: number): Address {
    const size = sizeOf(length);
    this.#liveBytes += size;
    if (standsAlone(length)) return this.#allocateAlone(size);
    let chunk = this.#open;
    let offset = itemAt(this.#filled, chunk);
    if (chunk === 0 || offset + size > CHUNK_BYTES) {
      chunk = this.#openChunk();
      offset = 0;
    }
    this.#filled[chunk] = offset + size;
    this.#live[chunk] = itemAt(this.#live, chunk) + size;
    return addressOf(chunk, offset);
  }

  /** `length` as it was allocated. */
  free(address: Address, length: number): void {
    const size = sizeOf(length);
    const chunk = chunkOf(address);
    this.#liveBytes -= size;
    const live = itemAt(this.#live, chunk) - size;
    this.#live[chunk] = live;
    if (live > 0) return;
    if (chunk === this.#open) this.#filled[chunk] = 0;
    else this.#release(chunk);
  }

  /** Bytes of a chunk that were ever given out: what is in them stands end to end. 0 where the chunk is gone. */
  filledBytes(chunk: number): number {
    return this.#filled[chunk] ?? 0;
  }

  /** How often the chunk was given back: another number, and another chunk bears the number now. */
  generationOf(chunk: number): number {
    return this.#generations[chunk] ?? 0;
  }

  /** The chunk that holds the least, should moving that away free at least a tenth; else 0. Never the open one, nor one twice. */
  emptiest(): number {
    if (this.chunksLeft < KEPT_FOR_COMPACTION) return 0;
    let best = 0;
    let least = 0.9;
    for (let chunk = 1; chunk < this.bytes.length; chunk++) {
      const filled = itemAt(this.#filled, chunk);
      if (filled === 0 || chunk === this.#open || itemAt(this.#isEvacuated, chunk)) continue;
      if (itemAt(this.bytes, chunk).length !== CHUNK_BYTES) continue;
      const share = itemAt(this.#live, chunk) / CHUNK_BYTES;
      if (share < least) [best, least] = [chunk, share];
    }
    return best;
  }

  /** All that could be moved out of the chunk was: the rest is pinned, and frees it when it goes. */
  markEvacuated(chunk: number): void {
    if (this.filledBytes(chunk) > 0) this.#isEvacuated[chunk] = true;
  }

  #openChunk(): number {
    this.#open = this.#addChunk(this.#spares.pop() ?? new Uint8Array(CHUNK_BYTES));
    return this.#open;
  }

  #allocateAlone(size: number): Address {
    const chunk = this.#addChunk(new Uint8Array(size));
    this.#filled[chunk] = size;
    this.#live[chunk] = size;
    return addressOf(chunk, 0);
  }

  #addChunk(bytes: Uint8Array): number {
    if (this.chunksLeft === 0)
      throw new KayaError("KAYA_MEMORY_LIMIT", "no chunk of memory is left to add to");
    const chunk = this.#freeNumbers.pop() ?? this.bytes.length;
    this.bytes[chunk] = bytes;
    this.words[chunk] = new Int32Array(bytes.buffer);
    this.#live[chunk] = 0;
    this.#filled[chunk] = 0;
    this.#isEvacuated[chunk] = false;
    this.#allocatedBytes += bytes.length;
    return chunk;
  }

  #release(chunk: number): void {
    const bytes = itemAt(this.bytes, chunk);
    this.#allocatedBytes -= bytes.length;
    if (bytes.length === CHUNK_BYTES && this.#spares.length < SPARE_CHUNKS) this.#spares.push(bytes);
    this.bytes[chunk] = NOTHING.bytes;
    this.words[chunk] = NOTHING.words;
    this.#filled[chunk] = 0;
    this.#generations[chunk] = this.generationOf(chunk) + 1;
    this.#freeNumbers.push(chunk);
  }
}
