import { KayaError, readOptions, type SequenceNumber } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { copyBytes } from "../bytes.js";
import { BlockCache } from "../cache/block-cache.js";
import type { BufferPool } from "../cache/buffer-pool.js";
import { type RowCache, RowPlace } from "../cache/row-cache.js";
import { type EntryCursor, EXPIRING, type Found, type RangeTombstone } from "../entry.js";
import { BlockReader } from "./block-reader.js";
import { type DataBlock, EntryPlace } from "./data-block.js";
import { DataBlocks, type DataItem } from "./data-blocks.js";
import { type Footer, readFooterOf } from "./footer.js";
import { BlockKind, corruption } from "./format.js";
import { KeyHash } from "./key-hash.js";
import { decodeProperties, type TableProperties } from "./properties.js";
import { coveringSequence, decodeRangeTombstones } from "./range-tombstones.js";
import { type CursorOptions, ReadAhead } from "./read-ahead.js";
import { TableCursor } from "./table-cursor.js";
import type { TableExpiry } from "./table-expiry.js";
import { TableFilter } from "./table-filter.js";
import { type IndexPart, TableIndex } from "./table-index.js";
import { ValueCopier } from "./value-copier.js";

/** The cache of a table, and which table it must be. */
export interface TableOptions {
  /** Shared by any number of tables. */
  readonly cache: BlockCache;
  /** What the table's writer said of it: a file that is another one is refused. */
  readonly expected?: {
    /** Bytes that the file must have. */
    readonly fileBytes: number;
    /** The CRC-32C that its footer must store of itself. */
    readonly footerCrc: number;
  };
}

/**
 * A table that is open for reading. Its footer and its range tombstones are read at opening, everything else when it is needed. Every block
 * is checked each time it comes from the disk: KAYA_CORRUPTION names the file and the offset, and whatever does not need that block
 * goes on being served. What fails to be read is KAYA_IO or KAYA_CORRUPTION, never "absent".
 */
export class Table {
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Cut so that they do not overlap, in order, each with the newest sequence of those that it was cut from. */
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly #file: DiskFile;
  readonly #footer: Footer;
  readonly #reader: BlockReader;
  readonly #index: TableIndex;
  readonly #filter: TableFilter;
  readonly #blocks: DataBlocks;
  readonly #readAheadPool: BufferPool;
  readonly #rows: RowCache;
  /** Names this table in what it shares with others. */
  readonly #owner: number;
  readonly #hash: KeyHash;
  readonly #copier = new ValueCopier();
  readonly #cursors = new Set<TableCursor>();
  #closing: Promise<void> | undefined;

  private constructor(
    file: DiskFile,
    footer: Footer,
    reader: BlockReader,
    tombstones: RangeTombstone[],
    cache: BlockCache,
  ) {
    this.path = file.path;
    this.fileBytes = footer.fileBytes;
    this.rangeTombstones = tombstones;
    this.#file = file;
    this.#footer = footer;
    this.#reader = reader;
    const owner = cache.newOwner();
    this.#owner = owner;
    this.#rows = cache.rows;
    this.#index = new TableIndex(reader, footer, cache, owner);
    this.#filter = new TableFilter(reader, footer.filter, cache, owner);
    this.#blocks = new DataBlocks(reader, cache, owner);
    this.#readAheadPool = cache.readAheadPool;
    this.#hash = new KeyHash(footer.seed);
  }

  /**
   * @param path relative to the disk's root
   * @throws KayaError KAYA_NOT_FOUND; KAYA_CORRUPTION, also where it is not the table that is `expected`; KAYA_UNSUPPORTED_VERSION for a table
   *   of a newer version; KAYA_IO
   */
  static async open(disk: Disk, path: string, given: TableOptions): Promise<Table> {
    const { cache, expected } = readOptions(given, ["cache", "expected"], "the options of Table.open");
    if (!(cache instanceof BlockCache))
      throw new KayaError("KAYA_INVALID_ARGUMENT", "the options of Table.open need a cache, a BlockCache");
    const file = await disk.open(path, { readOnly: true });
    try {
      const fileBytes = await file.length();
      if (expected !== undefined && expected.fileBytes !== fileBytes)
        throw corruption(path, 0, `the file has ${fileBytes} bytes, it must have ${expected.fileBytes}`);
      const { footer, crc } = await readFooterOf(file, fileBytes, path);
      if (expected !== undefined && expected.footerCrc !== crc)
        throw corruption(
          path,
          fileBytes,
          "it is another table than the one that must be here: its footer's checksum is another one",
        );
      const reader = new BlockReader(file, path, footer);
      return new Table(file, footer, reader, await readTombstones(reader, footer), cache);
    } catch (error) {
      await file.close().catch(() => undefined); // the first error is the one to report
      throw error;
    }
  }

  /**
   * The entry of a key, also where it is a tombstone; undefined where there is none. Range tombstones are asked separately.
   * Gets under way for one block share one read.
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  get(key: Uint8Array): Promise<Found | undefined> {
    try {
      return Promise.resolve(this.find(key));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The entry of a key, even if it is a tombstone; undefined if there is none. It returns a promise only if a
   * block is not in the cache; an error that it meets before that is thrown.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    this.#assertOpen();
    const hash = this.#hash;
    hash.update(key);
    if (this.#filter.exists) {
      const filter = this.#filter.loaded;
      if (filter === undefined) return this.#findLater(copyBytes(key));
      if (!filter.mayContain(hash.first, hash.second)) return undefined;
    }
    const part = this.#index.partFor(key);
    if (part === undefined) return undefined;
    return part instanceof Promise ? this.#findBehind(part, copyBytes(key)) : this.#findIn(part, key);
  }

  /**
   * The entry of a key, even if it is a tombstone; undefined if there is none. A block that is not in the cache
   * is read synchronously.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  getSync(key: Uint8Array): Found | undefined {
    this.#assertOpen();
    const hash = this.#hash;
    hash.update(key);
    if (this.#filter.exists) {
      const filter = this.#filter.loaded ?? this.#filter.loadSync();
      if (!filter.mayContain(hash.first, hash.second)) return undefined;
    }
    const part = this.#index.partForSync(key);
    if (part === undefined) return undefined;
    const at = part.block.search(key);
    if (at === part.block.count) return undefined;
    const ordinal = part.first + at;
    const item = this.#blocks.cached(ordinal);
    if (item !== undefined) return this.#find(item.block, key);
    const row = this.#rowOf(key);
    if (row !== undefined) return row;
    return this.#findAndKeep(this.#blocks.loadSync(ordinal, part.block.placeAt(at)), key);
  }

  /** The newest sequence of a range tombstone of this table that covers the key; 0 where none does. */
  coveringSequence(key: Uint8Array): SequenceNumber {
    return this.rangeTombstones.length === 0 ? 0 : coveringSequence(this.rangeTombstones, key);
  }

  /**
   * A cursor over all entries, tombstones included. Close it: until then a block of the cache may be held for it. It has buffers
   * of its own, outside the cache's budget: up to two reads of 256 KiB once it reads ahead.
   */
  cursor(given?: CursorOptions): EntryCursor {
    const options = readOptions(given, CURSOR_OPTIONS, "the options of a cursor");
    this.#assertOpen();
    const source = new ReadAhead(this.#index, this.#blocks, this.#reader, this.#readAheadPool, options);
    const cursor = new TableCursor(this.path, this.#index, source, (closed) => this.#cursors.delete(closed));
    this.#cursors.add(cursor);
    return cursor;
  }

  /** Bytes of the file as they are, for a copy of it; fewer than asked only at its end. @throws KayaError KAYA_IO, KAYA_CLOSED */
  async readBytes(position: number, into: Uint8Array): Promise<number> {
    this.#assertOpen();
    return this.#file.readAt(position, into);
  }

  /** When its entries expire; undefined where none does. */
  get expiry(): TableExpiry | undefined {
    return this.#footer.expiry;
  }

  /** What the writer noted of the whole table. Read each time. @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED */
  async properties(): Promise<TableProperties> {
    this.#assertOpen();
    const { properties: place, expiry } = this.#footer;
    const bytes = await this.#reader.read(place, BlockKind.Properties);
    return decodeProperties(bytes, expiry, this.path, place.offset);
  }

  /**
   * About how many bytes of the file hold entries from `start` up to, but without, `end`: from the index, so exact to a block at each side.
   * @param start undefined: from the first entry
   * @param end undefined: to the last one
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  async approximateSize(start?: Uint8Array, end?: Uint8Array): Promise<number> {
    this.#assertOpen();
    const from = start === undefined ? 0 : await this.#offsetOf(start);
    const to = end === undefined ? await this.#dataEnd() : await this.#offsetOf(end);
    return Math.max(0, to - from);
  }

  /** Waits for the reads under way, closes its cursors, and takes its blocks out of the cache. Doing it again is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const cursor of [...this.#cursors]) cursor.close();
    this.#blocks.close();
    this.#index.close();
    this.#filter.close();
    await this.#file.close();
  }

  /** Where the filter must be read. */
  async #findLater(key: Uint8Array): Promise<Found | undefined> {
    const filter = await this.#filter.load();
    this.#hash.update(key);
    if (!filter.mayContain(this.#hash.first, this.#hash.second)) return undefined;
    return this.#findBehind(this.#index.partFor(key), key);
  }

  /** Where a part of the index must be read. */
  async #findBehind(
    pending: IndexPart | undefined | Promise<IndexPart | undefined>,
    key: Uint8Array,
  ): Promise<Found | undefined> {
    const part = await pending;
    if (part === undefined) return undefined;
    this.#hash.update(key); // others were asked for meanwhile
    return this.#findIn(part, key);
  }

  /** `#hash` must be that of the key. */
  #findIn(part: IndexPart, key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    const at = part.block.search(key);
    if (at === part.block.count) return undefined;
    const item = this.#blocks.cached(part.first + at);
    if (item !== undefined) return this.#find(item.block, key);
    return this.#rowOf(key) ?? this.#findInFile(part, at, copyBytes(key));
  }

  /** Where a block must be read. */
  async #findInFile(part: IndexPart, at: number, key: Uint8Array): Promise<Found | undefined> {
    this.#assertOpen();
    const item = await this.#blocks.load(part.first + at, part.block.placeAt(at));
    try {
      this.#hash.update(key); // others were asked for meanwhile
      return this.#findAndKeep(item, key);
    } finally {
      this.#blocks.release(item);
    }
  }

  /** `#hash` must be that of the key. */
  #rowOf(key: Uint8Array): Found | undefined {
    const row = ROW;
    if (!this.#rows.find(this.#owner, key, this.#hash, row)) return undefined;
    return {
      kind: row.kind,
      sequence: row.sequence,
      expiresAt: row.kind === EXPIRING ? row.expiresAt : 0,
      value: this.#copier.copy(row.bytes, row.valueStart, row.valueEnd),
    };
  }

  /** The key's entry in a block that had to be read; keeps it as a row. `#hash` must be that of the key. */
  #findAndKeep({ block }: DataItem, key: Uint8Array): Found | undefined {
    const found = this.#find(block, key);
    if (found !== undefined) this.#rows.put(this.#owner, key, this.#hash, found);
    return found;
  }

  /** `#hash` must be that of the key. */
  #find(block: DataBlock, key: Uint8Array): Found | undefined {
    const place = PLACE;
    if (!block.find(key, this.#hash.first, this.#hash.second, place)) return undefined;
    return {
      kind: place.kind,
      sequence: place.sequence,
      expiresAt: place.kind === EXPIRING ? place.expiresAt : 0,
      value: this.#copier.copy(block.bytes, place.valueStart, place.valueEnd),
    };
  }

  async #offsetOf(key: Uint8Array): Promise<number> {
    const part = await this.#index.partFor(key);
    const at = part?.block.search(key) ?? 0;
    return part === undefined || at === part.block.count ? this.#dataEnd() : part.block.offsetAt(at);
  }

  /** Behind the last data block. */
  async #dataEnd(): Promise<number> {
    const part = await this.#index.partOf((await this.#index.blockCount()) - 1);
    return part === undefined ? 0 : part.block.endAt(part.block.count - 1);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new KayaError("KAYA_CLOSED", `${this.path} is closed`);
  }
}

const CURSOR_OPTIONS = ["readAhead", "fillCache", "seekBlocks", "sync"] as const;

// Used within one call only.
const PLACE = new EntryPlace();
const ROW = new RowPlace();

async function readTombstones(
  reader: BlockReader,
  { rangeTombstones: place }: Footer,
): Promise<RangeTombstone[]> {
  if (place === undefined) return [];
  const bytes = await reader.read(place, BlockKind.RangeTombstones);
  return decodeRangeTombstones(bytes, reader.path, place.offset);
}
