import { KayaError, type Lsn } from "@kaya/core";
import { type DirEntry, type Disk, isFile, isRemovable } from "@kaya/io";

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
  /** Named like checkpoints, and cannot be any: they may hold data, so no opening ignores them. */
  readonly impossible: readonly ImpossibleCheckpoint[];
}

export interface ImpossibleCheckpoint {
  readonly path: string;
  readonly reason: string;
}

export function checkpointPath(lsn: Lsn): string {
  return `${CHECKPOINT_DIR}/${lsn.toString(16).padStart(16, "0")}.ckpt`;
}

export function temporaryPath(lsn: Lsn): string {
  return checkpointPath(lsn) + TEMPORARY_SUFFIX;
}

/** The last record of the log that a checkpoint of this name (without its directory) covers; undefined for any other name. */
export function checkpointLsn(name: string): Lsn | undefined {
  const lsn = Number.parseInt(NAME.exec(name)?.[1] ?? "", 16);
  return Number.isSafeInteger(lsn) ? lsn : undefined;
}

/** What is in `checkpoint/`, told apart by name. */
export async function listCheckpoints(disk: Disk): Promise<CheckpointDirectory> {
  const files: CheckpointFile[] = [];
  const leftovers: string[] = [];
  const unknown: string[] = [];
  const impossible: ImpossibleCheckpoint[] = [];
  for (const entry of await disk.list(CHECKPOINT_DIR)) {
    const { path, length } = entry;
    const name = path.slice(path.lastIndexOf("/") + 1);
    const lsn = checkpointLsn(name);
    if (lsn !== undefined && isFile(entry)) files.push({ lsn, path, bytes: length });
    else if (NAME.test(name)) impossible.push({ path, reason: whyImpossible(entry) });
    else if (isRemovable(entry) && TEMPORARY_NAME.test(name)) leftovers.push(path);
    else unknown.push(path);
  }
  // The disk lists by name, and sixteen hex digits sort as the numbers that they are.
  return { newest: files.at(-1), older: files.slice(0, -1), leftovers, unknown, impossible };
}

function whyImpossible({ isDirectory, special }: DirEntry): string {
  if (isDirectory) return "is a directory";
  return special === undefined ? "no LSN is that large" : `is ${special}`;
}

/**
 * `listCheckpoints`, for whoever relies on it.
 * @throws KayaError KAYA_CORRUPTION where a name stands for no LSN
 */
export async function checkpointsToRead(disk: Disk): Promise<CheckpointDirectory> {
  const directory = await listCheckpoints(disk);
  const [first] = directory.impossible;
  if (first === undefined) return directory;
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${first.path} is named like a checkpoint and ${first.reason}. Nothing was changed. Move it away if it does not belong here.`,
  );
}

/** Before anything that a checkpoint covers is dropped. */
export async function makeNameDurable(disk: Disk): Promise<void> {
  await disk.syncDir(CHECKPOINT_DIR);
  await disk.syncDir("");
}

/** One that was taken away again could come back in a power cut, over a log that begins anew. */
export async function makeAbsenceDurable(disk: Disk): Promise<void> {
  const root = await disk.list("");
  if (root.some(({ path }) => path === CHECKPOINT_DIR)) await disk.syncDir(CHECKPOINT_DIR);
}

/** Removes what a crash left unfinished, and what the newest checkpoint takes the place of, oldest first. */
export async function removeSuperfluous(
  disk: Disk,
  { older, leftovers }: Pick<CheckpointDirectory, "older" | "leftovers">,
): Promise<void> {
  for (const path of [...leftovers, ...older.map((file) => file.path)]) await disk.remove(path);
}

/** Takes a checkpoint away for good. */
export async function removeCheckpoint(disk: Disk, file: CheckpointFile): Promise<void> {
  await disk.remove(file.path);
  await disk.syncDir(CHECKPOINT_DIR);
}
