import { checkCallback, describe, type EngineConfig, readInput, readOptions } from "@kaya/core";
import { assertDisk, type Disk, type DiskLock, NodeDisk } from "@kaya/io";
import type { WalWriter } from "@kaya/wal";
import { assertNotForeign } from "./foreign-files.js";
import { invalid } from "./input.js";
import { LOCK_PATH } from "./lock-path.js";
import { assertFinished } from "./unfinished.js";

/**
 * The disk that was given, or else the directory that the configuration names.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function diskOf(config: EngineConfig, disk: Disk | undefined): Disk {
  if (disk === undefined) return new NodeDisk(config.dataDir);
  assertDisk(disk);
  return disk;
}

interface RecoveryOptions {
  readonly dryRun?: boolean;
  readonly onProgress?: unknown;
}

/**
 * Takes a directory for writing: makes it where it is absent.
 * @returns undefined where the configuration wants no lock
 * @throws KayaError KAYA_INVALID_ARGUMENT where it holds files of somebody else, and nothing was changed; KAYA_LOCK_CONFLICT, KAYA_IO
 */
export async function takeDirectory(config: EngineConfig, disk: Disk): Promise<DiskLock | undefined> {
  await assertFinished(disk);
  if (!config.allowForeignFiles) await assertNotForeign(disk);
  return config.disableLocking ? undefined : disk.lock(LOCK_PATH);
}

/**
 * The options, read once. Refuses what would be ignored or fail in the middle.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function readRecoveryOptions<T extends RecoveryOptions>(
  given: T | undefined,
  known: readonly string[],
): Partial<T> {
  const options = readOptions(given, known, "the options");
  readInput("the options", () => checkRecoveryOptions(options as RecoveryOptions));
  return options;
}

function checkRecoveryOptions({ dryRun = false, onProgress }: RecoveryOptions): void {
  if (typeof dryRun !== "boolean") throw invalid(`dryRun must be true or false, not ${describe(dryRun)}`);
  checkCallback(onProgress, "onProgress");
}

/** What the lock says of the page cache: that the last engine left the log's tail as it marked it, unless somebody wrote to it since without the lock. */
export function trustOf(lock: DiskLock | undefined): boolean | string {
  if (lock?.cleanStart !== true) return false;
  return lock.mark ?? true;
}

/**
 * Lets go of the directory, and tells the next holder how the log was left, if it was opened at all.
 * @param own a disk that nobody else uses
 */
export async function letGo(
  { lock, own }: { readonly lock: DiskLock | undefined; readonly own: Disk | undefined },
  wal?: Pick<WalWriter, "tailMark">,
): Promise<void> {
  const mark = wal?.tailMark;
  try {
    await lock?.release(mark === undefined ? {} : { clean: true, mark });
  } finally {
    await own?.close?.();
  }
}

/** Lets go of a directory in which nothing was changed: the next holder is told what this one was told. */
export async function letGoAsFound(lock: DiskLock | undefined): Promise<void> {
  if (lock === undefined) return;
  const { cleanStart, mark } = lock;
  await lock.release(cleanStart ? { clean: true, ...(mark !== undefined && { mark }) } : {});
}
