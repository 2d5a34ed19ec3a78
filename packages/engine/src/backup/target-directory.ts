import { describe, KayaError } from "@kaya/core";
import { assertDisk, type Disk, type DiskLock, NodeDisk, parentOf, readLockNote } from "@kaya/io";
import { MANIFEST_DIR, TABLE_DIR } from "@kaya/lsm";
import { formatLogMark, WAL_DIR } from "@kaya/wal";
import { letGo, letGoAsFound } from "../data-directory.js";
import { lockContent } from "../foreign-files.js";
import { invalid } from "../input.js";
import { LOCK_PATH } from "../lock-path.js";
import { unfinishedFiles } from "../unfinished.js";
import type { StoreIdentity } from "./backup-identity.js";
import { MadeDirectories } from "./made-directories.js";
import { contentOf, type TargetContent } from "./target-content.js";

const DIRECTORIES = [MANIFEST_DIR, TABLE_DIR, WAL_DIR];

/** How a target directory is checked, locked and named in errors. */
export interface TargetOptions {
  /** What goes there, for the error: "a backup". */
  readonly what: string;
  /** True: the directory is not locked, and nothing keeps a second writer out. */
  readonly disableLocking: boolean;
  /** An earlier backup of this store may be there. Default: none may. */
  readonly backupOf?: StoreIdentity;
  /** True: a broken-off filling with the same `what` may be there. `take` removes its files, except for the mark. Needs the lock. Default false. */
  readonly beginsAgain?: boolean;
}

/**
 * A directory that something is written into: one that is absent or empty, that has what a killed writing left, or an earlier backup of the
 * same store.
 */
export class TargetDirectory {
  readonly #disk: Disk;
  readonly #options: TargetOptions;
  readonly #name: string;
  /** The disk where it was made here. */
  readonly #own: Disk | undefined;
  #lock: DiskLock | undefined;
  #isTaken = false;
  /** The lock's file was made here. */
  #hasMadeLock = false;
  /** Directories that were absent; undefined on a disk that is no directory. */
  #made: MadeDirectories | undefined;

  private constructor(disk: Disk, options: TargetOptions, path: string | undefined) {
    this.#disk = disk;
    this.#options = options;
    this.#name = path ?? "the disk";
    this.#own = path === undefined ? undefined : disk;
  }

  /**
   * Looks at a directory, and changes nothing.
   * @param target a path, or a disk
   * @throws KayaError KAYA_INVALID_ARGUMENT where nothing may go there
   */
  static async find(target: string | Disk, options: TargetOptions): Promise<TargetDirectory> {
    const disk = toDisk(target, options.what);
    const directory = new TargetDirectory(disk, options, typeof target === "string" ? target : undefined);
    // One that is being written now: its lock will say so.
    if ((await directory.#unfinished()) === undefined)
      directory.#check(await contentOf(disk), await directory.#mayBeUnfinished());
    return directory;
  }

  /**
   * Locks the directory, as an engine would that opens it, and looks at it again. Doing it again gives the same.
   * @throws KayaError KAYA_LOCK_CONFLICT where somebody else writes there, KAYA_INVALID_ARGUMENT where somebody else wrote there: in both
   *   cases nothing was changed
   */
  async take(): Promise<Disk> {
    if (this.#isTaken) return this.#disk;
    const mayBeUnfinished = await this.#mayBeUnfinished();
    const hadLock = await this.#lookAround();
    const lock = await this.#lockDirectory();
    try {
      if (await this.#clearUnfinished()) {
        this.#hasMadeLock = true; // the broken-off filling made it
      } else {
        const content = await contentOf(this.#disk);
        // Somebody else may have had the directory since it was looked at: then there is a mark, a table, or an unfinished manifest.
        this.#hasMadeLock = !hadLock && content.kind === "nothing" && lock?.lastMark === undefined;
        this.#check(content, mayBeUnfinished && lock?.lastMark === undefined);
      }
      // If this process is killed, the lock file tells the next call that tables here are leftovers. So no table may survive without it.
      if (lock !== undefined) await this.#disk.syncDir("");
    } catch (error) {
      if (this.#hasMadeLock) await this.#undo(lock).catch(ignoreAfterFirst);
      else await letGoAsFound(lock);
      throw error;
    }
    this.#lock = lock;
    this.#isTaken = true;
    return this.#disk;
  }

  async #lockDirectory(): Promise<DiskLock | undefined> {
    if (this.#options.disableLocking) return undefined;
    try {
      return await this.#disk.lock(LOCK_PATH);
    } catch (error) {
      // `lock` makes the directory before it makes the lock file.
      if (this.#made?.isRootNew === true) {
        await this.#disk.close?.().catch(ignoreAfterFirst); // if the disk is used again, it makes the directory again
        await this.#made.removeRoot().catch(ignoreAfterFirst);
      }
      throw error;
    }
  }

  /** Lets go of the directory. @param isWhole what was written there is whole, and durable */
  async end(isWhole: boolean): Promise<void> {
    try {
      await letGo({ lock: this.#lock, own: undefined }, { tailMark: isWhole ? NO_LOG : undefined });
    } finally {
      await this.#own?.close?.();
    }
  }

  /**
   * Releases the directory after a call that failed and removed its files. It removes the lock file and the directories too, if this object made them: a
   * directory that was absent is absent again. If a file of the failed call or an unfinished manifest remains, the lock file stays: it tells the next call
   * that these files are leftovers. It never rejects, because the caller reports the first error.
   */
  async undo(): Promise<void> {
    try {
      if (this.#isTaken) await this.#undo(this.#lock);
    } catch {
      // Only a lock file or an empty directory remains then.
    } finally {
      await this.#own?.close?.();
    }
  }

  async #undo(lock: DiskLock | undefined): Promise<void> {
    if (!(await this.#isCleared())) return lock?.release();
    try {
      await this.#made?.removeBelow();
    } finally {
      await lock?.release({ remove: this.#hasMadeLock });
      if (this.#hasMadeLock) await this.#disk.syncDir("");
    }
    if (this.#made === undefined) return;
    await this.#disk.close?.(); // if the disk is used again, it makes the directories again
    await this.#made.removeRoot();
  }

  /** Whether no file of the failed call remains, and none can come back after a power cut. */
  async #isCleared(): Promise<boolean> {
    try {
      const root = await this.#disk.list("");
      for (const dir of DIRECTORIES)
        if (root.some(({ path, isDirectory }) => path === dir && isDirectory)) await this.#disk.syncDir(dir);
      return (await contentOf(this.#disk)).kind === "nothing";
    } catch {
      return false; // the disk has failed before, and the caller gets that error
    }
  }

  /** The files of a broken-off filling that may begin again here. Without a lock it may still be under way. */
  async #unfinished(): Promise<readonly string[] | undefined> {
    const { what, beginsAgain, disableLocking } = this.#options;
    if (beginsAgain !== true || disableLocking) return undefined;
    try {
      return await unfinishedFiles(this.#disk, what);
    } catch (error) {
      // Then the directory is refused like any other that holds something.
      if (KayaError.is(error, "KAYA_CORRUPTION")) return undefined;
      throw error;
    }
  }

  /** Removes what a broken-off filling left. Its mark stays, so that a crash leaves the same. @returns whether there was one */
  async #clearUnfinished(): Promise<boolean> {
    const files = await this.#unfinished();
    if (files === undefined) return false;
    for (const path of files) await this.#disk.remove(path);
    for (const dir of new Set(files.map(parentOf))) await this.#disk.syncDir(dir);
    return true;
  }

  /** Notes which directories exist before this object makes any. @returns whether a lock file exists */
  async #lookAround(): Promise<boolean> {
    const root = await this.#disk.list("");
    if (this.#disk instanceof NodeDisk)
      this.#made = await MadeDirectories.lookAt(this.#disk.root, DIRECTORIES);
    return root.some(({ path }) => path === LOCK_PATH);
  }

  /**
   * Whether the directory was locked by a writing that may have been killed, and never left clean: one that was whole once has a mark, and
   * its tables are not what a killed writing left.
   */
  async #mayBeUnfinished(): Promise<boolean> {
    if (this.#options.disableLocking) return false;
    const root = await this.#disk.list("");
    if (!root.some(({ path, isDirectory }) => path === LOCK_PATH && !isDirectory)) return false;
    // A power cut may take the note from a lock file, and leave the file.
    if ((await lockContent(this.#disk)) === "foreign") return false;
    return (await readLockNote(this.#disk, LOCK_PATH))?.mark === undefined;
  }

  #check(content: TargetContent, mayBeUnfinished: boolean): void {
    switch (content.kind) {
      case "nothing":
        return;
      case "other":
        throw this.#refusal(content.why, content.cause);
      case "begun":
        if (mayBeUnfinished || !content.hasTables) return;
        throw this.#refusal("it holds tables that no manifest names");
      case "backup":
        this.#checkBackup(content);
    }
  }

  #checkBackup({ identity: { from } }: TargetContent & { kind: "backup" }): void {
    const { backupOf } = this.#options;
    if (backupOf === undefined) throw this.#refusal("it holds a backup");
    if (from !== undefined && backupOf.isOrWas(from)) return;
    const whose =
      from === undefined ? "does not say of which store it is" : `is of another store, of the log ${from}`;
    throw this.#refusal(`the backup that it holds ${whose}`);
  }

  #refusal(why: string, cause?: KayaError): KayaError {
    const { what, backupOf } = this.#options;
    const where =
      backupOf === undefined
        ? "an empty directory"
        : "an empty directory, or one with an earlier backup of the same store";
    return new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${what} goes into ${where}, and not into ${this.#name}: ${why}. Nothing was changed. Give another directory, or empty this one.`,
      cause && { cause },
    );
  }
}

/** Ignores an error: only a lock file or an empty directory remains then, and the caller gets the first error. */
function ignoreAfterFirst(): void {}

/** The mark of a log without segments. */
const NO_LOG = formatLogMark({ id: undefined, lsn: 0, segmentId: 0, length: 0 });

function toDisk(target: string | Disk, what: string): Disk {
  if (typeof target === "string" && target.length === 0)
    throw invalid(`${what} needs a directory, and its path is empty`);
  if (typeof target === "string") return new NodeDisk(target);
  if (typeof target !== "object" || target === null)
    throw invalid(`${what} needs a directory or a disk, not ${describe(target)}`);
  assertDisk(target);
  return target;
}
