import { type BlockCache, fingerprintOf } from "../cache/block-cache.js";
import { CacheItem } from "../cache/cache-item.js";
import type { BlockReader } from "./block-reader.js";
import { Filter } from "./filter.js";
import { BlockKind, type Place } from "./format.js";

// Fingerprints of data blocks begin at 0, those of index parts at 2^31 - 1.
const FINGERPRINT = 2 ** 31 - 2;

class FilterItem extends CacheItem {
  readonly filter: Filter;
  readonly #forget: () => void;

  constructor(filter: Filter, fingerprint: number, forget: () => void) {
    super(filter.byteLength, fingerprint);
    this.filter = filter;
    this.#forget = forget;
  }

  gone(): void {
    this.#forget();
  }
}

/** A table's filter, read at its first use and kept in the cache. */
export class TableFilter {
  readonly #reader: BlockReader;
  readonly #place: Place | undefined;
  readonly #cache: BlockCache;
  readonly #fingerprint: number;
  #item: FilterItem | undefined;
  #loading: Promise<Filter> | undefined;
  #isClosed = false;

  constructor(reader: BlockReader, place: Place | undefined, cache: BlockCache, owner: number) {
    this.#reader = reader;
    this.#place = place;
    this.#cache = cache;
    this.#fingerprint = fingerprintOf(owner, FINGERPRINT);
  }

  /** False: the table has none, and must be searched for every key. */
  get exists(): boolean {
    return this.#place !== undefined;
  }

  get loaded(): Filter | undefined {
    const item = this.#item;
    if (item === undefined) return undefined;
    item.touch();
    return item.filter;
  }

  load(): Promise<Filter> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  loadSync(): Filter {
    const place = this.#placed();
    return this.#keep(this.#reader.readSync(place, BlockKind.Filter), place);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#item !== undefined) this.#cache.remove(this.#item);
  }

  async #load(): Promise<Filter> {
    const place = this.#placed();
    return this.#keep(await this.#reader.read(place, BlockKind.Filter), place);
  }

  #keep(bytes: Uint8Array, { offset }: Place): Filter {
    if (this.#item !== undefined) return this.#item.filter;
    const filter = new Filter(bytes, this.#reader.path, offset);
    if (this.#isClosed) return filter;
    const item = new FilterItem(filter, this.#fingerprint, () => {
      if (this.#item === item) this.#item = undefined;
    });
    if (this.#cache.add(item, true)) this.#item = item;
    return filter;
  }

  #placed(): Place {
    if (this.#place === undefined) throw new TypeError("the table has no filter");
    return this.#place;
  }
}
