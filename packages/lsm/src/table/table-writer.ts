import { crc32c, describe, KayaError, type SequenceNumber } from "@kaya/core";
import { type Disk, type DiskFile, relativeFilePath } from "@kaya/io";
import { compareBytes, copyBytes, copyInto } from "../bytes.js";
import { type EntryKind, EXPIRING, PUT, type RangeTombstone, TOMBSTONE } from "../entry.js";
import { sealBlock } from "./block-codec.js";
import { type Codec, codecFor } from "./compression.js";
import { DataBlockBuilder } from "./data-block-builder.js";
import { FilterBuilder } from "./filter.js";
import { encodeFooter, footerBytes } from "./footer.js";
import { BlockKind, Encoding, MAX_ENTRY_BYTES, type Place, TRAILER_BYTES } from "./format.js";
import { IndexBlockBuilder, separatorOf } from "./index-block.js";
import { KeyHash } from "./key-hash.js";
import { encodeProperties, type TableProperties } from "./properties.js";
import { encodeRangeTombstones, fragment } from "./range-tombstones.js";
import { ExpiryCounter } from "./table-expiry.js";
import { resolveTableOptions, type TableSettings, type TableWriterOptions } from "./table-options.js";
import { TableOutput } from "./table-output.js";

/** What a table holds, and what tells its file from every other one. */
export interface TableSummary extends TableProperties {
  /** Bytes of the table's file. */
  readonly fileBytes: number;
  /** CRC-32C that the file's footer stores of itself. */
  readonly footerCrc: number;
}

type State = "open" | "failed" | "finished" | "abandoned";

/**
 * Writes one table: entries in ascending order of their keys, and range tombstones. Its file counts as a table only once `finish`
 * has resolved. Making the file's name durable (`syncDir`), and giving it another one, is the caller's business.
 *
 * A call that fails makes the writer useless: then only `abandon` is left.
 */
export class TableWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #settings: TableSettings;
  readonly #codec: Codec | undefined;
  readonly #output: TableOutput;
  readonly #block: DataBlockBuilder;
  readonly #filter: FilterBuilder;
  readonly #hash: KeyHash;
  readonly #seedCrc: number;
  readonly #index = new IndexBlockBuilder();
  readonly #topIndex = new IndexBlockBuilder();
  readonly #tombstones: RangeTombstone[] = [];
  #state: State = "open";
  #isBusy = false;
  #firstKey: Uint8Array | undefined;
  #last: Uint8Array = new Uint8Array(64);
  #lastLength = 0;
  #entries = 0;
  #deletes = 0;
  readonly #expiry = new ExpiryCounter();
  #smallestSequence = Number.POSITIVE_INFINITY;
  #largestSequence = 0;
  #dataBlocks = 0;
  #rawBytes = 0;
  #storedBytes = 0;

  private constructor(disk: Disk, file: DiskFile, settings: TableSettings, codec: Codec | undefined) {
    this.#disk = disk;
    this.#path = file.path;
    this.#file = file;
    this.#settings = settings;
    this.#codec = codec;
    this.#output = new TableOutput(file, settings.syncBytes);
    this.#block = new DataBlockBuilder(settings.blockBytes);
    this.#filter = new FilterBuilder(settings.bitsPerKey);
    this.#hash = new KeyHash(settings.seed);
    this.#seedCrc = crc32c(settings.seed);
  }

  /**
   * Makes the file.
   * @param path relative to the disk's root; nothing may be there
   * @throws KayaError KAYA_INVALID_ARGUMENT for wrong options, and where the file is there already; KAYA_DISK_FULL; KAYA_IO, also
   *   where the compression's library is missing
   */
  static async create(disk: Disk, path: string, options: TableWriterOptions = {}): Promise<TableWriter> {
    const settings = resolveTableOptions(options);
    relativeFilePath(path);
    const codec =
      settings.compression === "none"
        ? undefined
        : codecFor(Encoding.Snappy, `writing ${path} compressed needs`);
    await checkAbsent(disk, path);
    let file: DiskFile;
    try {
      file = await disk.open(path, { create: true });
    } catch (error) {
      // The file did not exist before: it was made here. The first error is the one to report.
      await disk.remove(path).catch(() => undefined);
      throw error;
    }
    return new TableWriter(disk, file, settings, codec);
  }

  /** Bytes that the file has so far, those that wait to be written included. */
  get fileBytes(): number {
    return this.#output.offset;
  }

  /** Entries so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Bytes of their keys and values. */
  get rawBytes(): number {
    return this.#rawBytes;
  }

  /** The key of the first entry; undefined before it. */
  get firstKey(): Uint8Array | undefined {
    return this.#firstKey;
  }

  /** A copy of the key of the last entry; undefined before the first. */
  get lastKey(): Uint8Array | undefined {
    return this.#entries > 0 ? copyBytes(this.#last.subarray(0, this.#lastLength)) : undefined;
  }

  /**
   * Adds an entry behind those before it. The bytes are copied. Gives a promise where a write has to be waited for: await it before the
   * next call.
   * @param sequence from 0 to 2^53 - 1
   * @param value empty for a tombstone
   * @param expiresAt of an `EXPIRING` entry: milliseconds since 1970, from 1 to 2^53 - 1; of another one it is not looked at
   * @throws KayaError KAYA_INVALID_ARGUMENT for an entry that cannot be added, and the writer stays as it was; what a write failed with
   */
  add(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt = 0,
  ): void | Promise<void> {
    this.#assertOpen();
    this.#checkEntry(key, kind, sequence, value, expiresAt);
    this.#checkOrder(key);
    let cut = false;
    const block = this.#block;
    const most = this.#settings.blockBytes - TRAILER_BYTES;
    if (block.count > 0 && block.lengthWith(key, kind, sequence, value, expiresAt) > most) {
      this.#cutBlock(key);
      cut = true;
    }
    const hash = this.#hash;
    hash.update(key);
    this.#filter.add(hash.first, hash.second);
    block.add(key, kind, sequence, value, hash.first, hash.second, expiresAt);
    this.#note(key, kind, sequence, value, expiresAt);
    return cut ? this.#drain() : undefined;
  }

  /**
   * Adds a range tombstone, in any order, before or after any entry. The bytes are copied.
   * @throws KayaError KAYA_INVALID_ARGUMENT where it is none, or its range is empty
   */
  addRangeTombstone({ start, end, sequence }: RangeTombstone): void {
    this.#assertOpen();
    if (!(start instanceof Uint8Array) || !(end === undefined || end instanceof Uint8Array))
      throw this.#refusal("the bounds of a range tombstone must be Uint8Arrays");
    if (!Number.isSafeInteger(sequence) || sequence < 1)
      throw this.#refusal(
        `the sequence of a range tombstone must be a whole number >= 1, not ${describe(sequence)}`,
      );
    if (start.length > MAX_ENTRY_BYTES || (end?.length ?? 0) > MAX_ENTRY_BYTES)
      throw this.#refusal(`the bounds of a range tombstone have at most ${MAX_ENTRY_BYTES} bytes`);
    if (end !== undefined && compareBytes(start, end) >= 0)
      throw this.#refusal("a range tombstone must end behind its start");
    this.#tombstones.push({ start: copyBytes(start), end: end && copyBytes(end), sequence });
  }

  /**
   * Writes what is left, and syncs the file. Once it resolves, the table is on the disk whole.
   * @throws KayaError KAYA_INVALID_ARGUMENT where nothing was added; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED
   */
  async finish(): Promise<TableSummary> {
    this.#assertOpen();
    if (this.#entries === 0 && this.#tombstones.length === 0)
      throw this.#refusal("a table needs an entry or a range tombstone");
    this.#isBusy = true;
    try {
      const summary = await this.#finish();
      this.#state = "finished";
      return summary;
    } catch (error) {
      this.#state = "failed";
      throw error;
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * Removes the file of a table that was not finished. Where that fails, calling it again tries again.
   * @throws KayaError KAYA_INVALID_ARGUMENT for a finished table; KAYA_IO
   */
  async abandon(): Promise<void> {
    if (this.#state === "abandoned") return;
    if (this.#state === "finished")
      throw this.#refusal("the table is finished: it is the caller's to remove");
    this.#state = "failed";
    await this.#output.settle();
    // Closing may fail: the file is removed first, then the error is thrown.
    const closed = await this.#file.close().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    await this.#disk.remove(this.#path);
    this.#state = "abandoned";
    if (closed !== undefined) throw closed.error;
  }

  async #finish(): Promise<TableSummary> {
    if (this.#block.count > 0) this.#cutBlock(undefined);
    const filterBytes = await this.#filter.finish();
    const filter = filterBytes && this.#put(filterBytes, BlockKind.Filter, false);
    const fragments = fragment(this.#tombstones);
    const rangeTombstones =
      fragments.length > 0
        ? this.#put(encodeRangeTombstones(fragments), BlockKind.RangeTombstones)
        : undefined;
    const indexLevels = this.#topIndex.count > 0 ? 2 : 1;
    if (indexLevels === 2 && this.#index.count > 0) this.#cutIndex();
    const index =
      indexLevels === 2
        ? this.#put(this.#topIndex.finish(), BlockKind.TopIndex)
        : this.#put(this.#index.finish(), BlockKind.Index);
    const found = this.#properties(fragments);
    const properties = this.#put(encodeProperties(found), BlockKind.Properties);
    const { expiry } = found;
    const fileBytes = this.#output.offset + footerBytes(expiry);
    const { seed } = this.#settings;
    const footer = encodeFooter({
      seed,
      properties,
      index,
      indexLevels,
      filter,
      rangeTombstones,
      expiry,
      fileBytes,
    });
    this.#output.put(footer.bytes);
    await this.#output.flush();
    this.#output.release();
    await this.#file.sync();
    await this.#file.close();
    return { ...found, fileBytes, footerCrc: footer.crc };
  }

  #properties(fragments: readonly RangeTombstone[]): TableProperties {
    const last = this.lastKey;
    const starts = [this.#firstKey, fragments[0]?.start]
      .filter((key) => key !== undefined)
      .sort(compareBytes);
    const lastFragment = fragments.at(-1);
    const ends = [last, lastFragment?.end].filter((key) => key !== undefined).sort(compareBytes);
    const sequences = fragments.map(({ sequence }) => sequence);
    return {
      entries: this.#entries,
      tombstones: this.#deletes,
      expiry: this.#expiry.expiry,
      rangeTombstones: fragments.length,
      smallestKey: starts[0] as Uint8Array, // one of the two is there
      largestKey: lastFragment !== undefined && lastFragment.end === undefined ? undefined : ends.at(-1),
      smallestSequence: sequences.reduce((a, b) => Math.min(a, b), this.#smallestSequence),
      largestSequence: sequences.reduce((a, b) => Math.max(a, b), this.#largestSequence),
      dataBlocks: this.#dataBlocks,
      rawBytes: this.#rawBytes,
      storedBytes: this.#storedBytes,
    };
  }

  /** @param next the key behind the block */
  #cutBlock(next: Uint8Array | undefined): void {
    const last = this.#last.subarray(0, this.#lastLength);
    const place = this.#put(this.#block.finish(), BlockKind.Data);
    this.#dataBlocks++;
    this.#storedBytes += place.length + TRAILER_BYTES;
    this.#index.add(separatorOf(last, next), place, 1);
    if (this.#index.length >= this.#settings.indexBytes) this.#cutIndex();
  }

  #cutIndex(): void {
    const blocks = this.#index.count;
    const separator = this.#index.lastSeparator;
    this.#topIndex.add(separator, this.#put(this.#index.finish(), BlockKind.Index), blocks);
  }

  #put(raw: Uint8Array, kind: BlockKind, mayCompress = true): Place {
    const { offset } = this.#output;
    const { stored, trailer } = sealBlock(
      raw,
      kind,
      offset,
      this.#seedCrc,
      mayCompress ? this.#codec : undefined,
    );
    this.#output.put(stored);
    this.#output.put(trailer);
    return { offset, length: stored.length };
  }

  #drain(): void | Promise<void> {
    const drained = this.#output.drain();
    if (drained === undefined) return undefined;
    this.#isBusy = true;
    return drained.then(
      () => {
        this.#isBusy = false;
      },
      (error: unknown) => {
        this.#isBusy = false;
        this.#state = "failed";
        throw error;
      },
    );
  }

  #note(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): void {
    this.#firstKey ??= copyBytes(key);
    if (this.#last.length < key.length) this.#last = new Uint8Array(2 * key.length);
    copyInto(this.#last, 0, key, 0, key.length);
    this.#lastLength = key.length;
    this.#entries++;
    if (kind === TOMBSTONE) this.#deletes++;
    else if (kind === EXPIRING) this.#expiry.add(expiresAt);
    if (sequence < this.#smallestSequence) this.#smallestSequence = sequence;
    if (sequence > this.#largestSequence) this.#largestSequence = sequence;
    this.#rawBytes += key.length + value.length;
  }

  /** @throws KayaError KAYA_INVALID_ARGUMENT where the key is not behind the last one */
  #checkOrder(key: Uint8Array): void {
    const last = this.#last;
    const length = Math.min(key.length, this.#lastLength);
    let shared = 0;
    while (shared < length && key[shared] === last[shared]) shared++;
    const isBehind =
      shared === length ? key.length > this.#lastLength : (key[shared] as number) > (last[shared] as number);
    if (!isBehind && this.#entries > 0) throw this.#refusal("keys must ascend, and each may be there once");
  }

  #checkEntry(
    key: Uint8Array,
    kind: EntryKind,
    sequence: SequenceNumber,
    value: Uint8Array,
    expiresAt: number,
  ): void {
    if (!(key instanceof Uint8Array) || !(value instanceof Uint8Array))
      throw this.#refusal("key and value must be Uint8Arrays");
    if (kind !== PUT && kind !== TOMBSTONE && kind !== EXPIRING)
      throw this.#refusal(`the kind must be 0, 1 or 2, not ${describe(kind)}`);
    if (kind === EXPIRING && !(Number.isSafeInteger(expiresAt) && expiresAt >= 1))
      throw this.#refusal(
        `expiresAt must be a whole number of milliseconds from 1 to 2^53 - 1, not ${describe(expiresAt)}`,
      );
    if (!Number.isSafeInteger(sequence) || sequence < 0)
      throw this.#refusal(`the sequence must be a whole number >= 0, not ${describe(sequence)}`);
    if (kind === TOMBSTONE && value.length > 0) throw this.#refusal("a tombstone has no value");
    if (key.length + value.length > MAX_ENTRY_BYTES)
      throw this.#refusal(
        `key and value have ${key.length + value.length} bytes, more than ${MAX_ENTRY_BYTES}`,
      );
  }

  #assertOpen(): void {
    if (this.#isBusy) throw this.#refusal("await the promise of the call before this one");
    if (this.#state === "open") return;
    throw new KayaError("KAYA_CLOSED", `${this.#path}: the writer is ${this.#state}`);
  }

  #refusal(why: string): KayaError {
    return new KayaError("KAYA_INVALID_ARGUMENT", `${this.#path}: ${why}`);
  }
}

async function checkAbsent(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path, { readOnly: true }).catch((error: unknown) => {
    if (KayaError.is(error, "KAYA_NOT_FOUND")) return undefined;
    throw error;
  });
  if (file === undefined) return;
  await file.close();
  throw new KayaError("KAYA_INVALID_ARGUMENT", `${path} is there already: a table is written to a new file`);
}
