import { describe, KayaError, readOptions } from "@kaya/core";
import { BufferPool } from "./buffer-pool.js";
import { type CacheItem, ItemQueue } from "./cache-item.js";
import { Ghosts } from "./ghosts.js";
import { RowCache } from "./row-cache.js";

/** The budget of a cache. */
export interface BlockCacheOptions {
  /**
   * Most bytes that it holds: data blocks, rows, indexes and filters of every table that uses it. 0 keeps
   * nothing.
   */
  readonly bytes: number;
}

/** What a cache holds, and how often it had what was asked for. */
export interface BlockCacheStats {
  /** The budget that it was made with. */
  readonly capacityBytes: number;
  /** Bytes of buffers that it holds now, including those that wait for their next use. */
  readonly bytes: number;
  /** How many blocks, indexes and filters are in it. */
  readonly items: number;
  /**
   * How often a data block was looked for and was there. A block that was not needed, because its row was
   * there, does not count.
   */
  readonly hits: number;
  /** How often a data block was looked for and was not there. */
  readonly misses: number;
  /** How many single entries it holds of blocks that are not in it. */
  readonly rows: number;
  /** How many gets a single entry answered. */
  readonly rowHits: number;
  /** How many items were removed to make room. */
  readonly evictions: number;
}

const TYPICAL_BLOCK = 16 * 1024;
/** Most bytes of free buffers: enough for a scan over ten tables. */
const READ_AHEAD_POOL = { mostFree: 4 * 2 ** 20, unit: 32 * 1024, largest: 256 * 1024 };
/** The part of the budget for items that were used once. */
const SMALL_PART = 1 / 10;
/** An item larger than this part of the budget is used and not kept. */
const LARGEST_PART = 1 / 4;
/** Rows take so much of the budget at most. */
const ROWS_PART = 1 / 4;

/**
 * One budget for the blocks of many tables, off the JavaScript heap. It is S3-FIFO (Yang and others, "FIFO Queues are All You Need for
 * Cache Eviction", SOSP 2023): what is new waits in a small queue, and only what is asked for again gets into the large one. So a scan
 * passes through the small queue and leaves the large one as it is. A hit moves nothing.
 *
 * Where the blocks of what is asked for often do not all fit, rows of them do: they take a part of the same budget as they come.
 */
export class BlockCache {
  readonly #capacity: number;
  readonly #usable: number;
  readonly #small = new ItemQueue();
  readonly #main = new ItemQueue();
  readonly #ghosts: Ghosts;
  /** The buffers of the tables that use the cache: each holds a block. */
  readonly pool: BufferPool;
  /** The buffers of cursors that read ahead in these tables. They are outside the budget. */
  readonly readAheadPool = new BufferPool(READ_AHEAD_POOL);
  /** The single entries of the tables that use the cache. */
  readonly rows: RowCache;
  /** How often a data block was looked for and was there. */
  hits = 0;
  /** How often a data block was looked for and was not there. */
  misses = 0;
  #evictions = 0;
  #owners = 0;

  /** @throws KayaError KAYA_INVALID_ARGUMENT */
  constructor(options: BlockCacheOptions) {
    const { bytes } = readOptions(options, ["bytes"], "the options of BlockCache");
    if (bytes === undefined || !Number.isSafeInteger(bytes) || bytes < 0) {
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        `BlockCache: bytes must be a whole number >= 0, not ${describe(bytes)}`,
      );
    }
    this.#capacity = bytes;
    this.#ghosts = new Ghosts(bytes / TYPICAL_BLOCK);
    const free = Math.min(bytes / 16, 2 ** 20);
    this.pool = new BufferPool({ mostFree: free });
    this.#usable = Math.max(0, bytes - free - this.#ghosts.byteLength);
    this.rows = new RowCache(this.#usable * ROWS_PART, (bytes) => this.#makeRoom(bytes));
  }

  /** What the cache holds, and how often it had what was asked for. */
  get stats(): BlockCacheStats {
    return {
      capacityBytes: this.#capacity,
      bytes: this.#used + this.pool.freeBytes + (this.#capacity === 0 ? 0 : this.#ghosts.byteLength),
      items: this.#small.count + this.#main.count,
      hits: this.hits,
      misses: this.misses,
      rows: this.rows.count,
      rowHits: this.rows.hits,
      evictions: this.#evictions,
    };
  }

  /** A number for a table: with a block's it makes a fingerprint. */
  newOwner(): number {
    return ++this.#owners;
  }

  get #used(): number {
    return this.#small.bytes + this.#main.bytes + this.rows.bytes;
  }

  /**
   * Takes an item in, and puts others out to make room for it. Returns false where it is not kept: it is too long, or readers have pinned
   * what stands in its way. `gone` is not called then.
   * @param isPrecious an index or filter: many look-ups need it, so it does not have to prove itself
   */
  add(item: CacheItem, isPrecious = false): boolean {
    const most = isPrecious ? this.#usable - this.rows.mostBytes : this.#usable * LARGEST_PART;
    if (item.charge > most || !this.#makeRoom(item.charge)) return false;
    const isKnown = this.#ghosts.take(item.fingerprint);
    (isPrecious || isKnown ? this.#main : this.#small).add(item);
    return true;
  }

  /** Takes an item out that its owner has no use for. */
  remove(item: CacheItem): void {
    if (item.queue === undefined) return;
    item.queue.remove(item);
    item.gone(item.pins === 0);
  }

  /** Evicts items until so many bytes fit. False if readers have pinned too much: the budget is never exceeded. */
  #makeRoom(bytes: number): boolean {
    const most = this.#usable - bytes;
    // Each round evicts one, moves one on, or lowers a frequency.
    let rounds = 2 * this.#small.count + 6 * this.#main.count;
    while (this.#used > most && rounds-- > 0) {
      const fromSmall = this.#small.bytes > this.#usable * SMALL_PART || this.#main.count === 0;
      if (fromSmall) this.#shrinkSmall();
      else this.#shrinkMain();
    }
    return this.#used <= most;
  }

  #shrinkSmall(): void {
    const item = this.#small.takeOldest();
    if (item === undefined) return;
    if (item.pins > 0) {
      this.#small.add(item);
    } else if (item.frequency > 0) {
      item.frequency = 0;
      this.#main.add(item);
    } else {
      this.#ghosts.add(item.fingerprint);
      this.#putOut(item);
    }
  }

  #shrinkMain(): void {
    const item = this.#main.takeOldest();
    if (item === undefined) return;
    if (item.pins > 0) {
      this.#main.add(item);
    } else if (item.frequency > 0) {
      item.frequency--;
      this.#main.add(item);
    } else {
      this.#putOut(item);
    }
  }

  #putOut(item: CacheItem): void {
    this.#evictions++;
    item.gone(true);
  }
}

/** Stands for block `number` of `owner`, mixed well enough for a table without chains. Never 0. */
export function fingerprintOf(owner: number, number: number): number {
  let hash = Math.imul(owner, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca77);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  hash ^= hash >>> 13;
  return hash === 0 ? 1 : hash;
}
