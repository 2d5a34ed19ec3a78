import {
  DEFAULT_MAX_RECORD_BYTES,
  describe,
  KayaError,
  type Lsn,
  readOptions,
  type SequenceNumber,
} from "@kaya/core";
import { assertDisk, type Disk, type DiskFile } from "@kaya/io";
import { surveyDamage, tornBeforeZeros } from "./damage.js";
import type { WalRecord } from "./format.js";
import { type ScanEnd, scanWindows } from "./scanner.js";
import { locateSegments } from "./segment-location.js";
import { MOST_SEGMENT_BYTES } from "./segments.js";
import type { WalWarning } from "./warnings.js";

/** One record of a segment, without its keys and values. */
export interface WalInspectionRow {
  /** Offset of the record's first byte in its segment. */
  readonly offset: number;
  /** Log sequence number of the record. */
  readonly lsn: Lsn;
  /** The sequence of the record's first operation. */
  readonly sequence: SequenceNumber;
  /** The type of the record. */
  readonly type: "PUT" | "DELETE" | "NOOP" | "BATCH" | "DELETE_RANGE" | "PUT_EXPIRING";
  /** Bytes of the key of a PUT, DELETE or PUT_EXPIRING. */
  readonly keyLength?: number;
  /** Bytes of the value of a PUT or PUT_EXPIRING. */
  readonly valueLength?: number;
  /** When the value of a PUT_EXPIRING expires, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** Bytes of the first key of a DELETE_RANGE. */
  readonly startLength?: number;
  /** Bytes of the end of a DELETE_RANGE; absent if it has no upper bound. */
  readonly endLength?: number;
  /** How many operations a BATCH has. */
  readonly operations?: number;
  /** Bytes of the record, its header included. */
  readonly encodedLength: number;
}

/** The records of one segment, and what is wrong with it. */
export interface SegmentInspection {
  /** The name of the segment's file. */
  readonly segment: string;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Its records, in order. */
  readonly rows: readonly WalInspectionRow[];
  /** What is wrong with it, in the order of the offsets. */
  readonly warnings: readonly WalWarning[];
}

/** The records of all segments that a path stands for. */
export interface WalInspection {
  /** The segments, in the order of their ids. */
  readonly segments: readonly SegmentInspection[];
}

/** Where an inspection begins, and what it expects. */
export interface InspectOptions {
  /** The largest record that is read. It bounds how much memory one record takes. Default 32 MiB. */
  readonly maxRecordBytes?: number;
  /** The log sequence number that the first record must have. Default: any. */
  readonly expectedLsn?: Lsn;
  /** Offset of the record to begin with: where an earlier look at a growing segment ended. Default 0. */
  readonly from?: number;
}

/** A record of a segment with its row. Its bytes are views of a buffer that is never written again. */
export interface InspectedRecord {
  /** The record without its keys and values. */
  readonly row: WalInspectionRow;
  /** The record itself. */
  readonly record: WalRecord;
}

/**
 * The records of one segment, in order, then what is wrong with it; a gap between LSNs is told where it is. Streams, so a
 * large segment needs no memory. It takes no lock and never writes.
 * @param path relative to the disk's root
 * @throws KayaError KAYA_INVALID_ARGUMENT where `disk` is none or an option is wrong; while it reads KAYA_NOT_FOUND, KAYA_IO
 */
export function inspectWal(
  disk: Disk,
  path: string,
  options?: InspectOptions,
): AsyncGenerator<WalInspectionRow | WalWarning, void> {
  assertDisk(disk);
  return inspectWith(disk, path, readInspectOptions(options), rowOf);
}

/**
 * The records of one segment with their keys and values, in order, then what is wrong with it. Keeping a record
 * keeps the mebibyte that it was read with. It takes no lock and never writes.
 *
 * @param path relative to the disk's root
 * @throws KayaError KAYA_INVALID_ARGUMENT if `disk` is no disk or an option is wrong; while it reads
 *   KAYA_NOT_FOUND, KAYA_IO
 */
export function inspectRecords(
  disk: Disk,
  path: string,
  options?: InspectOptions,
): AsyncGenerator<InspectedRecord | WalWarning, void> {
  assertDisk(disk);
  return inspectWith(disk, path, readInspectOptions(options), (record, offset, encodedLength) => ({
    row: rowOf(record, offset, encodedLength),
    record,
  }));
}

const OPTIONS: readonly (keyof InspectOptions)[] = ["maxRecordBytes", "expectedLsn", "from"];

/** @throws KayaError KAYA_INVALID_ARGUMENT */
function readInspectOptions(given: InspectOptions | undefined): InspectOptions {
  const options = readOptions(given, OPTIONS, "the options of an inspection");
  for (const name of OPTIONS) {
    const value = options[name];
    if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) continue;
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `${name} must be a whole number >= 0, not ${describe(value)}`,
    );
  }
  return options;
}

type Describe<T> = (record: WalRecord, offset: number, encodedLength: number) => T;

async function* inspectWith<T>(
  disk: Disk,
  path: string,
  options: InspectOptions,
  toItem: Describe<T>,
): AsyncGenerator<T | WalWarning, void> {
  const file = await disk.open(path, { readOnly: true });
  try {
    yield* inspectFile(file, await file.length(), options, toItem);
  } finally {
    await file.close();
  }
}

async function* inspectFile<T>(
  file: DiskFile,
  fileLength: number,
  { maxRecordBytes = DEFAULT_MAX_RECORD_BYTES, expectedLsn, from }: InspectOptions,
  toItem: Describe<T>,
): AsyncGenerator<T | WalWarning, void> {
  let expected = expectedLsn;
  let found: (T | WalWarning)[] = [];
  const windows = scanWindows(file, fileLength, {
    maxRecordBytes,
    from,
    onRecord: (record, offset, length) => {
      if (expected !== undefined && record.lsn !== expected) {
        found.push({ kind: "NonMonotonicLsn", offset, expected, found: record.lsn });
      }
      expected = record.lsn + 1;
      found.push(toItem(record, offset, length));
      return true;
    },
  });
  for (;;) {
    const step = await windows.next();
    yield* found;
    found = [];
    if (step.done !== true) continue;
    yield* await warningsAt(file, fileLength, step.value, maxRecordBytes);
    return;
  }
}

async function warningsAt(
  file: DiskFile,
  fileLength: number,
  end: ScanEnd,
  maxRecordBytes: number,
): Promise<WalWarning[]> {
  if (end.kind !== "torn" && end.kind !== "damaged") return [];
  if (fileLength - end.offset > MOST_SEGMENT_BYTES) return [end.warning]; // no log wrote it: it is not read
  const survey = await surveyDamage(file, fileLength, end, maxRecordBytes);
  if (survey.movedOn === true) return [];
  const zeros: WalWarning[] =
    survey.end < fileLength
      ? [{ kind: "ZeroFilledTail", offset: survey.end, bytes: fileLength - survey.end }]
      : [];
  if (survey.end === end.offset) return zeros;
  const torn = tornBeforeZeros(end, survey);
  if (torn !== undefined) return [torn.warning, ...zeros];
  return survey.beyond === undefined
    ? [end.warning]
    : [end.warning, { kind: "ValidRecordsBeyondDamage", ...survey.beyond }];
}

// Plain literals: a spread costs more than the rest of a row, and every record makes one.
function rowOf(
  { lsn, sequence, payload }: WalRecord,
  offset: number,
  encodedLength: number,
): WalInspectionRow {
  switch (payload.type) {
    case "put": {
      const [keyLength, valueLength] = [payload.key.length, payload.value.length];
      const { expiresAt } = payload;
      if (expiresAt === undefined)
        return { offset, lsn, sequence, type: "PUT", keyLength, valueLength, encodedLength };
      const type = "PUT_EXPIRING";
      return { offset, lsn, sequence, type, keyLength, valueLength, expiresAt, encodedLength };
    }
    case "delete":
      return { offset, lsn, sequence, type: "DELETE", keyLength: payload.key.length, encodedLength };
    case "deleteRange": {
      const [startLength, end] = [payload.start.length, payload.end];
      const row = { offset, lsn, sequence, type: "DELETE_RANGE", startLength, encodedLength } as const;
      return end === undefined ? row : { ...row, endLength: end.length };
    }
    case "noop":
      return { offset, lsn, sequence, type: "NOOP", encodedLength };
    case "batch":
      return { offset, lsn, sequence, type: "BATCH", operations: payload.operations.length, encodedLength };
  }
}

/** True for a warning of `inspectWal` or `inspectRecords`, false for a row or a record. */
export function isWarning(item: WalInspectionRow | InspectedRecord | WalWarning): item is WalWarning {
  return "kind" in item;
}

/**
 * Every record of a segment, or of a directory of them, with what is wrong. All rows are in memory: for large logs use
 * `locateSegments` and `inspectWal`.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO
 */
export async function inspectWalPath(
  path: string,
  given?: Omit<InspectOptions, "from">,
): Promise<WalInspection> {
  const options = readInspectOptions(given);
  const segments: SegmentInspection[] = [];
  let expectedLsn = options.expectedLsn;
  for (const { disk, path: segmentPath, name, length } of await locateSegments(path)) {
    const rows: WalInspectionRow[] = [];
    const warnings: WalWarning[] = [];
    const items = inspectWal(disk, segmentPath, {
      ...options,
      ...(expectedLsn !== undefined && { expectedLsn }),
    });
    for await (const item of items) {
      if (isWarning(item)) warnings.push(item);
      else rows.push(item);
    }
    const last = rows.at(-1);
    if (last !== undefined) expectedLsn = last.lsn + 1;
    segments.push({ segment: name, bytes: length, rows, warnings });
  }
  return { segments };
}
