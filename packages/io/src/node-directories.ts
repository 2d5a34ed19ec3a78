import { constants } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";

// Windows has no fsync of a directory; NTFS journals names by itself.
const DIRECTORIES_CAN_SYNC = process.platform !== "win32";

/**
 * Makes the root and what leads to it, and fsyncs the directories that hold a new name: no `syncDir` of the caller's
 * reaches above the root. Where the root was there already, its name may still be in flight from a process that died.
 */
export async function makeDurableDirectory(root: string): Promise<void> {
  let made: string | undefined;
  try {
    made = await makeDirectories(root);
  } catch (cause) {
    throw fromSystemError(cause, "make the directory", root);
  }
  const first = dirname(made ?? root);
  for (let dir = dirname(root); ; dir = dirname(dir)) {
    try {
      await syncDirectory(dir);
    } catch (cause) {
      const mayNotRead =
        made === undefined && ["EACCES", "EPERM", "EROFS", "EINVAL"].includes(errnoOf(cause));
      if (!mayNotRead) throw fromSyncError(cause, dir);
    }
    if (dir === first || dir === dirname(dir)) return;
  }
}

/** Fsyncs a directory; nothing but a directory. */
export async function syncDirectory(name: string): Promise<void> {
  if (!DIRECTORIES_CAN_SYNC) return;
  const handle = await open(name, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
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
