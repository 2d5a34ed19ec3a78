import { constants } from "node:fs";
import { KayaError } from "@kaya/core";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { bootId, isOtherBoot, readNote } from "./node-lock.js";
import { openFile } from "./open-file.js";

/** What a lock file says about the process that had the lock last. */
export interface LockHolder {
  /** The id of the process. */
  readonly pid: number;
  /**
   * `held`: the process runs and did not release the lock. `clean`: it released the lock, and everything was
   * synced. `left`: it is gone, or the machine was started again, and it did not say that everything was
   * synced.
   */
  readonly state: "held" | "clean" | "left";
}

/**
 * Reads who has, or had, the lock of `NodeDisk.lock`, without touching the lock: whoever only looks is in nobody's way. A process is told by
 * its id: one in another container, or a new one with an old id, deceives it.
 * @param path of the lock file
 * @returns undefined where there is none, or it says nothing
 * @throws KayaError KAYA_IO; KAYA_INVALID_ARGUMENT where it is a directory
 */
export async function readLockHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const handle = await openFile({
      way: path,
      name: path,
      access: constants.O_RDONLY,
      doing: "read the lock file",
    });
    try {
      const note = await readNote(handle);
      if (note === undefined) return undefined;
      const { pid, state } = note;
      if (state === "clean") return { pid, state };
      const runs = !isOtherBoot(note.boot, await bootId()) && isRunning(pid);
      return { pid, state: runs ? "held" : "left" };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (KayaError.is(cause, "KAYA_NOT_FOUND")) return undefined;
    throw KayaError.is(cause) ? cause : fromSystemError(cause, "read the lock file", path);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (cause) {
    return errnoOf(cause) === "EPERM"; // somebody else's
  }
}
