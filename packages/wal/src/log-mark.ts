import type { Lsn } from "@kaya/core";
import { isLogId, type LogHistory } from "./log-history.js";
import type { SegmentFile } from "./segments.js";

const MARK = /^(-|[0-9a-f]{16}):(0|[1-9][0-9]{0,15}):([0-9a-f]{1,14}):(0|[1-9][0-9]{0,15})$/;

/** Where a log ended when its writer closed it: everything before that is on stable storage. */
export interface LogMark {
  /** Of the log; undefined where it had none. */
  readonly id: string | undefined;
  /** Of the last record, in the log or in the tables that it begins behind. */
  readonly lsn: Lsn;
  /** Id of the last segment; 0 where there is none. */
  readonly segmentId: number;
  /** Of the last segment, in bytes. */
  readonly length: number;
}

/** As a lock keeps it: at most 59 printable characters. */
export function formatLogMark({ id = "-", lsn, segmentId, length }: LogMark): string {
  return `${id}:${lsn}:${segmentId.toString(16)}:${length}`;
}

/** Undefined where the text is no mark. */
export function parseLogMark(text: string | undefined): LogMark | undefined {
  const [, id, lsn, segment, length] = MARK.exec(text ?? "") ?? [];
  if (segment === undefined) return undefined;
  const mark = { lsn: Number(lsn), segmentId: Number.parseInt(segment, 16), length: Number(length) };
  if (!Object.values(mark).every(Number.isSafeInteger)) return undefined;
  return { ...mark, id: isLogId(id) ? id : undefined };
}

/** Whether the log's last segment is the one of the mark, and ends there: nobody wrote to it since. */
export function isAtMark(
  mark: LogMark | undefined,
  segments: readonly Pick<SegmentFile, "id" | "length">[],
  history: LogHistory | undefined,
): boolean {
  if (mark === undefined || mark.id !== history?.id) return false;
  const { id, length } = segments.at(-1) ?? { id: 0, length: 0 };
  return id === mark.segmentId && length === mark.length;
}

/** What is certain of a log because it was closed cleanly once, whatever happened since. */
export interface ClosedLog {
  /** The records up to this LSN were on stable storage. Those that a recovery cut since, by the user's choice, are not counted. */
  readonly lsn: Lsn;
  /** Where that ended: undefined where a recovery cut the log before it. */
  readonly end: Pick<LogMark, "segmentId" | "length"> | undefined;
}

/**
 * A mark is of one log: a recovery that cuts gives the log another id, which says up to where it is still the one that it was. So a mark
 * may be old, or of another directory: then it says less, or nothing.
 * @param isAbsent neither a segment nor the log's id is there: then the mark alone tells that there was a log
 */
export function closedLog(
  mark: LogMark | undefined,
  history: LogHistory | undefined,
  isAbsent: boolean,
): ClosedLog | undefined {
  if (mark?.id === undefined) return undefined;
  // Without its id a log is taken for the one that was marked: else losing two files would hide the loss of records.
  if (history === undefined) return { lsn: mark.lsn, end: isAbsent ? undefined : mark };
  const common = history.commonWith(mark.id);
  if (common === undefined) return undefined;
  return { lsn: Math.min(mark.lsn, common), end: common < mark.lsn ? undefined : mark };
}
