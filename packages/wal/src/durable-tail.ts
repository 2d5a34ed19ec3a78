import type { Disk, DiskFile } from "@kaya/io";
import { copyRange, removeHalfMade } from "./file-copy.js";
import { type SegmentFile, TEMPORARY_SUFFIX, WAL_DIR } from "./segments.js";

export interface TailTreatment {
  /** The last writer closed cleanly, so an fsync that succeeds now can be believed. */
  readonly trustPageCache: boolean;
  /** The file is cut, or something will be appended to it. */
  readonly willChange: boolean;
}

/**
 * Ends a segment at `validLength` and makes sure that the disk has every byte before it (R2). What recovery read may
 * have come from the page cache; without this step a power cut after new acknowledgements could leave a hole before them. A file that has
 * other names (hard links) is not changed: a new file takes its name here (R7).
 *
 * @throws KayaError KAYA_DISK_FULL where there is no room for a copy; then nothing was changed
 */
export async function makeTailDurable(
  disk: Disk,
  tail: SegmentFile,
  validLength: number,
  { trustPageCache, willChange }: TailTreatment,
): Promise<void> {
  const file = await disk.open(tail.path);
  try {
    const isReplaced = !trustPageCache || (willChange && (await file.links()) > 1);
    if (isReplaced) await rewrite(disk, tail, file, validLength);
    else await cutAndSync(file, tail, validLength);
    // W2: the names may be as volatile as the bytes.
    await disk.syncDir(WAL_DIR);
    await disk.syncDir("");
    if (isReplaced) await fence(file);
  } finally {
    await file.close();
  }
}

async function cutAndSync(file: DiskFile, tail: SegmentFile, validLength: number): Promise<void> {
  if (validLength < tail.length) await file.truncate(validLength);
  await file.sync();
}

/**
 * R5: after a failed fsync the page cache may hold bytes, marked clean, that the disk does not have, and another fsync
 * proves nothing. So the bytes are written again, to a new file that takes the old one's name. Never over themselves: a
 * power cut in the middle could take what was durable before.
 */
async function rewrite(disk: Disk, tail: SegmentFile, source: DiskFile, validLength: number): Promise<void> {
  const temporary = `${tail.path}${TEMPORARY_SUFFIX}`;
  try {
    await copyRange(disk, source, 0, validLength, temporary);
    await disk.rename(temporary, tail.path);
  } catch (error) {
    await removeHalfMade(disk, temporary);
    throw error;
  }
}

/**
 * W7: a writer without the lock that still has the replaced file open finds it shorter and stops. Only if no name is left: under another
 * name (a hard link) the bytes belong to somebody else.
 */
async function fence(replaced: DiskFile): Promise<void> {
  if ((await replaced.links()) === 0) await replaced.truncate(0);
}

/** Segments before the tail are durable by W1, if a writer that keeps it wrote them. */
export async function syncClosed(disk: Disk, segments: readonly SegmentFile[]): Promise<void> {
  for (const segment of segments) {
    const file = await disk.open(segment.path);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
