import type { Lsn } from "@kaya/core";
import { isLogId, type LogHistory } from "./log-history.js";
import type { SegmentFile } from "./segments.js";

const MARK = /^(-|[0-9a-f]{16}):(0|[1-9][0-9]{0,15}):([0-9a-f]{1,14}):(0|[1-9][0-9]{0,15})$/;

/** Where a log ended when its writer closed it: everything before that is on stable storage. */
export interface LogMark {
  /** The id of the log; undefined if it had none. */
  readonly id: string | undefined;
  /** Log sequence number of the last record, in the log or in the tables that it begins behind. */
  readonly lsn: Lsn;
  /** Id of the last segment; 0 if there is none. */
  readonly segmentId: number;
  /** Bytes of the last segment. */
  readonly length: number;
}

/** A mark as the text that a lock keeps: at most 59 printable characters. */
export function formatLogMark({ id = "-", lsn, segmentId, length }: LogMark): string {
  return `${id}:${lsn}:${segmentId.toString(16)}:${length}`;
}

/** Reads the text of `formatLogMark`. Undefined if the text is no mark. */
export function parseLogMark(text: string | undefined): LogMark | undefined {
  const [, id, lsn, segment, length] = MARK.exec(text ?? "") ?? [];
  if (segment === undefined) return undefined;
  const mark = { lsn: Number(lsn), segmentId: Number.parseInt(segment, 16), length: Number(length) };
  if (!Object.values(mark).every(Number.isSafeInteger)) return undefined;
  return { ...mark, id: isLogId(id) ? id : undefined };
}

/** Whether the log's last segment is the mark's and ends there: nothing was written since. */
export function isAtMark(
  mark: LogMark | undefined,
  segments: readonly Pick<SegmentFile, "id" | "length">[],
  history: LogHistory | undefined,
): boolean {
  if (mark === undefined || mark.id !== history?.id) return false;
  const { id, length } = segments.at(-1) ?? { id: 0, length: 0 };
  return id === mark.segmentId && length === mark.length;
}

/** What a clean close proves of a log, whatever happened since. */
export interface ClosedLog {
  /** The records up to this LSN were on stable storage, without those that a recovery cut since by the user's choice. */
  readonly lsn: Lsn;
  /** Where that ended: undefined where a recovery cut the log before it. */
  readonly end: Pick<LogMark, "segmentId" | "length"> | undefined;
}

/**
 * A mark belongs to one log id. A recovery that cuts gives the log another id and notes up to which LSN it is still the old log. So an old
 * mark proves less, and one of another directory nothing.
 * @param isAbsent neither a segment nor the log's id exists: only the mark shows that there was a log
 */
export function closedLog(
  mark: LogMark | undefined,
  history: LogHistory | undefined,
  isAbsent: boolean,
): ClosedLog | undefined {
  if (mark?.id === undefined) return undefined;
  // A log without its id counts as the marked one: else losing two files would hide lost records.
  if (history === undefined) return { lsn: mark.lsn, end: isAbsent ? undefined : mark };
  const common = history.commonWith(mark.id);
  if (common === undefined) return undefined;
  return { lsn: Math.min(mark.lsn, common), end: common < mark.lsn ? undefined : mark };
}
