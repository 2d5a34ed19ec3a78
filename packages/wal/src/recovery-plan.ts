import { KayaError, type Lsn, type RecoveryMode } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { type DamageSurvey, surveyDamage } from "./damage.js";
import type { ClosedLog } from "./log-mark.js";
import type { LogScan, LogStop } from "./log-scan.js";
import { isTail, RECOVERY_TABLE, refusalCode, type Situation, situationOf } from "./recovery-decision.js";
import { advice, closedAt, refusal } from "./refusal.js";
import { MOST_SEGMENT_BYTES, type SegmentFile, WAL_DIR } from "./segments.js";
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
  /** The log has lost records that it had: it is another one from now on, also where nothing is to be cut. */
  readonly isShorter: boolean;
  readonly warnings: readonly WalWarning[];
}

/** A log, and what is known of it, to be decided upon. */
export interface ScannedLog {
  readonly files: readonly SegmentFile[];
  readonly scan: LogScan;
  /** The log is known up to this LSN, and durable elsewhere. */
  readonly after: Lsn;
  /** What a clean close says of it. */
  readonly closed: ClosedLog | undefined;
}

/**
 * Decides what to do about where a scan stopped.
 * @throws KayaError where the table says refuse; nothing was changed.
 */
export async function planRecovery(
  disk: Disk,
  log: ScannedLog,
  mode: RecoveryMode,
  maxRecordBytes: number,
): Promise<RecoveryPlan> {
  const { files, scan, closed } = log;
  const { stop } = scan;
  const lost = lostSinceClose(log);
  if (stop === undefined) {
    if (lost.length > 0 && RECOVERY_TABLE["before-a-clean-close"][mode] === "refuse")
      throw shorterThanClosed(log, mode);
    return { ...wholeLog(scan), isShorter: lost.length > 0, warnings: lost };
  }
  for (const file of files.slice(stop.index + 1)) checkRest(file, file.length, 0);
  const { situation: found, survey } = await assessStop(disk, files, stop, maxRecordBytes);
  const isBefore = lost.length > 0 || stopsBeforeClose(log, stop);
  const situation = isBefore && isTail(found) ? "before-a-clean-close" : found;
  const decision = RECOVERY_TABLE[situation][mode];
  if (decision === "refuse")
    throw refusal({ situation, stop, files, lastLsn: scan.last.lsn, survey, closed }, mode);
  const plan = cutAt(files, scan, stop, situation, survey);
  return { ...plan, warnings: [...lost, ...plan.warnings] };
}

/** What a log has lost that was on stable storage when it was closed. */
function lostSinceClose({ files, scan, after, closed }: ScannedLog): WalWarning[] {
  const lastLsn = Math.max(scan.last.lsn, after);
  if (closed === undefined || lastLsn >= closed.lsn) return [];
  const path = files[scan.stop?.index ?? files.length - 1]?.path ?? WAL_DIR;
  return [{ kind: "LostSinceClose", path, lastLsn, closedLsn: closed.lsn }];
}

/** What the tables cover may be damaged too: no record that counts is lost then, but no crash did it. */
function stopsBeforeClose({ files, closed }: ScannedLog, stop: LogStop): boolean {
  if (closed?.end === undefined || stop.kind !== "bad-record") return false;
  return files[stop.index]?.id === closed.end.segmentId && stop.end.offset < closed.end.length;
}

function shorterThanClosed({ files, scan, after, closed }: ScannedLog, mode: RecoveryMode): KayaError {
  const tail = files.at(-1);
  const where = tail === undefined ? WAL_DIR : `${tail.path} at offset ${tail.length}`;
  const lastLsn = Math.max(scan.last.lsn, after);
  return new KayaError(
    refusalCode("before-a-clean-close"),
    `${where}: the log ends here, whole up to LSN ${lastLsn}. ${closedAt(closed)} Nothing was changed. ` +
      advice("before-a-clean-close", mode),
  );
}

function wholeLog(scan: LogScan): Omit<RecoveryPlan, "isShorter"> {
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
    isShorter: true,
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
