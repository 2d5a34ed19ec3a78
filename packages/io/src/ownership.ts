import { fstatSync, type Stats } from "node:fs";
import { type FileHandle, lstat, stat } from "node:fs/promises";
import { errnoOf } from "./node-errors.js";

/** Whose a file is, and who may do what with it. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, without those that change who runs a program. Undefined: as the process's umask leaves them. */
  readonly mode?: number | undefined;
}

// Windows has neither owners nor modes in this sense.
const HAS_OWNERS = process.getuid !== undefined;

/** A process without the right to give a file away, or a file system without owners: nothing can be done. */
const NOT_PERMITTED = ["EPERM", "EACCES", "EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

const PERMISSIONS = 0o777;

/** Of the regular file at `name`; undefined where there is none. A link is not followed: it could name anybody's file. */
export async function ownershipOfFile(name: string): Promise<Ownership | undefined> {
  const found = await lstat(name).catch(ignoreAbsent);
  return HAS_OWNERS && found?.isFile() === true ? ownershipOf(found) : undefined;
}

/** Of the file that is open. */
export function ownershipOfOpen(fd: number): Ownership | undefined {
  return HAS_OWNERS ? ownershipOf(fstatSync(fd)) : undefined;
}

/** The owner of the directory at `name`, with no mode: what a directory permits says nothing of the files in it. */
export async function ownerOfDirectory(name: string): Promise<Ownership | undefined> {
  const found = await stat(name).catch(ignoreAbsent);
  return HAS_OWNERS && found?.isDirectory() === true ? { uid: found.uid, gid: found.gid } : undefined;
}

/** For a directory that holds such files: whoever may read them may enter it. */
export function forDirectory({ uid, gid, mode }: Ownership): Ownership {
  return { uid, gid, ...(mode !== undefined && { mode: mode | ((mode & 0o444) >> 2) }) };
}

/**
 * Makes a file or directory that was just made look as `like`, as far as this process may. Where it may not give the file to the
 * group, the group that has it gets no more than everybody.
 */
export async function giveTo(handle: FileHandle, like: Ownership): Promise<void> {
  const made = await handle.stat();
  const ownsGroup = await changeOwner(handle, made, like);
  if (like.mode === undefined) return;
  const mode = ownsGroup ? like.mode : (like.mode & 0o707) | ((like.mode & 0o007) << 3);
  const special = made.mode & 0o7000; // a directory's own, which it has from the one above
  if ((made.mode & PERMISSIONS) !== mode) await ifPermitted(handle.chmod(special | mode));
}

/** @returns whether the file belongs to the wanted group now */
async function changeOwner(handle: FileHandle, made: Stats, { uid, gid }: Ownership): Promise<boolean> {
  if (made.uid === uid && made.gid === gid) return true;
  if (await ifPermitted(handle.chown(uid, gid))) return true;
  return made.gid === gid || (await ifPermitted(handle.chown(made.uid, gid)));
}

async function ifPermitted(change: Promise<void>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (cause) {
    if (!NOT_PERMITTED.includes(errnoOf(cause))) throw cause;
    return false;
  }
}

function ownershipOf({ uid, gid, mode }: Stats): Ownership {
  return { uid, gid, mode: mode & PERMISSIONS };
}

function ignoreAbsent(cause: unknown): undefined {
  if (errnoOf(cause) !== "ENOENT") throw cause;
  return undefined;
}
