import type { LogEntry, LogHead } from "./shared-log.js";

/** The outcome of an append, as a later head shows it. */
export type EntryFate =
  /** It is in the log. */
  | "appended"
  /** The head is the one that the append expected. The entry is not in the log, but the request may still arrive. */
  | "open"
  /** Another epoch began before the entry. The entry is not in the log, and never will be. */
  | "never"
  /** The head does not show the outcome: it remembers too few epochs, or the log was replaced. */
  | "unknown";

/**
 * C4: finds the outcome of an append in a head that was read after it. Only the writer of an epoch appends in it, one entry at a time. So
 * if the epoch reached the entry's last LSN, the entry is in the log.
 * @param expected the head that the append compared with: the last one of this writer in `epoch`
 */
export function fateOf(
  entry: Pick<LogEntry, "firstLsn" | "lastLsn">,
  expected: LogHead,
  head: LogHead | undefined,
): EntryFate {
  if (head === undefined || head.logId !== expected.logId || head.epoch < expected.epoch) return "unknown";
  if (head.epoch === expected.epoch) {
    if (head.version === expected.version) return "open";
    return head.lsn >= entry.lastLsn ? "appended" : "unknown";
  }
  const next = head.starts.find(({ epoch }) => epoch > expected.epoch);
  if (next === undefined) return "unknown";
  if (next.lsn < entry.firstLsn) return "never"; // the epochs between the two began at or before it
  return next.epoch === expected.epoch + 1 && next.lsn >= entry.lastLsn ? "appended" : "unknown";
}

/** The parts of a seen head that prove a history: the log had this record in this epoch. */
export type SeenHead = Pick<LogHead, "logId" | "epoch" | "lsn">;

/**
 * Why `now` cannot be a later head of the log that had the head `before`; undefined if it can be one. A reason means that the log lost
 * records that a majority had: it was restored from an older copy, or replaced.
 */
export function breakBetween(before: SeenHead, now: LogHead): string | undefined {
  if (now.logId !== before.logId) return `its id is ${now.logId}, and was ${before.logId}`;
  if (now.epoch < before.epoch) return `its epoch is ${now.epoch}, and was ${before.epoch}`;
  if (now.lsn < before.lsn) return `its last LSN is ${now.lsn}, and was ${before.lsn}`;
  const cut = now.starts.find(({ epoch, lsn }) => epoch > before.epoch && lsn < before.lsn);
  if (cut === undefined) return undefined;
  return `epoch ${cut.epoch} began after LSN ${cut.lsn}, and epoch ${before.epoch} had reached LSN ${before.lsn}`;
}
