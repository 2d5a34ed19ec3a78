import {
  checkBytes,
  describe,
  KayaError,
  type LogPosition,
  type Lsn,
  readInput,
  type SequenceNumber,
} from "@kaya/core";
import { operationCount, WAL_HEADER_LENGTH } from "./format.js";
import { takeView } from "./payload-codec.js";
import { decodeAt, headerChecksumHolds } from "./record-codec.js";
import { viewOf } from "./views.js";
import { formatWarning, type RecordWarning } from "./warnings.js";

/** Records of the log in front of this one, as a segment has them. */
export interface ReplicatedRecords {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records. */
  readonly lastLsn: Lsn;
  /** The records, encoded, one behind the other. */
  readonly bytes: Uint8Array;
}

/** A record that was encoded elsewhere and checked here. */
export interface EncodedRecord {
  readonly bytes: Uint8Array;
  readonly sequence: SequenceNumber;
  /** How many sequences it takes. */
  readonly operations: number;
}

interface Expected {
  /** The last record that the log has, or will have. */
  readonly last: LogPosition;
  readonly maxRecordBytes: number;
}

/**
 * Gives the records of an entry that are behind the log's last one. It checks their checksums, and that LSNs and sequences continue without a gap. Their
 * bytes are views.
 * @throws KayaError KAYA_CORRUPTION, KAYA_INVALID_ARGUMENT
 */
export function newRecordsOf(given: ReplicatedRecords, expected: Expected): readonly EncodedRecord[] {
  return readInput("replicated records", () => {
    const { firstLsn, lastLsn, bytes } = given ?? {};
    checkLsns(firstLsn, lastLsn);
    checkBytes(bytes, "bytes");
    const entry = { firstLsn, lastLsn, bytes };
    if (firstLsn > expected.last.lsn + 1) throw gap(entry, expected.last.lsn);
    return decode(entry, expected);
  });
}

function checkLsns(firstLsn: Lsn, lastLsn: Lsn): void {
  if (Number.isSafeInteger(firstLsn) && Number.isSafeInteger(lastLsn) && firstLsn >= 1 && lastLsn >= firstLsn)
    return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `firstLsn and lastLsn must be whole numbers >= 1, the first not above the last, not ${describe(firstLsn)} and ${describe(lastLsn)}`,
  );
}

function decode(entry: ReplicatedRecords, { last, maxRecordBytes }: Expected): readonly EncodedRecord[] {
  const { firstLsn, lastLsn, bytes } = entry;
  const view = viewOf(bytes);
  const records: EncodedRecord[] = [];
  let lsn = firstLsn;
  let next: SequenceNumber | undefined;
  for (let at = 0; at < bytes.length; lsn++) {
    const result = decodeAt(bytes, view, at, bytes.length, at, maxRecordBytes - WAL_HEADER_LENGTH, takeView);
    if (result.status !== "complete") throw notWhole(entry, result.warning, headerHolds(bytes, view, at));
    const { record, bytesRead } = result;
    if (record.lsn !== lsn || lsn > lastLsn) throw otherLsn(entry, at, record.lsn, lsn);
    if (lsn === last.lsn + 1) next = last.sequence + 1;
    if (next !== undefined && record.sequence !== next) throw otherSequence(entry, at, record.sequence, next);
    const operations = operationCount(record.payload);
    next = record.sequence + operations;
    if (lsn > last.lsn)
      records.push({ bytes: bytes.subarray(at, at + bytesRead), sequence: record.sequence, operations });
    at += bytesRead;
  }
  if (lsn <= lastLsn) throw corrupt(entry, `it ends behind LSN ${lsn - 1}, at offset ${bytes.length}`);
  return records;
}

function gap({ firstLsn, lastLsn }: ReplicatedRecords, last: Lsn): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `nothing was written: the records ${firstLsn} to ${lastLsn} do not go on from LSN ${last}, the last one here. Append those between first.`,
  );
}

/** Findings in a header with a good checksum that only a newer version can have written. */
const NEWER: readonly RecordWarning["kind"][] = [
  "UnsupportedVersion",
  "BadHeaderLength",
  "UnknownFlags",
  "UnknownRecordType",
  "UnknownOperation",
];

function headerHolds(bytes: Uint8Array, view: DataView, at: number): boolean {
  return at + WAL_HEADER_LENGTH <= bytes.length && headerChecksumHolds(bytes, view, at);
}

function notWhole(entry: ReplicatedRecords, warning: RecordWarning, headerHolds: boolean): KayaError {
  const found = `${named(entry)}, ${formatWarning(warning)}`;
  if (headerHolds && warning.kind === "OversizedPayload")
    return new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `nothing was written: ${found}. Give wal.maxRecordBytes as on the node that wrote it.`,
    );
  if (headerHolds && NEWER.includes(warning.kind))
    return new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `nothing was written: ${found}. Open this node with the version of Kaya that wrote it.`,
    );
  return corrupt(entry, formatWarning(warning));
}

function otherLsn(entry: ReplicatedRecords, at: number, found: Lsn, expected: Lsn): KayaError {
  return corrupt(entry, `at offset ${at} is the record with LSN ${found}, where LSN ${expected} must follow`);
}

function otherSequence(
  entry: ReplicatedRecords,
  at: number,
  found: SequenceNumber,
  expected: SequenceNumber,
): KayaError {
  return corrupt(entry, `at offset ${at} is a record with sequence ${found}, where ${expected} must follow`);
}

function corrupt(entry: ReplicatedRecords, why: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `nothing was written: ${named(entry)} is not what this log goes on with: ${why}. Read it again; if it stays like this, the shared log or this node's log is another one, or damaged.`,
  );
}

function named({ firstLsn, lastLsn, bytes }: ReplicatedRecords): string {
  return `the entry with the records ${firstLsn} to ${lastLsn} (${bytes.length} bytes)`;
}
