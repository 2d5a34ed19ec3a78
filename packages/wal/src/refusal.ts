import { KayaError, type Lsn, type RecoveryMode } from "@kaya/core";
import type { DamageSurvey } from "./damage.js";
import type { ClosedLog } from "./log-mark.js";
import type { LogStop } from "./log-scan.js";
import { refusalCode, type Situation } from "./recovery-decision.js";
import { QUARANTINE_DIR, type SegmentFile, segmentPath } from "./segments.js";
import { formatWarning } from "./warnings.js";

interface RefusedLog {
  readonly situation: Situation;
  readonly stop: LogStop;
  readonly files: readonly SegmentFile[];
  /** Of the last record before the stop. */
  readonly lastLsn: Lsn;
  readonly survey: DamageSurvey;
  /** What a clean close says of it. */
  readonly closed?: ClosedLog | undefined;
}

/**
 * The error of a refusal: where, what, that nothing was changed, and the choices.
 * @param mode undefined if the log is only read
 */
export function refusal(log: RefusedLog, mode?: RecoveryMode): KayaError {
  const { situation, stop, files } = log;
  const path = files[stop.index]?.path ?? "";
  const parts = [`${path}: ${whatIsWrong(stop)}.`];
  const behind = files.length - 1 - stop.index;
  if (behind > 0) parts.push(`${behind} more ${behind === 1 ? "segment follows" : "segments follow"} it.`);
  if (log.survey.beyond !== undefined) {
    const { count, firstOffset, firstLsn, lastLsn } = log.survey.beyond;
    parts.push(
      `${count} valid records stand behind it, from offset ${firstOffset} on (LSN ${firstLsn} to ${lastLsn}).`,
    );
  }
  if (situation === "before-a-clean-close") parts.push(closedAt(log.closed));
  parts.push(`The log is whole up to LSN ${log.lastLsn}. Nothing was changed.`);
  parts.push(advice(situation, mode));
  return new KayaError(refusalCode(situation), parts.join(" "));
}

/** What the lock file says of a log that was closed cleanly. */
export function closedAt(closed: ClosedLog | undefined): string {
  if (closed === undefined) return "";
  const { lsn, end } = closed;
  const where = end === undefined ? "" : `, ${segmentPath(end.segmentId)} to offset ${end.length}`;
  return `LOCK says that the log was closed cleanly with LSN ${lsn} on stable storage${where}.`;
}

function whatIsWrong(stop: LogStop): string {
  if (stop.kind === "missing-segment") {
    return `${segmentPath(stop.expectedId)} must come before it and is not there`;
  }
  return formatWarning(stop.kind === "discontinuity" ? stop.warning : stop.end.warning);
}

export function advice(situation: Situation, mode: RecoveryMode | undefined): string {
  if (situation === "unknown-format") {
    return "The bytes are intact: a newer version wrote them. Open the log with that version.";
  }
  if (situation === "oversized-record") {
    return "The record's header is intact: raise maxRecordBytes to what the log was written with.";
  }
  if (mode === undefined) return "Up to there it can be read.";
  if (mode === "absolute" && situation !== "before-a-clean-close") {
    return 'recovery: "absolute" accepts no damage. Restore from a backup, or open with recovery: "tail".';
  }
  return (
    "A crash cannot have done this: restore the file from a backup, " +
    `or open once with recovery: "prefix" to go on with what stands before it (the rest is kept in ${QUARANTINE_DIR}/); ` +
    "recoverTo builds the state as of an LSN before it elsewhere."
  );
}
