import { KayaError, type Lsn } from "@kaya/core";
import type { Disk } from "@kaya/io";

export const CHECKPOINT_DIR = "checkpoint";

/** Ends the name of a checkpoint that is being written; one that bears it after a crash is of no use. */
const TEMPORARY_SUFFIX = ".tmp";
const NAME = /^([0-9a-f]{16})\.ckpt$/;
const TEMPORARY_NAME = /^[0-9a-f]{16}\.ckpt\.tmp$/;

export interface CheckpointFile {
  /** The last record of the log that it covers. */
  readonly lsn: Lsn;
  /** Relative to the disk's root. */
  readonly path: string;
  readonly bytes: number;
}

export interface CheckpointDirectory {
  /** The one that counts: it is never passed over for an older one, whatever it is like. */
  readonly newest: CheckpointFile | undefined;
  readonly older: readonly CheckpointFile[];
  /** Paths of what a crash left unfinished. */
  readonly leftovers: readonly string[];
  /** Paths of what is not ours. */
  readonly unknown: readonly string[];
}

export function checkpointPath(lsn: Lsn): string {
  return `${CHECKPOINT_DIR}/${lsn.toString(16).padStart(16, "0")}.ckpt`;
}

export function temporaryPath(lsn: Lsn): string {
  return checkpointPath(lsn) + TEMPORARY_SUFFIX;
}

/** @throws KayaError KAYA_CORRUPTION where a name stands for no LSN: it may hold data, so it is not ignored */
export async function listCheckpoints(disk: Disk): Promise<CheckpointDirectory> {
  const files: CheckpointFile[] = [];
  const leftovers: string[] = [];
  const unknown: string[] = [];
  for (const { path, isDirectory, length } of await disk.list(CHECKPOINT_DIR)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const digits = NAME.exec(name)?.[1];
    if (digits !== undefined) files.push({ lsn: toLsn(digits, path, isDirectory), path, bytes: length });
    else if (!isDirectory && TEMPORARY_NAME.test(name)) leftovers.push(path);
    else unknown.push(path);
  }
  // The disk lists by name, and sixteen hex digits sort as the numbers that they are.
  return { newest: files.at(-1), older: files.slice(0, -1), leftovers, unknown };
}

function toLsn(digits: string, path: string, isDirectory: boolean): Lsn {
  const lsn = Number.parseInt(digits, 16);
  if (Number.isSafeInteger(lsn) && !isDirectory) return lsn;
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${path} is named like a checkpoint and ${isDirectory ? "is a directory" : "no LSN is that large"}. ` +
      "Nothing was changed. Move it away if it does not belong here.",
  );
}

/** Before anything that a checkpoint covers is dropped. */
export async function makeNameDurable(disk: Disk): Promise<void> {
  await disk.syncDir(CHECKPOINT_DIR);
  await disk.syncDir("");
}

/** Removes what a crash left unfinished, and what the newest checkpoint takes the place of, oldest first. */
export async function removeSuperfluous(disk: Disk): Promise<void> {
  const { older, leftovers } = await listCheckpoints(disk);
  for (const path of [...leftovers, ...older.map((file) => file.path)]) await disk.remove(path);
}

/** Takes a checkpoint away for good. */
export async function removeCheckpoint(disk: Disk, file: CheckpointFile): Promise<void> {
  await disk.remove(file.path);
  await disk.syncDir(CHECKPOINT_DIR);
}
