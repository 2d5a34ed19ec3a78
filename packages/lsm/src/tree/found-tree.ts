import { KayaError, type LogPosition } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { BlockCache } from "../cache/block-cache.js";
import { OutputTable } from "../compaction/output-table.js";
import { Manifest } from "../manifest/manifest.js";
import { MANIFEST_DIR } from "../manifest/manifest-files.js";
import { fileBytesOf, type TableMeta, tablesOf } from "../manifest/manifest-state.js";
import { stagedTablePath, tablePath } from "../version/table-files.js";
import { VersionSet } from "../version/version-set.js";
import type { LsmTree } from "./lsm-tree.js";
import { formatOf, type ResolvedLsmOptions, type TreeFacts } from "./options.js";
import { orphansOf, removeOrphans } from "./orphans.js";
import { isSame, readTree, type TreeFiles, warningsOf } from "./read-tree.js";
import { LsmSnapshot } from "./snapshot.js";
import { Counters, type LsmStats, statsOf } from "./stats.js";
import type { LsmWarning } from "./warnings.js";
import { checkCovers, type FlushSource, writeFlush } from "./write-flush.js";

/** The parts of a tree once it owns its directory. */
export interface TreeParts {
  readonly versions: VersionSet;
  readonly cache: BlockCache;
  readonly counters: Counters;
  readonly warnings: readonly LsmWarning[];
}

/**
 * A tree as it was found, which nothing was changed of. It can be read while another process writes: its tables are open, and stay
 * readable whoever removes their files. `open` makes it a tree that can be written to; `close` lets it go.
 */
export class FoundTree implements TreeFacts {
  readonly #disk: Disk;
  readonly #options: ResolvedLsmOptions;
  readonly #begin: (parts: TreeParts) => LsmTree;
  readonly #cache: BlockCache;
  readonly #versions: VersionSet;
  readonly #counters = new Counters();
  #files: TreeFiles;
  /** Files that this call made: no manifest names them. */
  #staged: TableMeta[] = [];
  /** Behind all staged tables. */
  #stagedUpTo: LogPosition | undefined;
  #nextId: number;
  #turn: Promise<unknown> = Promise.resolve();
  #end: Promise<unknown> | undefined;

  private constructor(
    disk: Disk,
    options: ResolvedLsmOptions,
    cache: BlockCache,
    files: TreeFiles,
    begin: (parts: TreeParts) => LsmTree,
  ) {
    this.#disk = disk;
    this.#options = options;
    this.#cache = cache;
    this.#versions = new VersionSet(disk, cache);
    this.#versions.follow(files.found.state, files.opened);
    this.#files = files;
    this.#nextId = nextIdOf(files);
    this.#begin = begin;
  }

  /** `LsmTree.look`. */
  static async look(
    disk: Disk,
    options: ResolvedLsmOptions,
    begin: (parts: TreeParts) => LsmTree,
  ): Promise<FoundTree> {
    const cache = new BlockCache({ bytes: options.cacheBytes });
    return new FoundTree(disk, options, cache, await readTree(disk, cache), begin);
  }

  /** The position of the log's last record that is in the tables. Staged tables do not count. */
  get covered(): LogPosition {
    return this.#versions.covered;
  }

  /** The owner's text about the log that the tables belong to. */
  get logIdentity(): string {
    return this.#versions.logIdentity;
  }

  /**
   * The path of the manifest that counts, relative to the disk's root; of the directory of manifests if there
   * is none.
   */
  get path(): string {
    return this.#files.found.directory.newest?.path ?? MANIFEST_DIR;
  }

  /** How many tables there are. */
  get tables(): number {
    return tablesOf(this.#versions.current.state).length;
  }

  /** What an opening would go on with. Beside a process that writes, a `TornEdit` may be one that is being written. */
  get warnings(): readonly LsmWarning[] {
    return warningsOf(this.#files.found, this.#files.directory);
  }

  /** Paths of files that an opening would remove, because no manifest names them. */
  get orphans(): readonly string[] {
    const { found, directory } = this.#files;
    return [...orphansOf(directory, found.state).map(({ path }) => path), ...directory.leftovers];
  }

  /** The tables by level, their cache, and what was done with them. */
  stats(): LsmStats {
    return statsOf(this.#versions, this.#cache, this.#counters, this.#options);
  }

  /** The tables as they are now. It can be read until this, or the tree that it becomes, is closed. @throws KayaError KAYA_CLOSED */
  snapshot(): LsmSnapshot {
    this.#checkUsable();
    return new LsmSnapshot(this.#versions.current.retain());
  }

  /**
   * Moves on to what another process has written since. Snapshots stay as they are. Tables that both have stay
   * open and in the cache. Resolves to true if anything has changed.
   *
   * @throws KayaError KAYA_CORRUPTION, also if the manifest is an older one; KAYA_UNSUPPORTED_VERSION, KAYA_IO;
   *   KAYA_INVALID_ARGUMENT after `stage`; KAYA_CLOSED. Then everything is as it was
   */
  async refresh(): Promise<boolean> {
    this.#checkUsable();
    return this.#inTurn(() => this.#refresh());
  }

  /**
   * Writes what came since the last flush or stage into a table that no manifest names. `open` publishes it. So
   * a long log needs no more memory than a memtable. If the process ends before that, the next opening removes
   * the table.
   *
   * @param covered the last record of the log that is in `source`; at or behind that of the last stage
   * @throws KayaError KAYA_INVALID_ARGUMENT if a sequence is not above what is covered, or above `covered`, or
   *   keys are not in order; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO (the same may be staged again);
   *   KAYA_CLOSED
   */
  async stage(source: FlushSource, covered: LogPosition): Promise<void> {
    this.#checkUsable();
    return this.#inTurn(() => this.#stage(source, covered));
  }

  /**
   * Makes what was found durable, removes what a crash left behind, publishes all that was staged in one step, and begins to compact.
   * `logIdentity` is of the log that the staged tables are of; by default it stays as it is. This is closed then, in whatever way it ends; snapshots of it stay as they are where it resolves.
   * @throws KayaError KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO: what was staged is removed unless a manifest may name it; KAYA_CLOSED
   */
  async open({ logIdentity = this.logIdentity }: { readonly logIdentity?: string } = {}): Promise<LsmTree> {
    this.#checkUsable();
    const opening = this.#turn.then(() => this.#open(logIdentity));
    this.#end = opening.catch(() => undefined); // the caller has the rejection
    return opening;
  }

  /** Removes what was staged, and lets go of all files. Doing it again is fine; after `open` it does nothing. */
  async close(): Promise<void> {
    this.#end ??= this.#turn.then(() => this.#release());
    await this.#end;
  }

  async #refresh(): Promise<boolean> {
    if (this.#stagedUpTo !== undefined)
      throw new KayaError(
        "KAYA_INVALID_ARGUMENT",
        "a tree that something was staged for is not read anew: open or close it.",
      );
    const files = await readTree(this.#disk, this.#cache, (meta) => this.#versions.has(meta));
    const [before, { found }] = [this.#files.found, files];
    if (found.lastRecord < before.lastRecord) {
      for (const table of files.opened.values()) await table.close();
      throw new KayaError(
        "KAYA_CORRUPTION",
        `the manifest ends at record ${found.lastRecord}, and it had ${before.lastRecord} before: an older directory took its place.`,
      );
    }
    this.#files = files;
    this.#nextId = nextIdOf(files);
    this.#versions.follow(found.state, files.opened);
    return !isSame(before, found);
  }

  async #stage(source: FlushSource, covered: LogPosition): Promise<void> {
    const before = this.#stagedUpTo ?? this.covered;
    checkCovers(before, covered);
    const table = await writeFlush(
      source,
      { above: before.sequence, upTo: covered.sequence },
      this.#options.now(),
      () => {
        const id = this.#nextId++;
        const place = { id, path: stagedTablePath(id) };
        return OutputTable.create(this.#disk, place, formatOf(this.#options), this.#options.randomSeed());
      },
    );
    if (table !== undefined) this.#staged.push(table);
    this.#stagedUpTo = covered;
  }

  async #open(logIdentity: string): Promise<LsmTree> {
    const { found, directory } = this.#files;
    try {
      const nextTableId = this.#nextId;
      const manifest = await Manifest.resume(this.#disk, found, {
        beginAnewBytes: this.#options.manifestBytes,
        trusted: this.#options.trustPageCache,
        nextTableId,
        mayBeginLater: true,
      });
      this.#versions.writeTo(manifest, nextTableId);
      // M8: on a full disk the manifest may not be durable yet.
      const orphans = manifest.isUncertain ? [] : await removeOrphans(this.#disk, directory, found.state);
      await this.#publishStaged(logIdentity);
      const warnings = [...this.warnings, ...orphans];
      return this.#begin({
        versions: this.#versions,
        cache: this.#cache,
        counters: this.#counters,
        warnings,
      });
    } catch (error) {
      await this.#release();
      throw error;
    }
  }

  async #publishStaged(logIdentity: string): Promise<void> {
    if (this.#stagedUpTo === undefined) return;
    const made = this.#staged;
    for (const { id } of made) await this.#disk.rename(stagedTablePath(id), tablePath(id));
    this.#staged = []; // from here on the manifest may name them
    const added = made.map((table) => ({ level: 0, table }));
    await this.#versions.publish({ made, added, covered: this.#stagedUpTo, logIdentity });
    this.#counters.flushes += made.length;
    this.#counters.flushedBytes += fileBytesOf(made);
  }

  /** A rename that failed may have been done all the same. */
  async #release(): Promise<void> {
    for (const { id } of this.#staged) {
      for (const path of [stagedTablePath(id), tablePath(id)])
        await this.#disk.remove(path).catch(() => undefined); // the next opening removes it
    }
    this.#staged = [];
    await this.#versions.close();
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => undefined); // the caller has the rejection
    return result;
  }

  #checkUsable(): void {
    if (this.#end !== undefined)
      throw new KayaError("KAYA_CLOSED", "what was found of the tree is closed: it was opened, or let go");
  }
}

/** M8: a file keeps its id from being used again, also where it is only about to be removed. */
function nextIdOf({ found, directory }: TreeFiles): number {
  return Math.max(found.state.nextTableId, directory.highestId + 1);
}
