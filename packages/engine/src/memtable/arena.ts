import { invariant } from "@kaya/core";
import { itemAt, wordAt } from "./words.js";

/**
 * Where something stands in an arena, in 32 bits: the number of its chunk above, its place in units of 8 bytes below. It may
 * be negative; only `NO_ADDRESS` is none.
 */
export type Address = number;

export const NO_ADDRESS: Address = 0;

const UNITS_SHIFT = 15;
const UNITS_MASK = (1 << UNITS_SHIFT) - 1;
/** Large enough that a chunk costs nothing beside its content, small enough that making one is no pause. */
export const CHUNK_BYTES = 8 << UNITS_SHIFT;
/** A larger block gets a chunk of its own, which is freed with it. */
const LARGEST_SHARED = CHUNK_BYTES / 4;
/** Number 0 is never given out. */
const MAX_CHUNKS = 2 ** (32 - UNITS_SHIFT) - 1;
/** Chunks of bytes that were adopted, at most: those may be small. */
const MOST_ADOPTED = MAX_CHUNKS >>> 3;
/** Each chunk but the last and the adopted ones has more than `LARGEST_SHARED` bytes in use: below this `usedBytes` the addresses suffice. */
export const MAX_ARENA_BYTES = (MAX_CHUNKS - MOST_ADOPTED) * LARGEST_SHARED;
/** Emptied chunks that are kept for later. */
const SPARE_CHUNKS = 4;

/** Up to this length the sizes of blocks are multiples of 8. Above it there are 16 sizes from one power of two to the next. */
const LARGEST_EXACT = 512;
const EXACT_CLASSES = LARGEST_EXACT / 8;
const CLASSES = EXACT_CLASSES + 16 * Math.log2(LARGEST_SHARED / LARGEST_EXACT) + 1;

// A freed block has in its first words the two others of its free list that are next to it, and its size.
const NEXT = 0;
const PREVIOUS = 1;
const SIZE = 2;

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

/** The bytes that `length` bytes take in an arena. Few sizes: a freed block is found again by its size. */
export function sizeOf(length: number): number {
  if (length <= LARGEST_EXACT || length > LARGEST_SHARED) return Math.ceil(length / 8) * 8;
  const step = 1 << (27 - Math.clz32(length - 1));
  return (length + step - 1) & -step;
}

/** The number of a size that is not above `LARGEST_SHARED`. */
function classOf(size: number): number {
  if (size <= LARGEST_EXACT) return size >>> 3;
  const exponent = 31 - Math.clz32(size - 1);
  return EXACT_CLASSES + 16 * (exponent - 9) + ((size - (1 << exponent)) >>> (exponent - 4));
}

/**
 * Memory off the JavaScript heap, in chunks, filled from front to end. A freed block goes to the next allocation of the same size. A
 * chunk in which every block is freed is emptied as a whole.
 */
export class Arena {
  /** The chunks by number, read in place. Number 0 is never given out. */
  readonly bytes: Uint8Array[] = [NOTHING.bytes];
  /** The same memory as words. */
  readonly words: Int32Array[] = [NOTHING.words];
  readonly #live: number[] = [0];
  readonly #filled: number[] = [0];
  readonly #freeNumbers: number[] = [];
  readonly #spares: Uint8Array[] = [];
  /** The first freed block of each size. */
  readonly #freed = new Int32Array(CLASSES);
  /** The chunk that is being filled; 0 is full from the start. */
  #open = 0;
  #liveBytes = 0;
  #allocatedBytes = 0;
  #adopted = 0;

  /** In blocks that are allocated and not freed. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** In all chunks that hold anything. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** `allocatedBytes` without the room at the end of the chunk that is being filled. */
  get usedBytes(): number {
    return this.#open === 0
      ? this.#allocatedBytes
      : this.#allocatedBytes - CHUNK_BYTES + itemAt(this.#filled, this.#open);
  }

  /** In freed blocks, and at the ends of chunks that are full. */
  get deadBytes(): number {
    return this.usedBytes - this.#liveBytes;
  }

  /** @param length at least 20 bytes: a freed block has words of its own. Below `MAX_ARENA_BYTES` there is always room. */
  allocate(length: number): Address {
    const size = sizeOf(length);
    this.#liveBytes += size;
    if (size > LARGEST_SHARED) return this.#allocateAlone(size);
    const freed = wordAt(this.#freed, classOf(size));
    const address = freed === NO_ADDRESS ? this.#append(size) : freed;
    if (freed !== NO_ADDRESS) this.#unlink(freed, size);
    const chunk = chunkOf(address);
    this.#live[chunk] = itemAt(this.#live, chunk) + size;
    return address;
  }

  /**
   * Takes bytes as a block of their own, without a copy: they are the arena's from now on. It is not counted among the blocks that audits look
   * at one by one. Undefined where numbers for chunks run short: smaller blocks need them.
   */
  adopt(bytes: Uint8Array): number | undefined {
    if (this.#adopted >= MOST_ADOPTED) return undefined;
    const chunk = this.#takeNumber();
    this.#adopted++;
    this.bytes[chunk] = bytes;
    this.words[chunk] = NOTHING.words;
    this.#live[chunk] = bytes.length;
    this.#filled[chunk] = bytes.length;
    this.#liveBytes += bytes.length;
    this.#allocatedBytes += bytes.length;
    return chunk;
  }

  /** Lets go of what `adopt` took. */
  letGo(chunk: number): void {
    const { length } = itemAt(this.bytes, chunk);
    this.#adopted--;
    this.#liveBytes -= length;
    this.#allocatedBytes -= length;
    this.#forget(chunk);
  }

  /** `length` as it was allocated. Keeps the words of the block from the fourth on. */
  free(address: Address, length: number): void {
    const size = sizeOf(length);
    const chunk = chunkOf(address);
    this.#liveBytes -= size;
    const live = itemAt(this.#live, chunk) - size;
    this.#live[chunk] = live;
    if (size > LARGEST_SHARED) {
      this.#release(chunk);
      return;
    }
    this.#link(address, size);
    if (live === 0) this.#empty(chunk);
  }

  /** The freed blocks with their sizes. For audits. */
  *freed(): Iterable<readonly [address: Address, size: number]> {
    for (let sizeClass = 0; sizeClass < CLASSES; sizeClass++) {
      for (let at = wordAt(this.#freed, sizeClass); at !== NO_ADDRESS; at = this.#word(at, NEXT)) {
        const size = this.#word(at, SIZE);
        invariant(classOf(size) === sizeClass, "M2", "a freed block is in the list of another size");
        yield [at, size];
      }
    }
  }

  /** In all blocks, those that are freed too. For audits. */
  get filledBytes(): number {
    return this.#filled.reduce((sum, filled) => sum + filled, 0);
  }

  #append(size: number): Address {
    let offset = itemAt(this.#filled, this.#open);
    if (this.#open === 0 || offset + size > CHUNK_BYTES) {
      this.#open = this.#addChunk(this.#spares.pop() ?? new Uint8Array(CHUNK_BYTES));
      offset = 0;
    }
    this.#filled[this.#open] = offset + size;
    return addressOf(this.#open, offset);
  }

  #allocateAlone(size: number): Address {
    const chunk = this.#addChunk(new Uint8Array(size));
    this.#filled[chunk] = size;
    this.#live[chunk] = size;
    return addressOf(chunk, 0);
  }

  #addChunk(bytes: Uint8Array): number {
    const chunk = this.#takeNumber();
    this.bytes[chunk] = bytes;
    this.words[chunk] = new Int32Array(bytes.buffer);
    this.#live[chunk] = 0;
    this.#filled[chunk] = 0;
    this.#allocatedBytes += bytes.length;
    return chunk;
  }

  #takeNumber(): number {
    const chunk = this.#freeNumbers.pop() ?? this.bytes.length;
    invariant(chunk <= MAX_CHUNKS, "M3", `a memtable is sealed before it has ${MAX_ARENA_BYTES} bytes`);
    return chunk;
  }

  /** Takes the blocks of a chunk, all of which are freed, out of their lists. Each was allocated since the chunk was last empty. */
  #empty(chunk: number): void {
    const filled = itemAt(this.#filled, chunk);
    for (let offset = 0; offset < filled; ) {
      const address = addressOf(chunk, offset);
      const size = this.#word(address, SIZE);
      this.#unlink(address, size);
      offset += size;
    }
    this.#filled[chunk] = 0;
    if (chunk !== this.#open) this.#release(chunk);
  }

  #release(chunk: number): void {
    const bytes = itemAt(this.bytes, chunk);
    this.#allocatedBytes -= bytes.length;
    if (bytes.length === CHUNK_BYTES && this.#spares.length < SPARE_CHUNKS) this.#spares.push(bytes);
    this.#forget(chunk);
  }

  #forget(chunk: number): void {
    this.bytes[chunk] = NOTHING.bytes;
    this.words[chunk] = NOTHING.words;
    this.#filled[chunk] = 0;
    this.#freeNumbers.push(chunk);
  }

  #link(address: Address, size: number): void {
    const sizeClass = classOf(size);
    const next = wordAt(this.#freed, sizeClass);
    this.#setWord(address, NEXT, next);
    this.#setWord(address, PREVIOUS, NO_ADDRESS);
    this.#setWord(address, SIZE, size);
    if (next !== NO_ADDRESS) this.#setWord(next, PREVIOUS, address);
    this.#freed[sizeClass] = address;
  }

  #unlink(address: Address, size: number): void {
    const next = this.#word(address, NEXT);
    const previous = this.#word(address, PREVIOUS);
    if (previous === NO_ADDRESS) this.#freed[classOf(size)] = next;
    else this.#setWord(previous, NEXT, next);
    if (next !== NO_ADDRESS) this.#setWord(next, PREVIOUS, previous);
  }

  #word(address: Address, word: number): number {
    return wordAt(itemAt(this.words, chunkOf(address)), wordOffset(address) + word);
  }

  #setWord(address: Address, word: number, value: number): void {
    itemAt(this.words, chunkOf(address))[wordOffset(address) + word] = value;
  }
}
