import { type EngineConfig, KayaError, type LogPosition } from "@kaya/core";
import { markFinished, markUnfinished, TargetDirectory } from "@kaya/engine/shipping";
import type { Disk, DiskFile } from "@kaya/io";
import { MANIFEST_DIR, readManifest, TABLE_DIR, tablePath, writeManifest } from "@kaya/lsm";
import { type LogHistory, readLog, WAL_DIR, writeSealedFile } from "@kaya/wal";
import type { BlobOptions, BlobStore } from "../blob-store.js";
import type { Base } from "./base-object.js";
import { getTable } from "./table-object.js";

const LOG_ID_PATH = "wal/log-id";

/** What goes into a directory. */
export interface NewDirectoryOptions {
  /** The kind of content, for messages: "a base". */
  readonly what: string;
  /** The configuration with which the directory is opened later. */
  readonly config: EngineConfig;
}

/**
 * A data directory that is filled from a blob store. It has a mark until it is complete, and no engine opens a directory with the mark. If
 * filling it fails, the new files are removed.
 */
export class NewDirectory {
  readonly #disk: Disk;
  readonly #config: EngineConfig;
  /** The files that may exist, in the order in which they were made. */
  readonly #made: string[] = [];
  #segment: { readonly file: DiskFile; bytes: number } | undefined;
  #segments = 0;

  private constructor(disk: Disk, config: EngineConfig) {
    this.#disk = disk;
    this.#config = config;
  }

  /**
   * Fills a directory.
   * @param into absent or empty; or the rest of a killed call with the same `what`
   * @param fill adds the content, and ends with `finish`
   * @throws KayaError KAYA_INVALID_ARGUMENT if the directory has other content: nothing was changed; or the error of `fill`: then nothing
   *   remains that can be opened
   */
  static async fill<T>(
    into: string | Disk,
    { what, config }: NewDirectoryOptions,
    fill: (directory: NewDirectory) => Promise<T>,
  ): Promise<T> {
    const { disableLocking } = config;
    const target = await TargetDirectory.find(into, { what, disableLocking, beginsAgain: true });
    let isAbandoned = false;
    try {
      const directory = new NewDirectory(await target.take(), config);
      try {
        await markUnfinished(directory.#disk, what);
        return await fill(directory);
      } catch (error) {
        isAbandoned = await directory.#abandon();
        throw error;
      }
    } finally {
      if (isAbandoned) await target.undo();
      // The lock is not marked as clean, so the next opening reads the log to its end.
      else await target.end(false);
    }
  }

  /** Loads the tables of a base. */
  async addTables(
    { tables }: Pick<Base, "tables">,
    store: BlobStore,
    options: BlobOptions & { readonly onBytes?: (bytes: number) => void },
  ): Promise<void> {
    for (const table of tables) {
      this.#made.push(tablePath(table.meta.id));
      await getTable(table, store, this.#disk, options);
    }
    if (tables.length > 0) await this.#disk.syncDir(TABLE_DIR);
  }

  /** Appends encoded, whole records to the log. The first one follows the last record of the base. */
  async addRecords(records: Uint8Array): Promise<void> {
    const { segmentMaxBytes } = this.#config.wal;
    if (this.#segment !== undefined && this.#segment.bytes + records.length > segmentMaxBytes)
      await this.#endSegment();
    this.#segment ??= await this.#beginSegment();
    await this.#segment.file.append(records);
    this.#segment.bytes += records.length;
  }

  /**
   * Completes the store. All of it is then durable, was read back, and has the new identity.
   * @param history the identity of the new store's log
   * @param end the last record that the store must have
   */
  async finish(base: Omit<Base, "epoch" | "time">, history: LogHistory, end: LogPosition): Promise<void> {
    await this.#endSegment();
    this.#made.push(LOG_ID_PATH);
    await writeSealedFile(this.#disk, LOG_ID_PATH, history.toText());
    const levels = Array.from({ length: 7 }, (_, level) =>
      base.tables.filter((table) => table.level === level).map(({ meta }) => meta),
    );
    await writeManifest(this.#disk, {
      logIdentity: history.id,
      nextTableId: base.nextTableId,
      covered: base.covered,
      levels,
    });
    await this.#check(base.covered, end);
    await markFinished(this.#disk);
  }

  async #check(covered: LogPosition, end: LogPosition): Promise<void> {
    // The tables need no check: each was read back when it was written.
    const { state } = await readManifest(this.#disk);
    if (state.covered.lsn !== covered.lsn) throw notAsWritten(`its manifest covers LSN ${state.covered.lsn}`);
    const { maxRecordBytes } = this.#config.wal;
    const { lastLsn, gap } = await readLog(this.#disk, {
      maxRecordBytes,
      after: covered,
      through: end.lsn,
      onRecord: () => undefined,
    });
    if (gap !== undefined || lastLsn !== end.lsn)
      throw notAsWritten(`its log ends at LSN ${lastLsn}, and must end at LSN ${end.lsn}`);
  }

  async #beginSegment(): Promise<{ readonly file: DiskFile; bytes: number }> {
    const id = ++this.#segments;
    const path = `${WAL_DIR}/${id.toString(16).padStart(16, "0")}.wal`;
    this.#made.push(path);
    return { file: await this.#disk.open(path, { create: true, exclusive: true }), bytes: 0 };
  }

  async #endSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    if (segment === undefined) return;
    try {
      await segment.file.sync();
    } finally {
      await segment.file.close();
    }
    await this.#disk.syncDir(WAL_DIR);
    await this.#disk.syncDir("");
  }

  /**
   * Removes the new files. The mark is removed last, so that no engine opens a directory with only some of the files. @returns whether all
   * were removed
   */
  async #abandon(): Promise<boolean> {
    try {
      await this.#segment?.file.close();
      for (const { path } of await this.#disk.list(MANIFEST_DIR)) this.#made.push(path);
      for (const path of this.#made.reverse()) await this.#disk.remove(path);
      for (const directory of [MANIFEST_DIR, TABLE_DIR, WAL_DIR])
        if ((await this.#disk.list("")).some(({ path }) => path === directory))
          await this.#disk.syncDir(directory);
      await markFinished(this.#disk);
      return true;
    } catch {
      // The caller gets the first error. The mark still protects the directory.
      return false;
    }
  }
}

function notAsWritten(why: string): KayaError {
  return new KayaError("KAYA_IO", `the new directory does not read back as it was written: ${why}`);
}
