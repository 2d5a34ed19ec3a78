import { KayaError } from "@kaya/core";
import type { DirEntry, Disk } from "@kaya/io";
import { listManifests, listTables, MANIFEST_DIR, TABLE_DIR } from "@kaya/lsm";
import { listSegments, makeNameDurable, readSealedFile, WAL_DIR, writeSealedFile } from "@kaya/wal";
import { LOCK_PATH } from "./lock-path.js";

/** In a directory that is being filled from elsewhere: until it is whole, nothing opens it. */
export const UNFINISHED_PATH = "UNFINISHED";
const TEMPORARY_PATH = `${UNFINISHED_PATH}.tmp`;
const DIRECTORIES = [MANIFEST_DIR, TABLE_DIR, WAL_DIR];

/** Marks a directory, durably, before anything is written into it. @param what is being made: "a restored store" */
export async function markUnfinished(disk: Disk, what: string): Promise<void> {
  await writeSealedFile(disk, UNFINISHED_PATH, markOf(what));
}

/**
 * The files of a broken-off filling; undefined if the directory is not one, or may hold anything else. A filling writes its manifest last, so without a
 * manifest the directory was never a whole store. With one it may have been whole: a power cut may bring back a removed mark.
 * @param what as `markUnfinished` was given
 * @throws KayaError KAYA_CORRUPTION for a damaged mark, or something in the place of a file; KAYA_IO
 */
export async function unfinishedFiles(disk: Disk, what: string): Promise<readonly string[] | undefined> {
  const root = await disk.list("");
  if (!root.every(isOfFilling)) return undefined;
  const mark = await readSealedFile(disk, UNFINISHED_PATH);
  const files = await filesOfFilling(disk);
  // The mark is the first file of a filling.
  const isBeforeMark = mark === undefined && root.some(({ path }) => path === TEMPORARY_PATH);
  if (isBeforeMark) return files?.length === 0 ? files : undefined;
  return mark === markOf(what) ? files : undefined;
}

async function filesOfFilling(disk: Disk): Promise<readonly string[] | undefined> {
  const [manifests, tables, segments] = [
    await listManifests(disk),
    await listTables(disk),
    await listSegments(disk),
  ];
  if (manifests.newest !== undefined) return undefined;
  if ([...manifests.unknown, ...tables.unknown, ...segments.unknown].length > 0) return undefined;
  const inDirectories = await Promise.all(DIRECTORIES.map((dir) => disk.list(dir)));
  const entries = inDirectories.flat();
  return entries.some(({ isDirectory }) => isDirectory) ? undefined : entries.map(({ path }) => path);
}

function isOfFilling({ path, isDirectory, special }: DirEntry): boolean {
  if (special !== undefined) return false;
  if (isDirectory) return DIRECTORIES.includes(path);
  return [LOCK_PATH, UNFINISHED_PATH, TEMPORARY_PATH].includes(path);
}

function markOf(what: string): string {
  return `kaya unfinished 1\n${what}\n`;
}

/** Everything is there, and durable: from now on the directory may be opened. */
export async function markFinished(disk: Disk): Promise<void> {
  await disk.remove(UNFINISHED_PATH);
  await makeNameDurable(disk, UNFINISHED_PATH);
}

/**
 * Makes sure that a directory is no part of a copy that was broken off.
 * @throws KayaError KAYA_INVALID_ARGUMENT, and nothing was changed; KAYA_IO
 */
export async function assertFinished(disk: Disk): Promise<void> {
  const root = await disk.list("");
  if (!root.some(({ path }) => path === UNFINISHED_PATH)) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `${disk.root ?? "the disk"} has a file ${UNFINISHED_PATH}: a restore, or the loading of a base, into it was broken off, so it is no whole store. Nothing was changed. Remove the directory, and restore again.`,
  );
}
