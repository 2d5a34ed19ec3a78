import { KayaError, type RecoveryMode } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { type DamageSurvey, surveyDamage } from "./damage.js";
import type { LogScan, LogStop } from "./log-scan.js";
import { RECOVERY_TABLE, type Situation, situationOf } from "./recovery-decision.js";
import { refusal } from "./refusal.js";
import { MOST_SEGMENT_BYTES, type SegmentFile } from "./segments.js";
import type { WalWarning } from "./warnings.js";

/** What recovery is going to change, decided before anything is. */
export interface RecoveryPlan {
  /** Where the log will end: the writer goes on there. Undefined for a log without segments. */
  readonly tail?: { readonly file: SegmentFile; readonly validLength: number } | undefined;
  /** Bytes of the tail's file behind `validLength`. */
  readonly cutBytes: number;
  /** Keep a copy of what is cut: it may be more than the crash's own unfinished write. */
  readonly quarantineCut: boolean;
  /** What is kept of the cut is explained by a crash: an unfinished write at the end, with nothing whole behind it. */
  readonly isTorn: boolean;
  /** Whole segments that go to quarantine, in order of their ids. */
  readonly moved: readonly SegmentFile[];
  readonly warnings: readonly WalWarning[];
}

/**
 * Decides what to do about where a scan stopped.
 * @throws KayaError where the table says refuse; nothing was changed.
 */
export async function planRecovery(
  disk: Disk,
  files: readonly SegmentFile[],
  scan: LogScan,
  mode: RecoveryMode,
  maxRecordBytes: number,
): Promise<RecoveryPlan> {
  const { stop } = scan;
  if (stop === undefined) return wholeLog(scan);
  for (const file of files.slice(stop.index + 1)) checkRest(file, file.length, 0);
  const { situation, survey } = await assessStop(disk, files, stop, maxRecordBytes);
  const decision = RECOVERY_TABLE[situation][mode];
  if (decision === "refuse") throw refusal({ situation, stop, files, lastLsn: scan.last.lsn, survey }, mode);
  return cutAt(files, scan, stop, situation, survey);
}

function wholeLog(scan: LogScan): RecoveryPlan {
  const last = scan.segments.at(-1);
  const tail = last === undefined ? undefined : { file: last, validLength: last.validLength };
  return { tail, cutBytes: 0, quarantineCut: false, isTorn: false, moved: [], warnings: [] };
}

/** The row of the table that a stop falls into, and what stands behind it. */
export async function assessStop(
  disk: Disk,
  files: readonly SegmentFile[],
  stop: LogStop,
  maxRecordBytes: number,
): Promise<{ readonly situation: Situation; readonly survey: DamageSurvey }> {
  const survey = await surveyTail(disk, files, stop, maxRecordBytes);
  const isLast = stop.index === files.length - 1;
  const situation = situationOf(stop, isLast, {
    onlyZeros: survey.onlyZeros,
    recordsBeyond: survey.beyond !== undefined,
  });
  return { situation, survey };
}

/**
 * What stands behind the end of the log is read, and may have to be kept: so much of it was never written by a log. It is a hole, most likely, and
 * reading it would take as long as reading a whole disk.
 */
function checkRest({ path }: SegmentFile, length: number, from: number): void {
  if (length - from <= MOST_SEGMENT_BYTES) return;
  throw new KayaError(
    "KAYA_CORRUPTION",
    `${path} goes on for ${length - from} bytes behind offset ${from}, where its valid records end, and no segment is longer than ${MOST_SEGMENT_BYTES} bytes: ` +
      "something else made it longer. Nothing was changed, and what stands there was not read. If it is not wanted, cut the file there " +
      `(truncate -s ${from}), else restore it from a backup.`,
  );
}

async function surveyTail(
  disk: Disk,
  files: readonly SegmentFile[],
  stop: LogStop,
  maxRecordBytes: number,
): Promise<DamageSurvey> {
  const file = files[stop.index];
  if (stop.kind !== "bad-record" || file === undefined) return { onlyZeros: false };
  const handle = await disk.open(file.path, { readOnly: true });
  try {
    const length = await handle.length();
    checkRest(file, length, stop.end.offset);
    const resumeAt = stop.end.kind === "damaged" ? stop.end.resumeAt : length;
    return await surveyDamage(handle, length, stop.end.offset, resumeAt, maxRecordBytes);
  } finally {
    await handle.close();
  }
}

function cutAt(
  files: readonly SegmentFile[],
  scan: LogScan,
  stop: LogStop,
  situation: Situation,
  survey: DamageSurvey,
): RecoveryPlan {
  // Where a segment is missing, or the first record of one is not the next, the log ends with the segment before.
  const offset =
    stop.kind === "missing-segment" ? 0 : stop.kind === "discontinuity" ? stop.offset : stop.end.offset;
  const endsBefore = stop.kind !== "bad-record" && offset === 0;
  const tailIndex = endsBefore ? stop.index - 1 : stop.index;
  const tailSegment = scan.segments[tailIndex];
  const tail = tailSegment && { file: tailSegment, validLength: tailSegment.validLength };
  const cutBytes = tailSegment === undefined ? 0 : tailSegment.length - tailSegment.validLength;
  const moved = files.slice(tailIndex + 1);
  return {
    tail,
    cutBytes,
    quarantineCut:
      cutBytes > 0 && situation !== "zero-tail" && !(situation === "torn-tail" && isPlainTear(stop)),
    isTorn: situation === "damaged-tail" && mayBeUnfinished(stop),
    moved,
    warnings: warningsOf(
      stop,
      survey,
      tail && { path: tail.file.path, validLength: tail.validLength, cutBytes },
      moved,
    ),
  };
}

// The crash's own unfinished record. What does not begin as a record does may never have been a log.
function isPlainTear(stop: LogStop): boolean {
  return stop.kind === "bad-record" && stop.end.kind === "torn" && stop.end.plain;
}

// Pages reach the disk in any order: the first ones of an unfinished write may be missing, and read as zeros. Other bytes were never ours.
function mayBeUnfinished(stop: LogStop): boolean {
  return (
    stop.kind === "bad-record" && !(stop.end.warning.kind === "BadMagic" && stop.end.warning.found !== 0)
  );
}

function warningsOf(
  stop: LogStop,
  survey: DamageSurvey,
  tail: { path: string; validLength: number; cutBytes: number } | undefined,
  moved: readonly SegmentFile[],
): WalWarning[] {
  const warnings: WalWarning[] = [];
  if (stop.kind === "discontinuity") warnings.push(stop.warning);
  else if (stop.kind === "bad-record" && !survey.onlyZeros) warnings.push(stop.end.warning);
  if (survey.onlyZeros && tail !== undefined) {
    warnings.push({ kind: "ZeroFilledTail", offset: tail.validLength, bytes: tail.cutBytes });
  }
  if (survey.beyond !== undefined) warnings.push({ kind: "ValidRecordsBeyondDamage", ...survey.beyond });
  if (tail !== undefined && tail.cutBytes > 0) {
    const { path, validLength, cutBytes } = tail;
    warnings.push({ kind: "TailTruncated", path, validLength, truncatedBytes: cutBytes });
  }
  if (moved.length > 0) warnings.push({ kind: "TrailingSegmentsIgnored", count: moved.length });
  return warnings;
}
