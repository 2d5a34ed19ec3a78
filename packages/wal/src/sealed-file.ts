import { asKayaError, crc32c, KayaError } from "@kaya/core";
import { assertDisk, type Disk } from "@kaya/io";
import { removeHalfMade } from "./file-copy.js";
import { readExactly } from "./file-window.js";
import { TEMPORARY_SUFFIX } from "./segments.js";

const MOST_BYTES = 1024 * 1024;
const SEAL = /^crc32c ([0-9a-f]{8})\n$/;
const SEAL_LENGTH = "crc32c 00000000\n".length;

/**
 * Replaces a small text file, durably: a crash leaves the old text or the new one. The last line is the checksum of those before it.
 * @param text whole lines, at most a mebibyte
 * @throws KayaError KAYA_INVALID_ARGUMENT where `disk` is none; KAYA_DISK_FULL, KAYA_IO or KAYA_DIRECTORY_REPLACED, where the old text stands; KAYA_FSYNC_FAILED, where either may
 */
export async function writeSealedFile(disk: Disk, path: string, text: string): Promise<void> {
  assertDisk(disk);
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    await writeWhole(disk, temporary, path, seal(text));
    await disk.rename(temporary, path);
  } catch (error) {
    await removeHalfMade(disk, temporary);
    throw asOurs(error, path);
  }
  await makeNameDurable(disk, path);
}

/** A disk with its synchronous methods. */
export type SynchronousDisk = Disk &
  Required<Pick<Disk, "createSync" | "renameSync" | "removeSync" | "syncDirSync">>;

/** `writeSealedFile`, synchronously. */
export function writeSealedFileSync(disk: SynchronousDisk, path: string, text: string): void {
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    disk.removeSync(temporary); // what a crash left
    writeWholeSync(disk, temporary, path, seal(text));
    disk.renameSync(temporary, path);
  } catch (error) {
    removeHalfMadeSync(disk, temporary);
    throw asOurs(error, path);
  }
  makeNameDurableSync(disk, path);
}

/** `makeNameDurable`, synchronously. */
export function makeNameDurableSync(disk: SynchronousDisk, path: string): void {
  for (let dir = parentOf(path); ; dir = parentOf(dir)) {
    disk.syncDirSync(dir);
    if (dir === "") return;
  }
}

/**
 * Syncs a file and its directory: after a crash of the process a file may be there only until the next power
 * cut.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if `disk` is no disk; KAYA_FSYNC_FAILED
 */
export async function makeNameDurable(disk: Disk, path: string): Promise<void> {
  assertDisk(disk);
  for (let dir = parentOf(path); ; dir = parentOf(dir)) {
    await disk.syncDir(dir);
    if (dir === "") return;
  }
}

/**
 * Reads a file of `writeSealedFile`. Undefined if there is no such file.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT if `disk` is no disk; KAYA_CORRUPTION if the file is not as it was
 *   written; KAYA_IO
 */
export async function readSealedFile(disk: Disk, path: string): Promise<string | undefined> {
  assertDisk(disk);
  const bytes = await readWhole(disk, path);
  if (bytes === undefined) return undefined;
  const body = bytes.subarray(0, Math.max(0, bytes.length - SEAL_LENGTH));
  const found = SEAL.exec(Buffer.from(bytes.subarray(body.length)).toString("latin1"))?.[1];
  if (found === undefined) throw notAsWritten(path, "it has no checksum at its end");
  if (found !== checksumOf(body)) throw notAsWritten(path, "its checksum is wrong");
  return Buffer.from(body).toString("utf8");
}

async function writeWhole(disk: Disk, path: string, like: string, bytes: Uint8Array): Promise<void> {
  await disk.remove(path); // left by a crash; never emptied: it may have other names
  const file = await disk.open(path, { create: true, exclusive: true, like });
  try {
    await file.append(bytes);
    await file.sync().catch(asNotWritten);
  } finally {
    await file.close();
  }
}

function writeWholeSync(disk: SynchronousDisk, path: string, like: string, bytes: Uint8Array): void {
  const file = disk.createSync(path, { like });
  try {
    file.appendSync(bytes);
    try {
      file.syncSync();
    } catch (cause) {
      asNotWritten(cause);
    }
  } finally {
    void file.close().catch(() => undefined); // it is written and synced, or it failed
  }
}

/** If it stays, the next write begins by removing it, as after a crash. */
function removeHalfMadeSync(disk: SynchronousDisk, path: string): void {
  try {
    disk.removeSync(path);
  } catch {
    // the first failure is the one to report
  }
}

// Not a missing file of the caller: a disk may lose a new name if the sync of its directory fails.
function asOurs(cause: unknown, path: string): unknown {
  if (!KayaError.is(cause, "KAYA_NOT_FOUND")) return cause;
  return new KayaError("KAYA_IO", `${path} was not replaced, what was written is gone: ${cause.message}.`, {
    cause,
  });
}

// Only this file is concerned, and its final name does not exist yet: KAYA_FSYNC_FAILED would say too much.
function asNotWritten(cause: unknown): never {
  throw new KayaError("KAYA_IO", asKayaError(cause, "sync").message, { cause });
}

async function readWhole(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  const file = await disk.open(path, { readOnly: true }).catch((error: unknown) => {
    if (KayaError.is(error, "KAYA_NOT_FOUND")) return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const length = await file.length();
    if (length > MOST_BYTES) throw notAsWritten(path, `it has ${length} bytes`);
    return await readExactly(file, 0, length);
  } finally {
    await file.close();
  }
}

function seal(text: string): Uint8Array {
  const body = Buffer.from(text, "utf8");
  return Buffer.concat([body, Buffer.from(`crc32c ${checksumOf(body)}\n`)]);
}

function checksumOf(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, "0");
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function notAsWritten(path: string, why: string): KayaError {
  return new KayaError("KAYA_CORRUPTION", `${path} is not as it was written: ${why}.`);
}
