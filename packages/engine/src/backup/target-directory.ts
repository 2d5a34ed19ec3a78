import { describe, type KayaError } from "@kaya/core";
import { assertDisk, type Disk, NodeDisk } from "@kaya/io";
import { formatLogMark } from "@kaya/wal";
import { letGo, letGoAsFound } from "../data-directory.js";
import { LOST_AND_FOUND, lockContent } from "../foreign-files.js";
import { invalid } from "../input.js";
import { LOCK_PATH } from "../lock-path.js";
import { CHECKPOINT_DIR, listCheckpoints } from "./checkpoint-files.js";

export interface TargetOptions {
  /** What goes there, for the error: "a backup". */
  readonly what: string;
  /** As of the engine: then nothing keeps a second writer out. */
  readonly disableLocking: boolean;
}

/** A directory that is to be filled. */
export class TargetDirectory {
  readonly #disk: Disk;
  readonly #options: TargetOptions;
  readonly #name: string;
  /** The disk where it was made here. */
  readonly #own: Disk | undefined;

  private constructor(disk: Disk, options: TargetOptions, path: string | undefined) {
    this.#disk = disk;
    this.#options = options;
    this.#name = path ?? "the disk";
    this.#own = path === undefined ? undefined : disk;
  }

  /**
   * A directory that is absent or empty. A file `LOCK`, the directory `lost+found` and empty directories count as nothing: a write that
   * was broken off leaves the first and the last. Changes nothing.
   * @param target a path, or a disk
   * @throws KayaError KAYA_INVALID_ARGUMENT
   */
  static async find(target: string | Disk, options: TargetOptions): Promise<TargetDirectory> {
    const disk = toDisk(target, options.what);
    const directory = new TargetDirectory(disk, options, typeof target === "string" ? target : undefined);
    const { hasLock, found } = await contentOf(disk);
    // One that is being written now: its lock will say so.
    const isBegun = hasLock && found.every((path) => path === CHECKPOINT_DIR) && (await isUnfinished(disk));
    directory.#assertEmpty(isBegun ? [] : found);
    return directory;
  }

  /**
   * Locks the directory, as an engine would that opens it, and lets `write` fill it.
   * @throws KayaError KAYA_LOCK_CONFLICT where somebody else writes there, KAYA_INVALID_ARGUMENT where somebody else wrote there: in both
   *   cases nothing was changed; and what `write` throws
   */
  async fill<T>(write: (disk: Disk) => Promise<T>): Promise<T> {
    try {
      return await this.#fill(write);
    } finally {
      await this.#own?.close?.();
    }
  }

  async #fill<T>(write: (disk: Disk) => Promise<T>): Promise<T> {
    const lock = this.#options.disableLocking ? undefined : await this.#disk.lock(LOCK_PATH);
    try {
      const { found } = await contentOf(this.#disk);
      if (found.length > 0 && (await isUnfinished(this.#disk))) throw this.#leftOver();
      this.#assertEmpty(found);
    } catch (error) {
      await letGoAsFound(lock);
      throw error;
    }
    let mark: string | undefined;
    try {
      const written = await write(this.#disk);
      mark = NO_LOG;
      return written;
    } finally {
      await letGo({ lock, own: undefined }, { tailMark: mark });
    }
  }

  #leftOver(): KayaError {
    return invalid(
      `${this.#options.what} goes into an empty directory: in ${this.#name} is what is left of one that did not end. Empty the directory first.`,
    );
  }

  #assertEmpty(found: readonly string[]): void {
    if (found.length === 0) return;
    throw invalid(`${this.#options.what} goes into an empty directory: ${this.#name} holds ${found[0]}`);
  }
}

/** The mark of a log without segments. */
const NO_LOG = formatLogMark({ id: undefined, lsn: 0, segmentId: 0, length: 0 });

/** Whether there is no checkpoint, but one that is being written, or was. */
async function isUnfinished(disk: Disk): Promise<boolean> {
  const { newest, unknown, impossible } = await listCheckpoints(disk);
  return newest === undefined && unknown.length === 0 && impossible.length === 0;
}

function toDisk(target: string | Disk, what: string): Disk {
  if (typeof target === "string" && target.length === 0) throw invalid(`${what} needs a directory`);
  if (typeof target === "string") return new NodeDisk(target);
  if (typeof target !== "object" || target === null)
    throw invalid(`${what} goes into a directory, not ${describe(target)}`);
  assertDisk(target);
  return target;
}

async function contentOf(
  disk: Disk,
): Promise<{ readonly hasLock: boolean; readonly found: readonly string[] }> {
  let hasLock = false;
  const found: string[] = [];
  for (const { path, isDirectory } of await disk.list("")) {
    if (path === LOCK_PATH && !isDirectory && (await lockContent(disk)) !== "foreign") hasLock = true;
    else if (path === LOST_AND_FOUND && isDirectory) continue;
    else if (!isDirectory || (await disk.list(path)).length > 0) found.push(path);
  }
  return { hasLock, found };
}
