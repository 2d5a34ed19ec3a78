import { type BlockCache, fingerprintOf } from "../cache/block-cache.js";
import { CacheItem } from "../cache/cache-item.js";
import type { BlockReader } from "./block-reader.js";
import type { Footer } from "./footer.js";
import { BlockKind, corruption, type Place } from "./format.js";
import { IndexBlock } from "./index-block.js";
import { chain } from "./maybe-promise.js";

/** A part of the index on its lower level, with the number of its first data block. */
export class IndexPart {
  readonly block: IndexBlock;
  readonly first: number;

  constructor(block: IndexBlock, first: number) {
    this.block = block;
    this.first = first;
  }

  has(ordinal: number): boolean {
    return ordinal >= this.first && ordinal < this.first + this.block.count;
  }

  placeOf(ordinal: number): Place {
    return this.block.placeAt(ordinal - this.first);
  }
}

class IndexItem extends CacheItem {
  readonly block: IndexBlock;
  readonly #forget: (item: IndexItem) => void;

  constructor(block: IndexBlock, fingerprint: number, forget: (item: IndexItem) => void) {
    super(block.byteLength, fingerprint);
    this.block = block;
    this.#forget = forget;
  }

  gone(): void {
    this.#forget(this);
  }
}

// Fingerprints of data blocks begin at 0.
const FIRST_FINGERPRINT = 2 ** 31;

/**
 * A table's index, read at its first use and kept in the cache. On two levels the upper one says where the parts of the lower one are, and
 * how many data blocks each of them has. Where a call is `isSync` it reads what is not in the cache at once, and gives no promise.
 */
export class TableIndex {
  readonly #reader: BlockReader;
  readonly #footer: Footer;
  readonly #cache: BlockCache;
  readonly #owner: number;
  /** By number of the part; the root is -1. */
  readonly #items = new Map<number, IndexItem>();
  readonly #loading = new Map<number, Promise<IndexBlock>>();
  /** The number of the first data block of each part, and of all of them at the end. */
  #firsts: Float64Array | undefined;
  #root: IndexItem | undefined;
  /** The one part of an index on one level. */
  #whole: IndexPart | undefined;
  #isClosed = false;

  constructor(reader: BlockReader, footer: Footer, cache: BlockCache, owner: number) {
    this.#reader = reader;
    this.#footer = footer;
    this.#cache = cache;
    this.#owner = owner;
  }

  /** How many data blocks there are. */
  blockCount(isSync = false): number | Promise<number> {
    return chain(this.#rootBlock(isSync), (root) => this.#firstOf(root, root.count));
  }

  /** The part that has a data block; undefined behind the last one. */
  partOf(ordinal: number, isSync = false): IndexPart | undefined | Promise<IndexPart | undefined> {
    return chain(this.#rootBlock(isSync), (root) => {
      if (ordinal < 0 || ordinal >= this.#firstOf(root, root.count)) return undefined;
      return this.#partAt(root, this.#partNumberOf(root, ordinal), isSync);
    });
  }

  /** The part where a key is if it is anywhere; undefined where it is behind the last key. */
  partFor(key: Uint8Array, isSync = false): IndexPart | undefined | Promise<IndexPart | undefined> {
    const root = this.#root;
    if (root !== undefined && this.#footer.indexLevels === 1) return this.#wholeOf(root);
    return chain(this.#rootBlock(isSync), (block) => {
      const at = block.search(key);
      if (this.#footer.indexLevels === 1) return new IndexPart(block, 0);
      return at === block.count ? undefined : this.#partAt(block, at, isSync);
    });
  }

  /** The same at once. */
  partForSync(key: Uint8Array): IndexPart | undefined {
    const root = this.#root;
    if (root !== undefined && this.#footer.indexLevels === 1) return this.#wholeOf(root);
    const block = root?.block ?? this.#loadSync(-1, this.#footer.index, this.#rootKind, undefined);
    if (this.#footer.indexLevels === 1) return new IndexPart(block, 0);
    const at = block.search(key);
    if (at === block.count) return undefined;
    const item = this.#items.get(at);
    item?.touch();
    return new IndexPart(
      item?.block ?? this.#loadSync(at, block.placeAt(at), BlockKind.Index, block.blocksAt(at)),
      this.#firstOf(block, at),
    );
  }

  close(): void {
    this.#isClosed = true;
    for (const item of [...this.#items.values()]) this.#cache.remove(item);
  }

  #wholeOf(root: IndexItem): IndexPart {
    root.touch();
    if (this.#whole?.block !== root.block) this.#whole = new IndexPart(root.block, 0);
    return this.#whole;
  }

  get #rootKind(): BlockKind {
    return this.#footer.indexLevels === 1 ? BlockKind.Index : BlockKind.TopIndex;
  }

  #rootBlock(isSync: boolean): IndexBlock | Promise<IndexBlock> {
    return this.#block(-1, this.#footer.index, this.#rootKind, undefined, isSync);
  }

  #partAt(root: IndexBlock, part: number, isSync: boolean): IndexPart | Promise<IndexPart> {
    if (this.#footer.indexLevels === 1) return new IndexPart(root, 0);
    const block = this.#block(part, root.placeAt(part), BlockKind.Index, root.blocksAt(part), isSync);
    return chain(block, (found) => new IndexPart(found, this.#firstOf(root, part)));
  }

  #block(
    number: number,
    place: Place,
    kind: BlockKind,
    blocks: number | undefined,
    isSync: boolean,
  ): IndexBlock | Promise<IndexBlock> {
    const item = this.#items.get(number);
    if (item !== undefined) {
      item.touch();
      return item.block;
    }
    if (isSync) return this.#loadSync(number, place, kind, blocks);
    let loading = this.#loading.get(number);
    if (loading === undefined) {
      loading = this.#load(number, place, kind, blocks).finally(() => this.#loading.delete(number));
      this.#loading.set(number, loading);
    }
    return loading;
  }

  async #load(
    number: number,
    place: Place,
    kind: BlockKind,
    blocks: number | undefined,
  ): Promise<IndexBlock> {
    const bytes = await this.#reader.read(place, kind);
    return this.#keep(number, place, bytes, blocks);
  }

  #loadSync(number: number, place: Place, kind: BlockKind, blocks: number | undefined): IndexBlock {
    return this.#keep(number, place, this.#reader.readSync(place, kind), blocks);
  }

  #keep(number: number, place: Place, bytes: Uint8Array, blocks: number | undefined): IndexBlock {
    const { path, blocksEnd } = this.#reader;
    const known = this.#items.get(number);
    if (known !== undefined) return known.block;
    const block = new IndexBlock(bytes, blocksEnd, path, place.offset);
    if (blocks !== undefined && block.count !== blocks)
      throw corruption(path, place.offset, `an index of ${block.count} blocks, not of ${blocks}`);
    if (this.#isClosed) return block;
    const item = new IndexItem(block, fingerprintOf(this.#owner, FIRST_FINGERPRINT + number), (gone) => {
      if (this.#items.get(number) === gone) this.#items.delete(number);
      if (this.#root === gone) this.#root = undefined;
      if (this.#whole?.block === gone.block) this.#whole = undefined;
    });
    if (this.#cache.add(item, true)) {
      this.#items.set(number, item);
      if (number === -1) this.#root = item;
    }
    return block;
  }

  #firstOf(root: IndexBlock, part: number): number {
    if (this.#footer.indexLevels === 1) return part === 0 ? 0 : root.count;
    let firsts = this.#firsts;
    if (firsts === undefined) {
      firsts = new Float64Array(root.count + 1);
      for (let i = 0; i < root.count; i++) firsts[i + 1] = (firsts[i] as number) + root.blocksAt(i);
      this.#firsts = firsts;
    }
    return firsts[part] as number;
  }

  #partNumberOf(root: IndexBlock, ordinal: number): number {
    let low = 0;
    let high = root.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#firstOf(root, middle) <= ordinal) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
