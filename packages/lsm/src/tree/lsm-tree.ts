import { KayaError, type LogPosition } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import type { EntryCursor, Found } from "../entry.js";
import { EVERYTHING, type Extent } from "../version/extent.js";
import type { TreeCursorOptions } from "../version/version.js";
import type { VersionSet } from "../version/version-set.js";
import type { FlushResult } from "./channels.js";
import { Compactor } from "./compactor.js";
import { Flusher } from "./flusher.js";
import { FoundTree, type TreeParts } from "./found-tree.js";
import { type LsmOptions, type ResolvedLsmOptions, resolveLsmOptions } from "./options.js";
import { held, holdingCursor, LsmSnapshot } from "./snapshot.js";
import { type Counters, type LsmStats, statsOf } from "./stats.js";
import type { LsmWarning } from "./warnings.js";
import type { FlushSource } from "./write-flush.js";

/**
 * A log-structured merge tree of sorted tables: what was flushed, found by key and in key order. It takes no lock: one process at a
 * time may have its directory open.
 */
export class LsmTree {
  /** What the opening found and went on with. */
  readonly warnings: readonly LsmWarning[];
  readonly #versions: VersionSet;
  readonly #compactor: Compactor;
  readonly #flusher: Flusher;
  readonly #cache: BlockCache;
  readonly #options: ResolvedLsmOptions;
  readonly #counters: Counters;
  #closing: Promise<void> | undefined;

  private constructor(
    disk: Disk,
    options: ResolvedLsmOptions,
    { versions, cache, counters, warnings }: TreeParts,
  ) {
    this.warnings = warnings;
    this.#versions = versions;
    this.#cache = cache;
    this.#options = options;
    this.#counters = counters;
    this.#compactor = new Compactor(disk, versions, options, counters);
    this.#flusher = new Flusher(disk, versions, options, this.#compactor, counters);
    this.#compactor.schedule();
  }

  /**
   * Reads the manifest, and the footer of each table, and changes nothing: the tree can be read then, or opened. It may be done beside
   * another process that writes.
   * @throws KayaError KAYA_CORRUPTION where the manifest is damaged, or a table that it names is missing or another one;
   *   KAYA_UNSUPPORTED_VERSION; KAYA_INVALID_ARGUMENT for impossible options; KAYA_IO
   */
  static async look(disk: Disk, options?: LsmOptions): Promise<FoundTree> {
    const resolved = resolveLsmOptions(options);
    return FoundTree.look(disk, resolved, (parts) => new LsmTree(disk, resolved, parts));
  }

  /**
   * Opens the tree in a directory, or begins one there: `look`, `accept`, and what that opens.
   * @throws KayaError KAYA_CORRUPTION where the manifest is damaged, or a table that it names is missing or another one: nothing was
   *   changed then; KAYA_UNSUPPORTED_VERSION; KAYA_INVALID_ARGUMENT for impossible options; KAYA_DISK_FULL, KAYA_FSYNC_FAILED,
   *   KAYA_IO; what `accept` throws
   */
  static async open(disk: Disk, options?: LsmOptions): Promise<LsmTree> {
    const found = await LsmTree.look(disk, options);
    try {
      const { covered, logIdentity, tables } = found;
      await options?.accept?.({ covered, logIdentity, tables });
    } catch (error) {
      await found.close();
      throw error;
    }
    return found.open();
  }

  /** What of the log is in the tables, durably: the log may be dropped up to here. */
  get covered(): LogPosition {
    return this.#versions.covered;
  }

  /** The text that `setLogIdentity` has stored last; empty before that. */
  get logIdentity(): string {
    return this.#versions.logIdentity;
  }

  /**
   * The newest entry of a key; undefined where it has none, or a tombstone. Whether it has expired is the caller's to say. Never blocks the event loop.
   * @throws KayaError KAYA_CORRUPTION where a block that it needs is damaged; KAYA_IO; KAYA_CLOSED
   */
  async get(key: Uint8Array): Promise<Found | undefined> {
    return this.find(key);
  }

  /**
   * The newest entry of a key; undefined if it has none, or a tombstone. It returns a promise only if a block
   * must be read from the disk; reads of one block at the same time are one read. An error that it meets before
   * that is thrown.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  find(key: Uint8Array): Found | undefined | Promise<Found | undefined> {
    this.#checkOpen();
    return this.#versions.current.find(key);
  }

  /**
   * The newest entry of a key, before it returns; undefined if it has none, or a tombstone. A block that is not
   * cached is read synchronously.
   *
   * @throws KayaError KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  getSync(key: Uint8Array): Found | undefined {
    this.#checkOpen();
    return this.#versions.current.getSync(key);
  }

  /**
   * A cursor over all entries that have a value, as they are now (by `options.now` also of those that expire), whatever is flushed or compacted meanwhile. Close it: until then
   * the files that it needs stay.
   * @throws KayaError KAYA_CLOSED
   */
  cursor(options?: TreeCursorOptions): EntryCursor {
    this.#checkOpen();
    return holdingCursor(this.#versions.current, options);
  }

  /** The tables as they are now. @throws KayaError KAYA_CLOSED */
  snapshot(): LsmSnapshot {
    this.#checkOpen();
    return new LsmSnapshot(this.#versions.current.retain());
  }

  /** Stored bytes of what lies in an extent, from the indexes; what is overwritten or deleted counts too. @throws KayaError KAYA_CLOSED */
  async approximateSize(extent: Extent = EVERYTHING): Promise<number> {
    this.#checkOpen();
    return held(this.#versions.current, (version) => version.approximateSize(extent));
  }

  /**
   * Writes what came since the last flush into a table, and moves `covered` on, in one step: once it resolves both are durable. It
   * waits for compaction where that is far behind.
   *
   * Where it rejects, readers see what they saw; after a crash the flush may be there or not. Keep the log and the source, and
   * flush the same again, or more.
   * @param covered the last record of the log that is in `source`; at or behind what is covered
   * @throws KayaError KAYA_INVALID_ARGUMENT where a sequence is not above what is covered, or above `covered`, or keys are not in
   *   order; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO; KAYA_WRITER_FAILED where another process writes; KAYA_CLOSED
   */
  async flush(source: FlushSource, covered: LogPosition): Promise<FlushResult> {
    this.#checkOpen();
    return this.#flusher.flush(source, covered);
  }

  /**
   * Stores a text of the owner, up to 1,024 bytes in UTF-8, durably: which log the tables belong to.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO; KAYA_WRITER_FAILED if
   *   another process writes; KAYA_CLOSED
   */
  async setLogIdentity(logIdentity: string): Promise<void> {
    this.#checkOpen();
    if (Buffer.byteLength(logIdentity) > 1024)
      throw new KayaError("KAYA_INVALID_ARGUMENT", "a log's identity has at most 1,024 bytes in UTF-8");
    await this.#versions.publish({ logIdentity });
  }

  /**
   * Moves everything in an extent to the deepest level: of each key one entry is left, no tombstone, and no
   * expired entry. What is flushed meanwhile stays where it is.
   *
   * @throws KayaError KAYA_CORRUPTION if a table is damaged; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO;
   *   KAYA_WRITER_FAILED if another process writes; KAYA_CLOSED
   */
  async compact(extent: Extent = EVERYTHING): Promise<void> {
    this.#checkOpen();
    await this.#compactor.compact(extent);
  }

  /**
   * When it pays to call `lookForExpired`, in milliseconds since 1970; undefined where nothing will have expired as long as nothing is
   * written. The tree looks by itself then, by a timer, unless `quietMs` is 0.
   */
  get nextExpiryLook(): number | undefined {
    return this.#compactor.nextExpiryLook;
  }

  /** Begins to take away in the background what has expired, where that is a fair share of a table. Without `autoCompact` it does nothing. */
  lookForExpired(): void {
    this.#checkOpen();
    this.#compactor.lookForExpired();
  }

  /** Waits for compaction to have nothing left to do. @throws KayaError where it fails */
  async settled(): Promise<void> {
    this.#checkOpen();
    await this.#compactor.settled();
  }

  /** The tables by level, their cache, and what was done with them since the opening. */
  stats(): LsmStats {
    return statsOf(this.#versions, this.#cache, this.#counters, this.#options, this.#compactor);
  }

  /** Whether everything that the manifest says is known to be on stable storage. Else the next opening must not trust the page cache. */
  get isClean(): boolean {
    return this.#versions.isClean;
  }

  /** Ends a compaction that is under way, waits for flushes, and lets go of all files. Doing it again is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#compactor.stop();
    await this.#flusher.settled();
    await this.#versions.close();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new KayaError("KAYA_CLOSED", "the tree is closed");
  }
}
