import { type KayaError, type LogPosition, type Lsn, readOptions } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { firstLsn } from "./covered-segments.js";
import { type LogStop, type OnRecovered, type ScanProgress, scanLog } from "./log-scan.js";
import { assessStop } from "./recovery-plan.js";
import { refusal } from "./refusal.js";
import { listSegments, type SegmentFile } from "./segments.js";

/** Which part of the log is read, and who gets the records. */
export interface ReadLogOptions {
  /** The largest record that is read. It bounds how much memory one record takes. */
  readonly maxRecordBytes: number;
  /** Records up to this one are skipped. Damage in segments that end before it does not matter. */
  readonly after: LogPosition;
  /** Log sequence number of the last record that is read. Nothing behind it is looked at. */
  readonly through: Lsn;
  /**
   * Called for each record, in order; its bytes never change. If it returns a promise, the next record waits
   * for that.
   */
  readonly onRecord: OnRecovered;
  /** Called about once for each mebibyte that is read. */
  readonly onProgress?: ((progress: ScanProgress) => void) | undefined;
}

const OPTIONS: readonly (keyof ReadLogOptions)[] = [
  "maxRecordBytes",
  "after",
  "through",
  "onRecord",
  "onProgress",
];

/** How far the log was read. */
export interface LogReading {
  /**
   * Log sequence number of the last record that was given, or `after.lsn`; below `through` if the log has no
   * more.
   */
  readonly lastLsn: Lsn;
  /**
   * Says that records are missing before `through`, and the log goes on behind them: their segments were
   * dropped after a flush, or lost.
   */
  readonly gap?: KayaError;
}

/**
 * Reads a part of the log, and changes nothing. A write that a crash left unfinished, or that is under way, ends the log.
 * @throws KayaError KAYA_CORRUPTION with file and offset, KAYA_UNSUPPORTED_VERSION or KAYA_INVALID_ARGUMENT (a record over
 *   `maxRecordBytes`) where damage stands before `through`; KAYA_IO
 */
export async function readLog(disk: Disk, given: ReadLogOptions): Promise<LogReading> {
  const options = readOptions(given, OPTIONS, "the options of readLog") as ReadLogOptions;
  const { after, maxRecordBytes } = options;
  const { segments } = await listSegments(disk);
  const files = segments.slice(await firstToRead(disk, segments, after.lsn + 1));
  const scan = await scanLog(disk, files, options);
  const lastLsn = Math.max(scan.last.lsn, after.lsn);
  if (scan.stop === undefined) return { lastLsn };
  const { situation, survey, stop } = await assessStop(disk, files, scan.stop, maxRecordBytes);
  if (situation === "zero-tail" || situation === "torn-tail") return { lastLsn };
  const error = refusal({ situation, stop, files, lastLsn, survey });
  if (!isGap(stop)) throw error;
  return { lastLsn, gap: error };
}

/**
 * Index of the segment that holds `lsn`, if any: the last one before the first that begins behind `lsn`. A segment without a readable first
 * record, or with an unexpected one, is left to the scan.
 */
async function firstToRead(disk: Disk, segments: readonly SegmentFile[], lsn: Lsn): Promise<number> {
  let index = 0;
  for (const [i, segment] of segments.entries()) {
    const first = await firstLsn(disk, segment.path);
    if (first === undefined) continue;
    if (first > lsn) break;
    index = i;
  }
  return index;
}

function isGap(stop: LogStop): boolean {
  if (stop.kind === "missing-segment") return true;
  if (stop.kind !== "discontinuity" || stop.warning.kind !== "NonMonotonicLsn") return false;
  return stop.warning.found > stop.warning.expected;
}
