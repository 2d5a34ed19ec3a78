import { KayaError } from "@kaya/core";
import {
  type LogBase,
  type LogClaim,
  type LogEntry,
  type LogHead,
  MAX_EPOCH_STARTS,
  type NodeInfo,
} from "./shared-log.js";

/** The largest size of one read, if the caller gives no limit. */
export const DEFAULT_READ_BYTES = 4 * 1024 * 1024;

/** The space that an entry needs in the store in addition to its bytes: its key, the head that it replaced, and the store's index. */
export const ENTRY_OVERHEAD_BYTES = 256;

/** A head without its version: the store assigns the version. */
export type StoredHead = Omit<LogHead, "version">;

/** A base without its version: the store assigns the version. */
export type StoredBase = Omit<LogBase, "version">;

/** The head that a claim makes: the next epoch, at the same record. */
export function claimedHead(expected: LogHead | undefined, claim: LogClaim): StoredHead {
  const { writer, address } = claim;
  const epoch = (expected?.epoch ?? 0) + 1;
  const { lsn, sequence, logId } = expected ?? claim.origin;
  const [first = { epoch, lsn, writer }, ...later] = expected?.starts ?? [];
  const behind = expected === undefined ? [] : [...later, { epoch, lsn, writer }];
  // The first one stays: it says where the log began, and who began it.
  const starts = [first, ...behind.slice(1 - MAX_EPOCH_STARTS)];
  return { epoch, lsn, sequence, logId, writer, address, bytes: expected?.bytes ?? 0, starts };
}

/** The head that an append makes: the same epoch, at the entry's last record. */
export function appendedHead(expected: LogHead, entry: LogEntry): StoredHead {
  const { epoch, logId, writer, address, starts } = expected;
  const bytes = expected.bytes + entry.bytes.length + ENTRY_OVERHEAD_BYTES;
  return { epoch, lsn: entry.lastLsn, sequence: entry.lastSequence, logId, writer, address, bytes, starts };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT if the entry cannot follow that head */
export function checkEntry(log: string, expected: LogHead, entry: LogEntry, maxBytes: number): void {
  const { firstLsn, lastLsn, lastSequence, bytes } = entry;
  const wrong =
    firstLsn !== expected.lsn + 1
      ? `it begins with LSN ${firstLsn}, but the head is at LSN ${expected.lsn}`
      : !Number.isSafeInteger(lastLsn) || lastLsn < firstLsn
        ? `it ends with LSN ${lastLsn}, but begins with LSN ${firstLsn}`
        : !Number.isSafeInteger(lastSequence) || lastSequence < expected.sequence
          ? `it ends with sequence ${lastSequence}, but the head is at sequence ${expected.sequence}`
          : bytes.length === 0 || bytes.length > maxBytes
            ? `it has ${bytes.length} bytes, but must have 1 to ${maxBytes}`
            : undefined;
  if (wrong !== undefined) throw invalid(`${log}: an entry cannot be appended: ${wrong}`);
}

/** @throws KayaError KAYA_INVALID_ARGUMENT if the base cannot replace the expected one */
export function checkBase(log: string, expected: LogBase | undefined, next: StoredBase, head: LogHead): void {
  if (expected !== undefined && next.lsn <= expected.lsn)
    throw invalid(
      `${log}: base ${next.name} at LSN ${next.lsn} is not newer than the base at LSN ${expected.lsn}`,
    );
  if (next.lsn > head.lsn)
    throw invalid(
      `${log}: base ${next.name} has LSN ${next.lsn}, but the log ends at LSN ${head.lsn}: the base belongs to another log`,
    );
}

/** @throws KayaError KAYA_INVALID_ARGUMENT if a trim would remove records that are not in the base */
export function checkTrim(log: string, base: LogBase, through: number): void {
  if (through > base.lsn)
    throw invalid(
      `${log}: cannot trim up to LSN ${through}: the base only has the records up to LSN ${base.lsn}`,
    );
}

/** @throws KayaError KAYA_INVALID_ARGUMENT if the node or the time of a presence is not valid */
export function checkPresence(log: string, node: NodeInfo, ttlMs: number): void {
  if (node.id.length === 0) throw invalid(`${log}: a node needs an id`);
  if (!(ttlMs > 0 && Number.isFinite(ttlMs))) throw invalid(`${log}: a presence cannot last ${ttlMs} ms`);
}

/** The error if another node claimed the log, or named another base. */
export function fenced(log: string, doing: string, head: LogHead | undefined): KayaError {
  const found =
    head === undefined
      ? "the log has no head"
      : `the head is at LSN ${head.lsn} in epoch ${head.epoch} of node ${head.writer}`;
  const message = `${log}: ${doing} did nothing, because the log changed: ${found}. Read the head, and decide again`;
  return new KayaError("KAYA_FENCED", message, { leader: head?.address });
}

/** The error if the records after `after` were trimmed. */
export function truncated(log: string, after: number, first: number | undefined, head: LogHead): KayaError {
  const found =
    first === undefined
      ? `all records up to the head at LSN ${head.lsn} were trimmed`
      : `the first remaining record has LSN ${first}`;
  return new KayaError(
    "KAYA_LOG_TRUNCATED",
    `${log}: the record after LSN ${after} was trimmed: ${found}. Load the base`,
  );
}

/** The error if no node has claimed the log yet. */
export function unclaimed(log: string): KayaError {
  return new KayaError("KAYA_NOT_FOUND", `${log}: no node has claimed this log yet`);
}

/** The error if this connection to the log was closed. */
export function closed(log: string): KayaError {
  return new KayaError("KAYA_CLOSED", `${log}: this connection to the log is closed`);
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}
