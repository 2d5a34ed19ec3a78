import { crc32c } from "@kaya/core";
import type { Disk, DiskFile } from "@kaya/io";
import { readExactly, WINDOW_BYTES } from "./file-window.js";

const ZEROS = new Uint8Array(WINDOW_BYTES);

/**
 * Copies a range into a new file, which replaces leftovers of a crash, and syncs it. The new file gets the owner and mode of the
 * source. Its name is not durable yet.
 */
export async function copyRange(
  disk: Disk,
  source: DiskFile,
  from: number,
  to: number,
  path: string,
): Promise<void> {
  await disk.remove(path); // what a crash left; never emptied, as it may have other names
  const target = await disk.open(path, { create: true, exclusive: true, like: source.path });
  try {
    await copyPieces(source, from, to, target);
    await target.sync();
  } finally {
    await target.close();
  }
}

/** Pieces of zeros are not written: holes stay holes, and need no room. */
async function copyPieces(source: DiskFile, from: number, to: number, target: DiskFile): Promise<void> {
  let end = 0;
  for await (const { offset, bytes } of pieces(source, from, to)) {
    if (isZero(bytes)) continue;
    if (offset - from === end) await target.append(bytes);
    else await target.writeAt(offset - from, bytes);
    end = offset - from + bytes.length;
  }
  if (end < to - from) await target.truncate(to - from);
}

/** Whether a piece holds nothing but zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, ZEROS.subarray(0, bytes.length)) === 0;
}

/** Removes a half-made file. If that fails too, the next recovery finds it by its suffix. */
export async function removeHalfMade(disk: Disk, path: string): Promise<void> {
  await disk.remove(path).catch(() => undefined);
}

/** CRC-32C of a range. */
export async function checksumRange(file: DiskFile, from: number, to: number): Promise<number> {
  let crc = 0;
  for await (const { bytes } of pieces(file, from, to)) crc = crc32c(bytes, crc);
  return crc;
}

/** Whether `copy` holds exactly the bytes of a range of `source`. */
export async function isCopyOf(copy: DiskFile, source: DiskFile, from: number, to: number): Promise<boolean> {
  if ((await copy.length()) !== to - from) return false;
  for await (const { offset, bytes } of pieces(source, from, to)) {
    const other = new Uint8Array(bytes.length);
    await copy.readAt(offset - from, other);
    if (Buffer.compare(bytes, other) !== 0) return false;
  }
  return true;
}

/** A range, a mebibyte at a time. */
export async function* pieces(
  file: DiskFile,
  from: number,
  to: number,
): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
  for (let offset = from; offset < to; offset += WINDOW_BYTES) {
    yield { offset, bytes: await readExactly(file, offset, Math.min(WINDOW_BYTES, to - offset)) };
  }
}
