import { closeSync, constants, fsync, fsyncSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { KayaError } from "@kaya/core";
import { errnoOf, fromSyncError, fromSystemError } from "./node-errors.js";

const sync = promisify(fsync);

// Windows has no fsync of a directory; NTFS journals names by itself.
const DIRECTORIES_CAN_SYNC = process.platform !== "win32";

/**
 * Makes the root and the directories above it, and fsyncs those that hold their names: the caller's `syncDir` never reaches above the root.
 * A process that died may have made existing ones without syncing their names. So all directories above the root are synced, up to the
 * mount point of its file system; those above what this call made only if permitted.
 */
export async function makeDurableDirectory(root: string): Promise<void> {
  for (const above of makeRoot(root)) {
    try {
      await syncDirectory(above.name);
    } catch (error) {
      if (above.isOurs || !isOfOthers(error)) throw error;
    }
  }
}

/** The same, synchronously. */
export function makeDurableDirectorySync(root: string): void {
  for (const above of makeRoot(root)) {
    try {
      syncDirectorySync(above.name);
    } catch (error) {
      if (above.isOurs || !isOfOthers(error)) throw error;
    }
  }
}

/** Makes it, and gives the directories above whose entries must be durable, nearest first; `isOurs`: it has an entry made here. */
function* makeRoot(root: string): Generator<{ readonly name: string; readonly isOurs: boolean }> {
  let first: string | undefined;
  let real: string;
  try {
    const made = makeDirectories(root);
    first = made && dirname(realpathSync(made));
    real = realpathSync(root); // a link on the way leads to other directories above
  } catch (cause) {
    throw fromSystemError(cause, "make the directory", root);
  }
  let isOurs = first !== undefined;
  for (let dir = real; !isMountPoint(dir); ) {
    dir = dirname(dir);
    yield { name: dir, isOurs };
    if (dir === first) isOurs = false;
  }
}

/** Errors that mean: this process may not, or this file system cannot, sync a directory. */
const CANNOT = ["EACCES", "EPERM", "EROFS", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];

function isOfOthers(error: unknown): boolean {
  return CANNOT.includes(errnoOf((error as KayaError).cause));
}

/** Whether a directory's name is in another file system than the directory (a mount point, "/"). */
function isMountPoint(dir: string): boolean {
  const above = dirname(dir);
  if (above === dir) return true;
  try {
    return statSync(above).dev !== statSync(dir).dev;
  } catch (cause) {
    throw fromSystemError(cause, "look at", dir);
  }
}

/** @throws KayaError KAYA_FSYNC_FAILED; KAYA_IO and others if it cannot be opened: then no fsync was tried */
async function syncDirectory(name: string): Promise<void> {
  if (!DIRECTORIES_CAN_SYNC) return;
  const fd = openDirectory(name);
  try {
    await sync(fd);
  } catch (cause) {
    throw fromSyncError(cause, name);
  } finally {
    closeSync(fd);
  }
}

function syncDirectorySync(name: string): void {
  if (!DIRECTORIES_CAN_SYNC) return;
  const fd = openDirectory(name);
  try {
    fsyncSync(fd);
  } catch (cause) {
    throw fromSyncError(cause, name);
  } finally {
    closeSync(fd);
  }
}

function openDirectory(name: string): number {
  try {
    return openSync(name, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw fromSystemError(cause, "open the directory", name);
  }
}

/**
 * Makes a directory and those above it, and gives the first one that it made; `adopt` is called with each. Not Node's recursive mkdir: that
 * reports every error that it does not know as ENOENT (EROFS, EDQUOT, EIO).
 */
export function makeDirectories(
  name: string,
  adopt: (made: string) => void = () => undefined,
): string | undefined {
  try {
    return makeDirectory(name, adopt) ? name : undefined;
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT" || dirname(name) === name) throw cause;
  }
  const first = makeDirectories(dirname(name), adopt);
  const made = makeDirectory(name, adopt);
  return first ?? (made ? name : undefined);
}

/** False where it was there already. */
function makeDirectory(name: string, adopt: (made: string) => void): boolean {
  try {
    mkdirSync(name);
  } catch (cause) {
    if (errnoOf(cause) !== "EEXIST") throw cause;
    if (!statSync(name).isDirectory())
      throw Object.assign(new Error("not a directory", { cause }), { code: "ENOTDIR" });
    return false;
  }
  adopt(name);
  return true;
}
