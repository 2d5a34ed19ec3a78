import { KayaError, type Lsn, type RecoveryMode } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { type DamageSurvey, surveyDamage, tornBeforeZeros } from "./damage.js";
import type { ClosedLog } from "./log-mark.js";
import type { LogScan, LogStop } from "./log-scan.js";
import { isTail, RECOVERY_TABLE, refusalCode, type Situation, situationOf } from "./recovery-decision.js";
import { advice, closedAt, refusal } from "./refusal.js";
import { MOST_SEGMENT_BYTES, type SegmentFile, WAL_DIR } from "./segments.js";
import type { WalWarning } from "./warnings.js";

/** Zeros up to the next multiple of this may be the end of a damaged record. */
const SECTOR_BYTES = 512;

/** What recovery will change, decided before the first change. */
export interface RecoveryPlan {
  /** Where the log will end: the writer goes on there. Undefined for a log without segments. */
  readonly tail?: { readonly file: SegmentFile; readonly validLength: number } | undefined;
  /** Bytes behind `validLength` that are not part of the log. Zeros at the end of the file are cut too, uncounted: they are space (W8). */
  readonly cutBytes: number;
  /** Keep a copy of what is cut: it may be more than the crash's own unfinished write. */
  readonly quarantineCut: boolean;
  /** A crash explains the kept bytes: an unfinished write at the end, with nothing whole behind it. */
  readonly isTorn: boolean;
  /** Whole segments that go to quarantine, in order of their ids. */
  readonly moved: readonly SegmentFile[];
  /** The log has lost records: it gets another id, even if nothing is cut. */
  readonly isShorter: boolean;
  readonly warnings: readonly WalWarning[];
}

/** A log and what is known of it: the input of the decision. */
export interface ScannedLog {
  readonly files: readonly SegmentFile[];
  readonly scan: LogScan;
  /** The log is known up to this LSN, and durable elsewhere. */
  readonly after: Lsn;
  /** What a clean close says of it. */
  readonly closed: ClosedLog | undefined;
  /** It is only read: another process may write to it meanwhile. */
  readonly isLook: boolean;
}

/**
 * Decides what to do where a scan stopped.
 * @throws KayaError where the table says refuse; nothing was changed.
 */
export async function planRecovery(
  disk: Disk,
  log: ScannedLog,
  mode: RecoveryMode,
  maxRecordBytes: number,
): Promise<RecoveryPlan> {
  const { files, scan, closed } = log;
  const { stop: foundStop } = scan;
  const lost = lostSinceClose(log);
  if (foundStop === undefined) {
    if (lost.length > 0 && RECOVERY_TABLE["before-a-clean-close"][mode] === "refuse")
      throw shorterThanClosed(log, mode);
    return { ...wholeLog(scan), isShorter: lost.length > 0, warnings: lost };
  }
  for (const file of files.slice(foundStop.index + 1)) checkRest(file, file.length, 0);
  const { situation: found, survey, stop } = await assessStop(disk, files, foundStop, maxRecordBytes);
  if (survey.movedOn === true && !log.isLook) throw changedMeanwhile(files, foundStop);
  const isBefore = lost.length > 0 || stopsBeforeClose(log, stop);
  const situation = isBefore && isTail(found) ? "before-a-clean-close" : found;
  const decision = RECOVERY_TABLE[situation][mode];
  if (decision === "refuse")
    throw refusal({ situation, stop, files, lastLsn: scan.last.lsn, survey, closed }, mode);
  const plan = cutAt(files, scan, stop, situation, survey);
  return { ...plan, warnings: [...lost, ...plan.warnings] };
}

// Cutting here would cut records that are whole by now.
function changedMeanwhile(files: readonly SegmentFile[], { index }: LogStop): KayaError {
  return new KayaError(
    "KAYA_IO",
    `${files[index]?.path}: two reads of the same bytes differ, so another process writes to this log, or the disk fails. Nothing was changed. Stop the other process, then open again.`,
  );
}

/** The loss of records that were on stable storage when the log was closed. */
function lostSinceClose({ files, scan, after, closed }: ScannedLog): WalWarning[] {
  const lastLsn = Math.max(scan.last.lsn, after);
  if (closed === undefined || lastLsn >= closed.lsn) return [];
  const path = files[scan.stop?.index ?? files.length - 1]?.path ?? WAL_DIR;
  return [{ kind: "LostSinceClose", path, lastLsn, closedLsn: closed.lsn }];
}

/** Also in the part that tables cover: no record that counts is lost then, but no crash did it. */
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

/** The stop to report, its row of the table, and what follows it. */
export async function assessStop(
  disk: Disk,
  files: readonly SegmentFile[],
  found: LogStop,
  maxRecordBytes: number,
): Promise<{ readonly stop: LogStop; readonly situation: Situation; readonly survey: DamageSurvey }> {
  const survey = await surveyTail(disk, files, found, maxRecordBytes);
  const isLast = found.index === files.length - 1;
  const stop = isLast ? asTorn(found, survey) : found;
  const situation = situationOf(stop, isLast, {
    onlyZeros: hasOnlyZeros(stop, survey),
    recordsBehind: survey.beyond !== undefined,
  });
  return { stop, situation, survey };
}

function asTorn(stop: LogStop, survey: DamageSurvey): LogStop {
  if (stop.kind !== "bad-record") return stop;
  const end = tornBeforeZeros(stop.end, survey);
  return end === undefined ? stop : { ...stop, end };
}

function hasOnlyZeros(stop: LogStop, { end }: DamageSurvey): boolean {
  return stop.kind === "bad-record" && end === stop.end.offset;
}

/**
 * Bytes behind the end of the log are read, and maybe kept. No log writes more than this: it is most likely a hole, and reading it would
 * take as long as reading a whole disk.
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
  if (stop.kind !== "bad-record" || file === undefined) return { end: file?.length ?? 0 };
  const handle = await disk.open(file.path, { readOnly: true });
  try {
    const length = await handle.length();
    checkRest(file, length, stop.end.offset);
    return await surveyDamage(handle, length, stop.end, maxRecordBytes);
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
  // If a segment is missing, or its first record is not the next one, the log ends with the segment before.
  const offset =
    stop.kind === "missing-segment" ? 0 : stop.kind === "discontinuity" ? stop.offset : stop.end.offset;
  const endsBefore = stop.kind !== "bad-record" && offset === 0;
  const tailIndex = endsBefore ? stop.index - 1 : stop.index;
  const tailSegment = scan.segments[tailIndex];
  const tail = tailSegment && { file: tailSegment, validLength: tailSegment.validLength };
  const moved = files.slice(tailIndex + 1);
  const hasSpace = moved.length === 0 && situation !== "before-a-clean-close";
  const end = hasSpace ? endOfCut(stop, survey) : undefined;
  const cutBytes =
    tailSegment === undefined
      ? 0
      : Math.min(end ?? tailSegment.length, tailSegment.length) - tailSegment.validLength;
  return {
    tail,
    cutBytes,
    quarantineCut: cutBytes > 0 && !(situation === "torn-tail" && isPlainTear(stop, false)),
    isTorn:
      situation === "torn-tail"
        ? isPlainTear(stop, true)
        : situation === "damaged-tail" && mayBeUnfinished(stop),
    moved,
    // Space that was made ahead of the log never held a record.
    isShorter: situation !== "zero-tail",
    warnings: warningsOf(
      stop,
      situation,
      survey,
      tail && { path: tail.file.path, validLength: tail.validLength, cutBytes },
      moved,
    ),
  };
}

/** Where the cut bytes that may have to be kept end: zeros behind them are space, except in a sector that they share. */
function endOfCut(stop: LogStop, { end, beyond }: DamageSurvey): number | undefined {
  // A record that is whole may end with zeros.
  if (stop.kind !== "bad-record" || beyond !== undefined) return undefined;
  return end === stop.end.offset ? end : Math.ceil(end / SECTOR_BYTES) * SECTOR_BYTES;
}

// The crash's own unfinished record. Bytes that do not begin like a record may never have been a log.
function isPlainTear(stop: LogStop, inSpace: boolean): boolean {
  return (
    stop.kind === "bad-record" && stop.end.kind === "torn" && stop.end.plain && stop.end.inSpace === inSpace
  );
}

// Pages reach the disk in any order: the first ones of an unfinished write may be missing, and read as zeros. Other bytes were never ours.
function mayBeUnfinished(stop: LogStop): boolean {
  return (
    stop.kind === "bad-record" && !(stop.end.warning.kind === "BadMagic" && stop.end.warning.found !== 0)
  );
}

function warningsOf(
  stop: LogStop,
  situation: Situation,
  survey: DamageSurvey,
  tail: { path: string; validLength: number; cutBytes: number } | undefined,
  moved: readonly SegmentFile[],
): WalWarning[] {
  if (situation === "zero-tail") return [];
  const warnings: WalWarning[] = [];
  if (stop.kind === "discontinuity") warnings.push(stop.warning);
  else if (stop.kind === "bad-record" && !hasOnlyZeros(stop, survey)) warnings.push(stop.end.warning);
  else if (stop.kind === "bad-record" && tail !== undefined)
    warnings.push({ kind: "ZeroFilledTail", offset: tail.validLength, bytes: tail.cutBytes });
  if (survey.beyond !== undefined) warnings.push({ kind: "ValidRecordsBeyondDamage", ...survey.beyond });
  if (tail !== undefined && tail.cutBytes > 0) {
    const { path, validLength, cutBytes } = tail;
    warnings.push({ kind: "TailTruncated", path, validLength, truncatedBytes: cutBytes });
  }
  if (moved.length > 0) warnings.push({ kind: "TrailingSegmentsIgnored", count: moved.length });
  return warnings;
}
