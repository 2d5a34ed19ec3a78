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
  /** For messages: "a base". */
  readonly what: string;
  /** How the directory is opened later. */
  readonly config: EngineConfig;
}

/**
 * A data directory that is filled from a blob store. It has a mark until it is whole, and no engine opens it before. A failure removes the new files
 * again.
 */
export class NewDirectory {
  readonly #disk: Disk;
  readonly #config: EngineConfig;
  /** Files that may be there, in the order in which they were made. */
  readonly #made: string[] = [];
  #segment: { readonly file: DiskFile; bytes: number } | undefined;
  #segments = 0;

  private constructor(disk: Disk, config: EngineConfig) {
    this.#disk = disk;
    this.#config = config;
  }

  /**
   * Fills a directory.
   * @param into absent or empty, or with what a killed filling with the same `what` left
   * @param fill ends with `finish`
   * @throws KayaError KAYA_INVALID_ARGUMENT if something is there: nothing was changed; what `fill` throws: then nothing is left that can be opened
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
      // Not told to be clean: the next opening reads the log to its end.
      else await target.end(false);
    }
  }

  /** Gets the tables of a base. */
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

  /** Appends records, encoded, to the log. The first is behind what the base covers; none is cut. */
  async addRecords(records: Uint8Array): Promise<void> {
    const { segmentMaxBytes } = this.#config.wal;
    if (this.#segment !== undefined && this.#segment.bytes + records.length > segmentMaxBytes)
      await this.#endSegment();
    this.#segment ??= await this.#beginSegment();
    await this.#segment.file.append(records);
    this.#segment.bytes += records.length;
  }

  /**
   * Makes it a store: all is durable, was read back, and has the identity.
   * @param history of the log of the new store
   * @param end the last record that it must have
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
    // Each table was read back when it was written.
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

  /** Removes the new files. The mark goes last, so that no engine opens a directory with some of them. @returns whether all are removed */
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
      // The first failure is the one to report. The mark is still there.
      return false;
    }
  }
}

function notAsWritten(why: string): KayaError {
  return new KayaError("KAYA_IO", `the new directory does not read back as it was written: ${why}`);
}
