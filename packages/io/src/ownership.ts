import { fchmodSync, fchownSync, fstatSync, lstatSync, type Stats, statSync } from "node:fs";
import { errnoOf } from "./node-errors.js";

/** Owner and mode of a file. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, without set-user-ID, set-group-ID and sticky. Undefined: as the process's umask leaves them. */
  readonly mode?: number | undefined;
}

// Windows has neither owners nor modes in this sense.
const HAS_OWNERS = process.getuid !== undefined;

/** The process may not give files away, or the file system has no owners: ignored. */
const NOT_PERMITTED = ["EPERM", "EACCES", "EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

const PERMISSIONS = 0o777;

/** Of the regular file at `name`; undefined where there is none. A link is not followed: it could name anybody's file. */
export function ownershipOfFile(name: string): Ownership | undefined {
  const found = lstatSync(name, { throwIfNoEntry: false });
  return HAS_OWNERS && found?.isFile() === true ? ownershipOf(found) : undefined;
}

/** Of the file that is open. */
export function ownershipOfOpen(fd: number): Ownership | undefined {
  return HAS_OWNERS ? ownershipOf(fstatSync(fd)) : undefined;
}

/** The owner of the directory at `name`, without its mode: that says nothing of the files in it. */
export function ownerOfDirectory(name: string): Ownership | undefined {
  const found = statSync(name, { throwIfNoEntry: false });
  return HAS_OWNERS && found?.isDirectory() === true ? { uid: found.uid, gid: found.gid } : undefined;
}

/** For a directory of such files: who may read them may enter it. */
export function forDirectory({ uid, gid, mode }: Ownership): Ownership {
  return { uid, gid, ...(mode !== undefined && { mode: mode | ((mode & 0o444) >> 2) }) };
}

/** The system calls that give a file away, on a descriptor. */
export interface Giving {
  readonly stat: (fd: number) => Stats;
  readonly chown: (fd: number, uid: number, gid: number) => void;
  readonly chmod: (fd: number, mode: number) => void;
}

const SYSTEM: Giving = { stat: fstatSync, chown: fchownSync, chmod: fchmodSync };

/**
 * Gives a new file or directory the owner and mode of `like`, as far as permitted. If it may not get the group, its present group gets no
 * more rights than everybody.
 */
export function giveTo(fd: number, like: Ownership, { stat, chown, chmod }: Giving = SYSTEM): void {
  const made = stat(fd);
  const ownsGroup = changeOwner(fd, made, like, chown);
  if (like.mode === undefined) return;
  const mode = ownsGroup ? like.mode : (like.mode & 0o707) | ((like.mode & 0o007) << 3);
  const special = made.mode & 0o7000; // a directory's own, inherited from its parent
  if ((made.mode & PERMISSIONS) !== mode) ifPermitted(() => chmod(fd, special | mode));
}

/** @returns whether the file belongs to the wanted group now */
function changeOwner(fd: number, made: Stats, { uid, gid }: Ownership, chown: Giving["chown"]): boolean {
  if (made.uid === uid && made.gid === gid) return true;
  if (ifPermitted(() => chown(fd, uid, gid))) return true;
  return made.gid === gid || ifPermitted(() => chown(fd, made.uid, gid));
}

function ifPermitted(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (cause) {
    if (!NOT_PERMITTED.includes(errnoOf(cause))) throw cause;
    return false;
  }
}

function ownershipOf({ uid, gid, mode }: Stats): Ownership {
  return { uid, gid, mode: mode & PERMISSIONS };
}
