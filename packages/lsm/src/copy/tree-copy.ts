/**
 * A tree in another directory: the tables that a snapshot shows, and newer ones on top. It goes into an empty directory, or into one
 * that has an earlier copy, and then copies only tables that are new.
 *
 * Tables get ids of their own in the copy. So no file is ever written over another one, whichever ids the source gives out later, and the
 * earlier copy stays whole until the manifest of the new one is durable. Two things follow from that:
 * - A table of the earlier copy is recognised by its facts, not by its id: both manifests say the same of it, and the footers are equal, with 16
 *   random bytes that no other table has.
 * - In level 0 a higher id is newer, and new ids are above all existing ones. So a table of level 0 is reused only if all older ones have
 *   lower ids: once one is copied anew, all newer ones are copied anew.
 */
import { KayaError, type LogPosition, readOptions } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { OutputTable } from "../compaction/output-table.js";
import { listManifests, MANIFEST_DIR } from "../manifest/manifest-files.js";
import {
  applyEdit,
  EMPTY_STATE,
  fileBytesOf,
  type ManifestState,
  type PlacedTable,
  type TableMeta,
  tablesOf,
} from "../manifest/manifest-state.js";
import { type FoundManifest, readManifest } from "../manifest/read-manifest.js";
import { writeManifest } from "../manifest/write-manifest.js";
import { corruption } from "../table/format.js";
import type { TableDamage } from "../table/inspection.js";
import { formatOf, type LsmOptions, type ResolvedLsmOptions, resolveLsmOptions } from "../tree/options.js";
import { orphansOf } from "../tree/orphans.js";
import type { LsmSnapshot } from "../tree/snapshot.js";
import { checkCovers, type FlushSource, writeFlush } from "../tree/write-flush.js";
import { verifyTable } from "../verify/verify-table.js";
import { listTables, type TableDirectory, tablePath } from "../version/table-files.js";
import { copyTable, footerOfSource, hasFooter, isSameAsSource, type TableSource } from "./copy-table.js";
import { CopyProgress, type TreeCopyProgress } from "./progress.js";

/** What is copied, how new tables are written, and who is told. */
export interface TreeCopyOptions {
  /** The snapshot whose tables are copied; without one none are. Release it after the copy has ended. */
  readonly from?: LsmSnapshot;
  /** How tables are written that are not copied. */
  readonly tables?: LsmOptions;
  /** Called between steps. If it throws, the copy ends with that error. */
  readonly check?: () => void;
  /** Called as the copy goes on. */
  readonly onProgress?: (progress: TreeCopyProgress) => void;
}

/** What a copy has. */
export interface TreeCopyResult {
  /** The position of the log's last record that is in the copy. */
  readonly covered: LogPosition;
  /** How many tables the copy has. */
  readonly tables: number;
  /** Bytes of all its tables. */
  readonly bytes: number;
  /** How many tables were written for it. The others were there from an earlier copy. */
  readonly copiedTables: number;
  /** Bytes of the tables that were written for it. */
  readonly copiedBytes: number;
}

/** A copy shows what its snapshot shows, whatever the time is. */
const NOTHING_EXPIRED = 0;

const OPTIONS: readonly (keyof TreeCopyOptions)[] = ["from", "tables", "check", "onProgress"];

/** Errors of a table of an earlier copy after which it is copied anew. */
const NOT_REUSABLE = ["KAYA_CORRUPTION", "KAYA_NOT_FOUND", "KAYA_UNSUPPORTED_VERSION", "KAYA_IO"] as const;

/**
 * A copy of a tree in another directory: the tables that a snapshot shows, and newer ones on top. It goes into
 * an empty directory, or into one with an earlier copy, and then copies only new tables.
 */
export class TreeCopy {
  readonly #disk: Disk;
  readonly #options: ResolvedLsmOptions;
  readonly #check: () => void;
  readonly #progress: CopyProgress;
  /** Of level 0 the oldest first. */
  readonly #sources: readonly TableSource[];
  /** What the directory has from an earlier copy. */
  readonly #found: FoundManifest;
  readonly #firstId: number;
  /** Files that may be there and that no manifest named before. */
  readonly #made: number[] = [];
  readonly #added: PlacedTable[] = [];
  #covered: LogPosition;
  #copiedBytes = 0;
  /** From here on a manifest may name the files. */
  #isNaming = false;

  private constructor(disk: Disk, options: TreeCopyOptions, found: FoundManifest, directory: TableDirectory) {
    const { from, tables, check = () => undefined, onProgress } = options;
    this.#disk = disk;
    this.#options = resolveLsmOptions(tables);
    this.#check = check;
    this.#found = found;
    this.#firstId = Math.max(found.state.nextTableId, directory.highestId + 1);
    const sources = from?.sources ?? [];
    this.#sources = [
      ...sources.filter(({ level }) => level === 0).sort((a, b) => a.meta.id - b.meta.id),
      ...sources.filter(({ level }) => level > 0),
    ];
    this.#covered = from?.covered ?? EMPTY_STATE.covered;
    this.#progress = new CopyProgress(fileBytesOf(this.#sources.map(({ meta }) => meta)), onProgress);
  }

  /**
   * Begins a copy: reads what is there, and changes nothing.
   * @param disk nobody else may write there. It has nothing of a tree, or a tree that nobody has open
   * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION for the tree that is there; KAYA_INVALID_ARGUMENT; KAYA_IO
   */
  static async begin(disk: Disk, given?: TreeCopyOptions): Promise<TreeCopy> {
    const options = readOptions(given, OPTIONS, "the options of a copy");
    const [found, directory] = [await readManifest(disk), await listTables(disk)];
    return new TreeCopy(disk, options, found, directory);
  }

  /**
   * Writes a table that is newer than all so far, and reads it back. Call it any number of times, one call at a
   * time.
   *
   * @param covered the last record of the log that is in `source`; at or behind the one that is covered already
   * @throws KayaError KAYA_INVALID_ARGUMENT if a sequence is not above what is covered, or above `covered`, or
   *   keys are not in order; KAYA_DISK_FULL, KAYA_FSYNC_FAILED, KAYA_IO; what `check` throws
   */
  async add(source: FlushSource, covered: LogPosition): Promise<void> {
    checkCovers(this.#covered, covered);
    const bounds = { above: this.#covered.sequence, upTo: covered.sequence };
    const table = await writeFlush(checkedSource(source, this.#check), bounds, NOTHING_EXPIRED, () => {
      const id = this.#firstId + this.#sources.length + this.#added.length;
      this.#made.push(id);
      const place = { id, path: tablePath(id) };
      return OutputTable.create(this.#disk, place, formatOf(this.#options), this.#options.randomSeed());
    });
    this.#covered = covered;
    if (table === undefined) return;
    const path = tablePath(table.id);
    const damage = await this.#findDamage(path, table, () => this.#check());
    if (damage !== undefined)
      throw corruption(path, damage.offset, `it does not read back as it was written: ${damage.message}`);
    this.#added.push({ level: 0, table });
    this.#copiedBytes += table.fileBytes;
    this.#progress.added(table.fileBytes);
  }

  /**
   * Copies the tables, reads all of them back, those of an earlier copy too, and makes all of it count by one manifest. Once it
   * resolves all is durable. Then tables go that the manifest does not name: those that only an earlier copy had, and what a crash left.
   * @param logIdentity as that of `LsmTree.setLogIdentity`
   * @throws KayaError KAYA_CORRUPTION with file and offset where a table of the source is damaged; KAYA_DISK_FULL, KAYA_FSYNC_FAILED,
   *   KAYA_IO; what `check` throws. Then `abandon` is left.
   */
  async finish(logIdentity: string): Promise<TreeCopyResult> {
    const copied = await this.#placeAll();
    const state = applyEdit(EMPTY_STATE, {
      added: [...copied, ...this.#added],
      covered: this.#covered,
      logIdentity,
      nextTableId: this.#firstId + this.#sources.length + this.#added.length,
    });
    this.#check();
    // The names in it are made durable before the manifest is written.
    if (tablesOf(state).length > 0) await this.#disk.syncDir("");
    this.#isNaming = true;
    await writeManifest(this.#disk, state);
    await this.#removeOrphans(state);
    return {
      covered: this.#covered,
      tables: tablesOf(state).length,
      bytes: fileBytesOf(tablesOf(state)),
      copiedTables: this.#made.length,
      copiedBytes: this.#copiedBytes,
    };
  }

  /**
   * Takes away what was made, so that an earlier copy counts again. Where that is not certain everything stays: the earlier copy and the
   * new one are whole, and one of them counts.
   */
  async abandon(): Promise<void> {
    if (this.#isNaming && !(await this.#takeBackManifest())) return;
    for (const id of this.#made) await this.#disk.remove(tablePath(id)).catch(() => undefined); // an orphan
  }

  async #placeAll(): Promise<PlacedTable[]> {
    const earlier = new Map(tablesOf(this.#found.state).map((meta) => [keyOf(meta), meta]));
    const placed: PlacedTable[] = [];
    let newestOfLevel0 = 0;
    for (const [index, source] of this.#sources.entries()) {
      const { level, meta } = source;
      const there = earlier.get(keyOf(meta));
      const fits = there !== undefined && (level > 0 || there.id > newestOfLevel0);
      let id: number;
      if (fits && (await this.#isReusable(source, there.id))) {
        id = there.id;
        earlier.delete(keyOf(meta));
      } else {
        id = this.#firstId + index;
        await this.#copy(source, id);
      }
      if (level === 0) newestOfLevel0 = id;
      placed.push({ level, table: { ...meta, id } });
    }
    return placed;
  }

  /** Whether an earlier copy has the table, and all of it is as it was written. */
  async #isReusable(source: TableSource, id: number): Promise<boolean> {
    this.#check();
    this.#progress.begins();
    const footer = await footerOfSource(source);
    const path = tablePath(id);
    try {
      if (!(await hasFooter(this.#disk, path, source.meta, footer))) return false;
      const damage = await this.#findDamage(path, source.meta, (bytes) => this.#moved(bytes));
      if (damage !== undefined) return false;
    } catch (error) {
      this.#check();
      if (!NOT_REUSABLE.some((code) => KayaError.is(error, code))) throw error;
      return false;
    }
    this.#progress.finished(source.meta.fileBytes, "reused");
    return true;
  }

  async #copy(source: TableSource, id: number): Promise<void> {
    this.#check();
    this.#progress.begins();
    const path = tablePath(id);
    const { fileBytes } = source.meta;
    this.#made.push(id);
    const onBytes = (bytes: number) => this.#moved(bytes / 2);
    await copyTable(source, this.#disk, path, { syncBytes: this.#options.syncBytes, onBytes });
    const damage = await this.#findDamage(path, source.meta, onBytes);
    if (damage !== undefined) {
      const isSame = await isSameAsSource(source, this.#disk, path);
      if (isSame) throw corruption(source.path, damage.offset, `${damage.message} (found in a copy of it)`);
      throw corruption(path, damage.offset, `it does not read back as it was written: ${damage.message}`);
    }
    this.#copiedBytes += fileBytes;
    this.#progress.finished(fileBytes, "copied");
  }

  /** Reads every block of a file in the copy; gives the first thing that is wrong. */
  async #findDamage(
    path: string,
    expected: TableMeta,
    onBytes: (bytes: number) => void,
  ): Promise<TableDamage | undefined> {
    const { fileBytes, footerCrc } = expected;
    const options = { expected: { fileBytes, footerCrc }, onProgress: onBytes };
    return (await verifyTable(this.#disk, path, options)).damage[0];
  }

  #moved(bytes: number): void {
    this.#check();
    this.#progress.moved(bytes);
  }

  /** True where it is certain that no manifest names what was made. */
  async #takeBackManifest(): Promise<boolean> {
    const { number } = this.#found;
    try {
      const { newest, older } = await listManifests(this.#disk);
      const files = newest === undefined ? older : [...older, newest];
      if (number > 0 && !files.some((file) => file.number === number)) return false;
      const made = files.filter((file) => file.number > number);
      for (const { path } of made) await this.#disk.remove(path);
      await this.#disk.syncDir(MANIFEST_DIR);
      return true;
    } catch (error) {
      return KayaError.is(error, "KAYA_NOT_FOUND"); // there is no directory of manifests
    }
  }

  /** Only now: a manifest that a failed attempt left, and that a crash may bring back, would need its tables. */
  async #removeOrphans(state: ManifestState): Promise<void> {
    const directory = await listTables(this.#disk).catch(() => undefined); // the next copy, or an opening, removes them
    if (directory === undefined) return;
    const orphans = orphansOf(directory, state).map(({ path }) => path);
    for (const path of [...orphans, ...directory.leftovers])
      await this.#disk.remove(path).catch(() => undefined); // as above
  }
}

/** What a manifest says of a table, whatever its id. */
function keyOf(table: TableMeta): string {
  const { fileBytes, footerCrc, entries, tombstones, rangeTombstones, rawBytes } = table;
  const { smallestSequence, largestSequence, start, end } = table;
  const numbers = [fileBytes, footerCrc, entries, tombstones, rangeTombstones, rawBytes];
  const keys = [start, end].map((key) => key && Buffer.from(key).toString("hex"));
  return [...numbers, smallestSequence, largestSequence, ...keys].join(" ");
}

/** Entries that are written before `check` is called again. */
const CHECK_EVERY = 256;

/** Calls `check` now and then while a source is read. */
function checkedSource({ entries, rangeTombstones = [] }: FlushSource, check: () => void): FlushSource {
  let count = 0;
  const checkNext = () => {
    if (count++ % CHECK_EVERY === 0) check();
  };
  if (Symbol.asyncIterator in entries) return { entries: checkedLater(entries, checkNext), rangeTombstones };
  return { entries: checked(entries, checkNext), rangeTombstones };
}

function* checked<T>(items: Iterable<T>, check: () => void): Generator<T, void> {
  for (const item of items) {
    check();
    yield item;
  }
}

async function* checkedLater<T>(items: AsyncIterable<T>, check: () => void): AsyncGenerator<T, void> {
  for await (const item of items) {
    check();
    yield item;
  }
}
