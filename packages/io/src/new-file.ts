import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { errnoOf } from "./node-errors.js";
import { giveTo, type Ownership } from "./ownership.js";

/** Two processes that make and remove the same name in turn; no more than that. */
const MOST_TRIES = 5;

/**
 * Opens a file, made where it is absent; then, and only then, it gets the owner and the mode of `like`.
 * @param access O_RDONLY or O_RDWR
 * @throws what the system throws
 */
export async function openOrMake(
  name: string,
  access: number,
  like: () => Promise<Ownership | undefined>,
): Promise<FileHandle> {
  for (let left = MOST_TRIES; ; left--) {
    try {
      return await open(name, access);
    } catch (cause) {
      if (errnoOf(cause) !== "ENOENT" || left === 0) throw cause;
    }
    try {
      return await makeFile(name, access, await like());
    } catch (cause) {
      if (errnoOf(cause) !== "EEXIST" || left === 0) throw cause;
    }
  }
}

/** Makes a file that must not be there yet. Nobody but its owner may read it before it is as `like`. */
export async function makeFile(
  name: string,
  access: number,
  like: Ownership | undefined,
): Promise<FileHandle> {
  const mode = like?.mode === undefined ? 0o666 : like.mode & 0o700;
  const handle = await open(name, access | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    if (like !== undefined) await giveTo(handle, like);
    return handle;
  } catch (cause) {
    await handle.close();
    await unlink(name).catch(() => undefined); // the first failure is the one to tell
    throw cause;
  }
}
