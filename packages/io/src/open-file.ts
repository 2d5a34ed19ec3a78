import { constants, fstatSync, lstatSync, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { KayaError } from "@kaya/core";
import { notAFile, specialOf } from "./file-kind.js";
import { fromSystemError } from "./node-errors.js";

// A link is not followed, and a FIFO without a writer opens at once, to be refused. Windows has neither flag.
const AS_IT_IS = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file, and nothing else, whatever has its name.
 * @param way what to call it in a system call
 * @param name what to call it in an error
 * @throws KayaError KAYA_INVALID_ARGUMENT for a directory, a symbolic link, a FIFO, a socket or a device; as `fromSystemError`
 */
export async function openFile(way: string, name: string, flags: number, doing: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(way, flags | AS_IT_IS, 0o666);
  } catch (cause) {
    throw refusalOf(way, name) ?? fromSystemError(cause, doing, name);
  }
  try {
    assertFile(fstatSync(handle.fd), name);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT for anything but a regular file */
export function assertFile(info: Stats, name: string): void {
  if (info.isFile()) return;
  if (!info.isDirectory()) throw notAFile(name, specialOf(info));
  throw fromSystemError({ code: "EISDIR" }, "use", name);
}

/** Why an open failed, where something else than a file has the name: each kind fails in its own way. */
function refusalOf(way: string, name: string): KayaError | undefined {
  try {
    const info = lstatSync(way);
    return info.isFile() || info.isDirectory() ? undefined : notAFile(name, specialOf(info));
  } catch {
    return undefined; // what `open` said is the reason then
  }
}
