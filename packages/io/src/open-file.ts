import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats, unlinkSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { notAFile, specialOf } from "./file-kind.js";
import { errnoOf, fromSystemError } from "./node-errors.js";
import { giveTo, type Ownership } from "./ownership.js";

// Links are not followed. A FIFO without a writer opens at once, and is refused. Windows has neither flag.
const AS_IT_IS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

const MAKING = constants.O_CREAT | constants.O_EXCL;

/** Attempts, because another process may create and remove the same name in turn. */
const MOST_TRIES = 5;

/** A file to open. */
export interface Opening {
  /** Its path for a system call. */
  readonly way: string;
  /** Its name in an error. */
  readonly name: string;
  /** O_RDONLY or O_RDWR. */
  readonly access: number;
  /** For the error: "open". */
  readonly doing: string;
}

/** Gives owner and mode of a new file. */
export type Model = () => Ownership | undefined;

/**
 * Opens a regular file, and nothing else, whatever has its name.
 * @throws KayaError KAYA_INVALID_ARGUMENT for a directory, a symbolic link, a FIFO, a socket or a device; as `fromSystemError`
 */
export async function openFile(opening: Opening): Promise<FileHandle> {
  const handle = await openAsItIs(opening, opening.access, 0);
  try {
    assertFile(fstatSync(handle.fd), opening.name);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Makes a file that must not be there yet. Only its owner may read it before it gets the mode of `like`.
 * @throws KayaError KAYA_INVALID_ARGUMENT where anything has its name; as `fromSystemError`
 */
export async function makeFile(opening: Opening, like: Model): Promise<FileHandle> {
  const model = like();
  const handle = await openAsItIs(opening, opening.access | MAKING, modeOf(model));
  try {
    if (model !== undefined) giveTo(handle.fd, model);
    return handle;
  } catch (cause) {
    await handle.close();
    await unlink(opening.way).catch(() => undefined); // the first failure is the one to report
    throw fromSystemError(cause, "set owner and mode of", opening.name);
  }
}

/** `makeFile`, synchronously, with a descriptor. */
export function makeFileSync(opening: Opening, like: Model): number {
  const model = like();
  const fd = openAsItIsSync(opening, opening.access | MAKING, modeOf(model));
  try {
    if (model !== undefined) giveTo(fd, model);
    return fd;
  } catch (cause) {
    closeSync(fd);
    try {
      unlinkSync(opening.way);
    } catch {
      // the first failure is the one to report
    }
    throw fromSystemError(cause, "set owner and mode of", opening.name);
  }
}

function modeOf(model: Ownership | undefined): number {
  return model?.mode === undefined ? 0o666 : model.mode & 0o700;
}

/** Opens a file, made where it is absent; then, and only then, it gets the owner and the mode of `like`. */
export async function openOrMakeFile(opening: Opening, like: Model): Promise<FileHandle> {
  for (let left = MOST_TRIES; ; left--) {
    try {
      return await openFile(opening);
    } catch (error) {
      if (!KayaError.is(error, "KAYA_NOT_FOUND") || left === 0) throw error;
    }
    try {
      return await makeFile(opening, like);
    } catch (error) {
      const isThere = KayaError.is(error) && errnoOf(error.cause) === "EEXIST";
      if (!isThere || left === 0) throw error;
    }
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT for anything but a regular file */
export function assertFile(info: Stats, name: string): void {
  if (info.isFile()) return;
  if (!info.isDirectory()) throw notAFile(name, specialOf(info));
  throw fromSystemError({ code: "EISDIR" }, "use", name);
}

async function openAsItIs({ way, name, doing }: Opening, flags: number, mode: number): Promise<FileHandle> {
  try {
    return await open(way, flags | AS_IT_IS, mode);
  } catch (cause) {
    throw refusalOf(way, name) ?? fromSystemError(cause, doing, name);
  }
}

function openAsItIsSync({ way, name, doing }: Opening, flags: number, mode: number): number {
  try {
    return openSync(way, flags | AS_IT_IS, mode);
  } catch (cause) {
    throw refusalOf(way, name) ?? fromSystemError(cause, doing, name);
  }
}

/** The reason of a failed open if the name is not a file's: each kind fails in its own way. */
function refusalOf(way: string, name: string): KayaError | undefined {
  try {
    const info = lstatSync(way);
    return info.isFile() || info.isDirectory() ? undefined : notAFile(name, specialOf(info));
  } catch {
    return undefined; // then the error of `open` is the reason
  }
}
