import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { KayaError, type LogPosition, type PartialEngineConfig } from "@kaya/core";
import { markFinished, markUnfinished, UNFINISHED_PATH } from "@kaya/engine/shipping";
import type { Disk, ReleaseOptions } from "@kaya/io";
import { formatLogMark } from "@kaya/wal";
import type { BlobStore } from "./blob-store.js";
import type { LogBase } from "./shared-log.js";
import { loadBase } from "./shipment/load-base.js";
import { SubDisk } from "./sub-disk.js";

/** The directory into which a base is loaded before it replaces the node's data. */
const LOADING_DIR = "loading";
/** The directories that a base replaces. Consumers, the marker and the node's id stay. */
const REPLACED = ["wal", "manifest", "sst"] as const;
const LOCK_PATH = "LOCK";
/** The mark of a log without segments. */
const NO_LOG = formatLogMark({ id: undefined, lsn: 0, segmentId: 0, length: 0 });

export interface LoadOptions {
  readonly store: BlobStore;
  readonly base: LogBase;
  readonly config: PartialEngineConfig;
  readonly signal: AbortSignal;
}

/**
 * Loads a base into a directory of its own beside the node's data. The node can still be read during that time.
 * @throws KayaError as `loadBase`: then the node's data is unchanged
 */
export async function loadBeside(disk: Disk, { store, base, config, signal }: LoadOptions): Promise<void> {
  await removeFiles(disk, LOADING_DIR);
  const loaded = await loadBase(store, base.name, new SubDisk(disk, LOADING_DIR), { config, signal });
  if (loaded.lsn !== base.lsn || loaded.sequence !== base.sequence)
    throw new KayaError(
      "KAYA_CORRUPTION",
      `${store.name}: base ${base.name} has LSN ${loaded.lsn} and sequence ${loaded.sequence}, and the log says LSN ${base.lsn} and sequence ${base.sequence}`,
    );
}

/**
 * Replaces the data of a node by the base that was loaded beside it. The engine must be closed. A crash during the replacement leaves the
 * file `UNFINISHED`. The node then empties the directory, and loads the base again.
 */
export async function takeLoaded(disk: Disk, config: PartialEngineConfig): Promise<void> {
  await replacing(disk, config, async () => {
    for (const dir of REPLACED) await removeFiles(disk, dir);
    for (const dir of REPLACED) await moveFiles(disk, `${LOADING_DIR}/${dir}`, dir);
  });
}

/** Empties a directory after a crash during `takeLoaded`. No record is lost: the shared log and its base have all of them. */
export async function emptyUnfinished(disk: Disk, config: PartialEngineConfig): Promise<void> {
  await replacing(disk, config, async () => {
    for (const dir of [...REPLACED, LOADING_DIR]) await removeFiles(disk, dir);
  });
}

/**
 * Removes the files of a load that ended or was interrupted. The caller holds the lock of the node's directory, so no other load is
 * running.
 * @param isLast true: the caller uses the disk for nothing else, so the directories are removed too. Otherwise they stay, because a disk
 *   keeps handles of its directories
 */
export async function removeLoading(disk: Disk, isLast: boolean): Promise<void> {
  await removeFiles(disk, LOADING_DIR);
  if (!isLast || disk.root === undefined) return;
  for (const dir of [...REPLACED.map((name) => join(LOADING_DIR, name)), LOADING_DIR])
    await rmdir(join(disk.root, dir)).catch(ignoreAbsent);
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** Whether a crash interrupted `takeLoaded`, or another call that fills a directory. */
export async function isUnfinished(disk: Disk): Promise<boolean> {
  return (await disk.list("")).some(({ path }) => path === UNFINISHED_PATH);
}

/** @throws KayaError KAYA_CORRUPTION if the base does not reach beyond the local log: then the trimmed records are lost */
export function assertBehind(name: string, base: LogBase, { lsn }: LogPosition): void {
  if (base.lsn > lsn) return;
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${name}: the records after LSN ${lsn} were trimmed, and the base ends with LSN ${base.lsn}: the records between them are missing. Somebody removed them from the log by hand.`,
  );
}

/**
 * Runs a replacement of the log. The lock file has a mark of the end of the log. The mark must be reset before the log is removed:
 * otherwise the next opening would report that the log is missing.
 */
async function replacing(
  disk: Disk,
  { disableLocking }: PartialEngineConfig,
  run: () => Promise<void>,
): Promise<void> {
  const lock = async () => (disableLocking === true ? undefined : disk.lock(LOCK_PATH));
  const first = await lock();
  let end: ReleaseOptions = {};
  try {
    await markUnfinished(disk, "the loading of a base");
    end = { clean: true, mark: NO_LOG };
  } finally {
    await first?.release(end);
  }
  const second = await lock();
  try {
    await run();
    await markFinished(disk);
  } finally {
    await second?.release({});
  }
}

async function removeFiles(disk: Disk, dir: string): Promise<void> {
  const entries = await disk.list(dir);
  for (const { path, isDirectory } of entries)
    await (isDirectory ? removeFiles(disk, path) : disk.remove(path));
  if (entries.length > 0) await disk.syncDir(dir);
}

async function moveFiles(disk: Disk, from: string, to: string): Promise<void> {
  const entries = await disk.list(from);
  for (const { path, isDirectory } of entries)
    if (!isDirectory) await disk.rename(path, `${to}${path.slice(from.length)}`);
  if (entries.length === 0) return;
  await disk.syncDir(to);
  await disk.syncDir("");
  await disk.syncDir(from);
}
