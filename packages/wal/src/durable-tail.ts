import type { Disk, DiskFile } from "@kaya/io";
import { copyRange, removeHalfMade } from "./file-copy.js";
import { type SegmentFile, TEMPORARY_SUFFIX, WAL_DIR } from "./segments.js";

/**
 * Ends a segment at `validLength` and makes sure that the disk has every byte before it (R2). What recovery read may
 * have come from the page cache; were it not made durable now, a power cut after new acknowledgements would leave a hole
 * before them.
 *
 * @param trustPageCache the last writer closed cleanly, so an fsync that succeeds now can be believed
 * @throws KayaError KAYA_DISK_FULL where there is no room for a copy; then nothing was changed
 */
export async function makeTailDurable(
  disk: Disk,
  tail: SegmentFile,
  validLength: number,
  trustPageCache: boolean,
): Promise<void> {
  const replaced = trustPageCache ? undefined : await rewrite(disk, tail, validLength);
  try {
    if (replaced === undefined) await cutAndSync(disk, tail, validLength);
    // W2: the names may be as volatile as the bytes.
    await disk.syncDir(WAL_DIR);
    await disk.syncDir("");
    // W7: a writer that still has the old file open finds it shorter than it left it. Nobody else can, by now.
    await replaced?.truncate(0);
  } finally {
    await replaced?.close();
  }
}

async function cutAndSync(disk: Disk, tail: SegmentFile, validLength: number): Promise<void> {
  const file = await disk.open(tail.path);
  try {
    if (validLength < tail.length) await file.truncate(validLength);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * R5: after a failed fsync the page cache may hold bytes, marked clean, that the disk does not have, and another fsync
 * proves nothing. So the bytes are written again, to a new file that takes the old one's name. Never over themselves: a
 * power cut in the middle could take what was durable before. Gives the old file, which has no name any more.
 */
async function rewrite(disk: Disk, tail: SegmentFile, validLength: number): Promise<DiskFile> {
  const temporary = `${tail.path}${TEMPORARY_SUFFIX}`;
  const source = await disk.open(tail.path);
  try {
    await copyRange(disk, source, 0, validLength, temporary);
    await disk.rename(temporary, tail.path);
    return source;
  } catch (error) {
    await source.close();
    await removeHalfMade(disk, temporary);
    throw error;
  }
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
