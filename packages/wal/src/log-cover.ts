import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LogHistory, LogOrigin } from "./log-history.js";
import { readLogHistory } from "./log-identity.js";
import { LOG_ID_PATH, listSegments, type SegmentFile, WAL_DIR } from "./segments.js";

/** A file that has the records of a log up to one of them, in its place. */
export interface LogCover extends LogOrigin {
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
}

/**
 * Checks that tables cover the log beside them, not another one.
 * @throws KayaError KAYA_CORRUPTION: the directory holds files of two stores
 */
export function assertOneStore(
  history: LogHistory | undefined,
  segments: readonly SegmentFile[],
  covers: readonly LogCover[],
): void {
  // A log without its id (removed or damaged) cannot be told from another.
  if (history === undefined || segments.length === 0) return;
  const foreign = covers.find((cover) => !history.includes(cover));
  if (foreign === undefined) return;
  const { path, id, lsn } = foreign;
  const common = history.commonWith(id);
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${path}: this directory holds files of two stores. The file is of the log ${id} through LSN ${lsn}, and ${WAL_DIR}/ is the log ${history.id}` +
      `${common === undefined ? "" : `, which is the same up to LSN ${common} only`} (${LOG_ID_PATH}). ` +
      "Was a backup copied over a directory that was not empty? Nothing was changed. " +
      "To go on with the backup, put it into an empty directory; to go on with what was here before, take away what was copied.",
  );
}

/**
 * Makes sure that the files which take the place of a log belong to the log that stands beside them. It only
 * reads.
 *
 * @throws KayaError KAYA_CORRUPTION if the directory holds files of two stores; KAYA_IO
 */
export async function assertOneStoreOn(disk: Disk, covers: readonly LogCover[]): Promise<void> {
  const { segments, hasLogId } = await listSegments(disk);
  if (hasLogId) assertOneStore(await readLogHistory(disk), segments, covers);
}
