import { constants } from "node:fs";
import { mkdir, open, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { KayaError } from "@kaya/core";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";

// Windows has no fsync of a directory; NTFS journals names by itself.
const DIRECTORIES_CAN_SYNC = process.platform !== "win32";

/**
 * Makes the root and what leads to it, and fsyncs the directories that hold their names: no `syncDir` of the caller's reaches above
 * the root. What was there already may have been made by a process that died before it synced the names. So all directories above
 * the root are synced, up to where its file system is mounted; those above what this call made only where that is permitted.
 */
export async function makeDurableDirectory(root: string): Promise<void> {
  let first: string | undefined;
  let real: string;
  try {
    const made = await makeDirectories(root);
    first = made && dirname(await realpath(made));
    real = await realpath(root); // a link on the way leads to other directories above
  } catch (cause) {
    throw fromSystemError(cause, "make the directory", root);
  }
  let isOurs = first !== undefined;
  for (let dir = real; !(await isMountPoint(dir)); ) {
    dir = dirname(dir);
    try {
      await syncDirectory(dir);
    } catch (error) {
      if (isOurs || !CANNOT.includes(errnoOf((error as KayaError).cause))) throw error;
    }
    if (dir === first) isOurs = false;
  }
}

/** What says that this process may not, or this file system cannot, sync a directory. */
const CANNOT = ["EACCES", "EPERM", "EROFS", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];

/** Whether the name of a directory is not in the file system that the directory is in; nor is that of "/". */
async function isMountPoint(dir: string): Promise<boolean> {
  const above = dirname(dir);
  if (above === dir) return true;
  try {
    return (await stat(above)).dev !== (await stat(dir)).dev;
  } catch (cause) {
    throw fromSystemError(cause, "look at", dir);
  }
}

/** @throws KayaError KAYA_FSYNC_FAILED; KAYA_IO and the like where it cannot be opened: then no fsync was tried */
async function syncDirectory(name: string): Promise<void> {
  if (!DIRECTORIES_CAN_SYNC) return;
  const handle = await open(name, constants.O_RDONLY | constants.O_DIRECTORY).catch((cause: unknown) => {
    throw fromSystemError(cause, "open the directory", name);
  });
  try {
    await handle.sync();
  } catch (cause) {
    throw fromSyncError(cause, name);
  } finally {
    await handle.close();
  }
}

/**
 * Makes a directory and what leads to it, and gives the first one that it made; `adopt` is called with each. Not Node's recursive mkdir: that
 * reports every error that it does not know as ENOENT (EROFS, EDQUOT, EIO).
 */
export async function makeDirectories(
  name: string,
  adopt: (made: string) => Promise<void> = async () => undefined,
): Promise<string | undefined> {
  try {
    return (await makeDirectory(name, adopt)) ? name : undefined;
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT" || dirname(name) === name) throw cause;
  }
  const first = await makeDirectories(dirname(name), adopt);
  const made = await makeDirectory(name, adopt);
  return first ?? (made ? name : undefined);
}

/** False where it was there already. */
async function makeDirectory(name: string, adopt: (made: string) => Promise<void>): Promise<boolean> {
  try {
    await mkdir(name);
  } catch (cause) {
    if (errnoOf(cause) !== "EEXIST") throw cause;
    if (!(await stat(name)).isDirectory())
      throw Object.assign(new Error("not a directory", { cause }), { code: "ENOTDIR" });
    return false;
  }
  await adopt(name);
  return true;
}
