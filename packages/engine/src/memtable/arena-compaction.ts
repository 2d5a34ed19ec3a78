import { type Address, type Arena, addressOf, CHUNK_BYTES, sizeOf } from "./arena.js";
import { isFreed, lengthOf } from "./record.js";

/** What an arena may take, as a multiple of what is live in it, before compaction begins. */
const TOLERATED = 1.33;

/**
 * Gives back the memory of records that are gone, a few at a time: what is live in the chunk that holds the least is moved
 * to the end of the arena, and the chunk goes as a whole.
 */
export class ArenaCompaction {
  readonly #arena: Arena;
  readonly #move: (address: Address) => void;
  /** The chunk that is being emptied (0: none), and how far. */
  #chunk = 0;
  #generation = 0;
  #offset = 0;
  /** Unused bytes when no chunk was worth emptying: another look pays once that has changed. */
  #unusedBefore = Number.POSITIVE_INFINITY;

  /** @param move moves a record elsewhere if it is in use, and retires it here */
  constructor(arena: Arena, move: (address: Address) => void) {
    this.#arena = arena;
    this.#move = move;
  }

  get hasWork(): boolean {
    return this.#chunk !== 0 || this.#isWasteful();
  }

  /** Walks over up to `budget` bytes of records. */
  work(budget: number): void {
    if (this.#chunk === 0 && !this.#begin()) return;
    let left = budget;
    while (left > 0) {
      // The last record in it may have been freed meanwhile, and its number given to another chunk.
      const isGone = this.#arena.generationOf(this.#chunk) !== this.#generation;
      if (isGone || this.#offset >= this.#arena.filledBytes(this.#chunk)) {
        if (!isGone) this.#arena.markEvacuated(this.#chunk);
        this.#chunk = 0;
        return;
      }
      const address = addressOf(this.#chunk, this.#offset);
      const size = sizeOf(lengthOf(this.#arena, address));
      this.#offset += size;
      if (isFreed(this.#arena, address)) left -= size / 8;
      else {
        left -= size;
        this.#move(address);
      }
    }
  }

  #isWasteful(): boolean {
    const { liveBytes, allocatedBytes } = this.#arena;
    if (allocatedBytes <= TOLERATED * liveBytes + CHUNK_BYTES) return false;
    return Math.abs(allocatedBytes - liveBytes - this.#unusedBefore) > CHUNK_BYTES;
  }

  #begin(): boolean {
    if (!this.#isWasteful()) return false;
    this.#chunk = this.#arena.emptiest();
    this.#generation = this.#arena.generationOf(this.#chunk);
    this.#offset = 0;
    const { liveBytes, allocatedBytes } = this.#arena;
    this.#unusedBefore = this.#chunk === 0 ? allocatedBytes - liveBytes : Number.POSITIVE_INFINITY;
    return this.#chunk !== 0;
  }
}
