import { KayaError } from "@kaya/core";
import { type BlockCache, fingerprintOf } from "../cache/block-cache.js";
import { CacheItem } from "../cache/cache-item.js";
import type { BlockReader } from "./block-reader.js";
import { DataBlock } from "./data-block.js";
import { BlockKind, Encoding, type Place, TRAILER_BYTES } from "./format.js";
import { SparseList } from "./sparse-list.js";

/** A data block in the cache, with its buffer. */
export class DataItem extends CacheItem {
  readonly block: DataBlock;
  readonly #buffer: Uint8Array;
  readonly #forget: (item: DataItem) => void;
  readonly #giveBack: (buffer: Uint8Array) => void;

  constructor(
    block: DataBlock,
    buffer: Uint8Array,
    fingerprint: number,
    forget: (item: DataItem) => void,
    giveBack: (buffer: Uint8Array) => void,
  ) {
    super(buffer.length, fingerprint);
    this.block = block;
    this.#buffer = buffer;
    this.#forget = forget;
    this.#giveBack = giveBack;
  }

  // A buffer with readers is left to the garbage collector: reuse would change its bytes under them.
  gone(isFree: boolean): void {
    this.#forget(this);
    if (isFree) this.#giveBack(this.#buffer);
  }
}

/** A read under way, and the number of its waiters. */
interface Loading {
  waiters: number;
  readonly item: Promise<DataItem>;
}

/** The data blocks of one table: in the cache, or read into it. */
export class DataBlocks {
  readonly #reader: BlockReader;
  readonly #cache: BlockCache;
  readonly #owner: number;
  readonly #items = new SparseList<DataItem>();
  readonly #loading = new Map<number, Loading>();
  #isClosed = false;
  readonly #giveBack = (buffer: Uint8Array): void => this.#cache.pool.give(buffer);

  constructor(reader: BlockReader, cache: BlockCache, owner: number) {
    this.#reader = reader;
    this.#cache = cache;
    this.#owner = owner;
  }

  /** The block if it is in the cache. Its bytes may be used again after this turn, unless it is pinned. */
  cached(ordinal: number): DataItem | undefined {
    const item = this.#items.get(ordinal);
    if (item === undefined) return undefined;
    if (item.frequency < 3) item.frequency++;
    this.#cache.hits++;
    return item;
  }

  /**
   * Reads a block that is not in the cache, once for all concurrent callers. The item is pinned for the caller, who must call `release`:
   * before the caller's turn other code may run and evict it.
   */
  load(ordinal: number, place: Place): Promise<DataItem> {
    this.#cache.misses++;
    let loading = this.#loading.get(ordinal);
    if (loading === undefined) {
      loading = { waiters: 0, item: this.#read(ordinal, place) };
      this.#loading.set(ordinal, loading);
    }
    loading.waiters++;
    return loading.item;
  }

  /** Undoes one pin. */
  release(item: DataItem): void {
    item.pins--;
  }

  /** Reads a block now. Its bytes are valid in this turn. */
  loadSync(ordinal: number, place: Place): DataItem {
    this.#cache.misses++;
    const { pool } = this.#cache;
    const buffer = pool.take(place.length + TRAILER_BYTES);
    this.#reader.fillSync(buffer.subarray(0, place.length + TRAILER_BYTES), place.offset);
    return this.#keep(ordinal, this.#itemFrom(buffer, ordinal, place));
  }

  /**
   * Adds a copy of a block that was read together with others. The item is pinned for the caller, as by `load`.
   * @param stored with its trailer
   */
  adopt(ordinal: number, place: Place, stored: Uint8Array): DataItem {
    this.#cache.misses++;
    const buffer = this.#cache.pool.take(stored.length);
    buffer.set(stored);
    const item = this.#keep(ordinal, this.#itemFrom(buffer, ordinal, place));
    item.pins++;
    return item;
  }

  close(): void {
    this.#isClosed = true;
    for (const item of this.#items.values()) this.#cache.remove(item);
  }

  async #read(ordinal: number, place: Place): Promise<DataItem> {
    const { pool } = this.#cache;
    const buffer = pool.take(place.length + TRAILER_BYTES);
    try {
      await this.#reader.fill(buffer.subarray(0, place.length + TRAILER_BYTES), place.offset);
      if (this.#isClosed) throw new KayaError("KAYA_CLOSED", `${this.#reader.path} was closed meanwhile`);
      const item = this.#keep(ordinal, this.#itemFrom(buffer, ordinal, place));
      item.pins += this.#loading.get(ordinal)?.waiters ?? 0;
      return item;
    } finally {
      this.#loading.delete(ordinal);
    }
  }

  #itemFrom(buffer: Uint8Array, ordinal: number, { offset, length }: Place): DataItem {
    const { pool } = this.#cache;
    const stored = this.#reader.check(buffer.subarray(0, length + TRAILER_BYTES), BlockKind.Data, offset);
    let kept = buffer;
    let bytes = stored.bytes;
    if (stored.encoding !== Encoding.Raw) {
      const raw = this.#reader.rawOf(stored, offset);
      kept = pool.take(raw.length);
      kept.set(raw);
      bytes = kept.subarray(0, raw.length);
      pool.give(buffer);
    }
    const block = new DataBlock(bytes, this.#reader.originAt(offset));
    return new DataItem(
      block,
      kept,
      fingerprintOf(this.#owner, ordinal),
      this.#forgetAt(ordinal),
      this.#giveBack,
    );
  }

  #forgetAt(ordinal: number): (item: DataItem) => void {
    return (item) => {
      if (this.#items.get(ordinal) === item) this.#items.delete(ordinal);
    };
  }

  /** If another read of the same block was faster, this one is only for its caller. */
  #keep(ordinal: number, item: DataItem): DataItem {
    const known = this.#items.get(ordinal);
    if (known !== undefined) return known;
    if (this.#cache.add(item)) this.#items.set(ordinal, item);
    return item;
  }
}
