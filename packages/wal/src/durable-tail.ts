import type { Disk } from "@kaya/io";
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
  if (trustPageCache) await cutAndSync(disk, tail, validLength);
  else await rewrite(disk, tail, validLength);
  // W2: the names may be as volatile as the bytes.
  await disk.syncDir(WAL_DIR);
  await disk.syncDir("");
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
 * power cut in the middle could take what was durable before.
 */
async function rewrite(disk: Disk, tail: SegmentFile, validLength: number): Promise<void> {
  const temporary = `${tail.path}${TEMPORARY_SUFFIX}`;
  const source = await disk.open(tail.path, { readOnly: true });
  try {
    await copyRange(disk, source, 0, validLength, temporary);
    await disk.rename(temporary, tail.path);
  } catch (error) {
    await removeHalfMade(disk, temporary);
    throw error;
  } finally {
    await source.close();
  }
}
