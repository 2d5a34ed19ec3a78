import {
  checkBytes,
  crc32cRange,
  describe,
  KayaError,
  type Lsn,
  readInput,
  type SequenceNumber,
} from "@kaya/core";
import {
  DEFAULT_MAX_PAYLOAD_BYTES,
  FIELD,
  operationCount,
  WAL_HEADER_LENGTH,
  WAL_MAGIC,
  WAL_VERSION,
  type WalPayload,
  type WalRecord,
  WalRecordType,
} from "./format.js";
import {
  ownPayload,
  type PayloadFault,
  payloadLength,
  readOwnBatch,
  readPayload,
  readPutWithout,
  recordTypeOf,
  type TakeBytes,
  takeCopy,
  takeView,
  writePayload,
  writePutWithout,
} from "./payload-codec.js";
import { readU64, writeU64 } from "./u64.js";
import { viewOf } from "./views.js";
import type { RecordWarning } from "./warnings.js";

const U32 = 2 ** 32;
const ZEROS = new Uint8Array(4);

/**
 * A decoded record and its length, or what is wrong with the bytes. `incomplete`: more bytes may make it a
 * record.
 */
export type DecodeResult =
  | { readonly status: "complete"; readonly record: WalRecord; readonly bytesRead: number }
  | { readonly status: "incomplete" | "invalid"; readonly warning: RecordWarning };

/**
 * The bytes of one record.
 *
 * @throws KayaError KAYA_INVALID_ARGUMENT for a record that the format cannot hold
 */
export function encodeRecord(record: WalRecord): Uint8Array {
  return readInput("a record", () => {
    const { lsn, sequence, payload } = record ?? {};
    return encode(lsn, sequence, ownPayload(payload));
  });
}

function encode(lsn: Lsn, sequence: SequenceNumber, payload: WalPayload): Uint8Array {
  const length = WAL_HEADER_LENGTH + payloadLength(payload);
  if (length - WAL_HEADER_LENGTH >= U32) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      `a payload of ${length - WAL_HEADER_LENGTH} bytes does not fit the format`,
    );
  }
  checkNumbers(lsn, sequence, payload);
  const bytes = new Uint8Array(length);
  writeRecord(bytes, viewOf(bytes), 0, length, lsn, sequence, payload);
  return bytes;
}

/**
 * Refuses numbers that no decoder would take.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function checkNumbers(lsn: Lsn, sequence: SequenceNumber, payload: WalPayload): void {
  if (!Number.isSafeInteger(lsn) || lsn < 0) throw noNumber("lsn", lsn);
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw noNumber("sequence", sequence);
  if (sequence <= lastFirstSequence(payload)) return;
  throw new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `the last operation's sequence is above ${Number.MAX_SAFE_INTEGER}`,
  );
}

function noNumber(field: string, found: unknown): KayaError {
  const message = `${field} must be a whole number from 0 to 2^53 - 1, not ${describe(found)}`;
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}

/** The copy of a put's value, apart from the rest of its record. */
export interface ValueApart {
  readonly value: Uint8Array;
  /** The rest of the record, in bytes. */
  readonly before: number;
}

/**
 * Writes a record of `length` bytes (header and payload) at `at`. Payload and room were checked by the caller.
 * @param apart the value of a put, which is left out: it belongs behind what is written
 * @throws KayaError KAYA_INVALID_ARGUMENT where the payload has another length by now: then what stands at `at` is no record
 */
export function writeRecord(
  target: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  lsn: Lsn,
  sequence: SequenceNumber,
  payload: WalPayload,
  apart?: ValueApart,
): void {
  const payloadStart = at + WAL_HEADER_LENGTH;
  const end = apart === undefined ? at + length : at + apart.before;
  const written =
    apart === undefined
      ? writePayload(target, view, payloadStart, payload)
      : writePutWithout(target, view, payloadStart, payload, apart.value);
  if (written !== end || (apart !== undefined && apart.before + apart.value.length !== length)) {
    throw new KayaError(
      "KAYA_INVALID_ARGUMENT",
      "a key or value had another length when it was copied than when it was measured: another thread changes its memory. Give a copy",
    );
  }
  view.setUint32(at + FIELD.magic, WAL_MAGIC, true);
  view.setUint16(at + FIELD.version, WAL_VERSION, true);
  view.setUint16(at + FIELD.headerLength, WAL_HEADER_LENGTH, true);
  view.setUint16(at + FIELD.flags, 0, true);
  view.setUint16(at + FIELD.recordType, recordTypeOf(payload), true);
  writeU64(view, at + FIELD.lsn, lsn);
  writeU64(view, at + FIELD.sequence, sequence);
  view.setUint32(at + FIELD.payloadLength, length - WAL_HEADER_LENGTH, true);
  view.setInt32(at + FIELD.headerCrc, 0, true);
  let crc = crc32cRange(target, payloadStart, end);
  if (apart !== undefined) crc = crc32cRange(apart.value, 0, apart.value.length, crc);
  view.setInt32(at + FIELD.payloadCrc, crc, true);
  view.setInt32(at + FIELD.headerCrc, crc32cRange(target, at, payloadStart), true);
}

/**
 * Reads the record at the beginning of `input`. Its bytes are copies.
 *
 * @param offset the offset that warnings name. Default 0
 * @param maxPayloadBytes the longest payload that is believed
 */
export function decodeRecord(
  input: Uint8Array,
  offset = 0,
  maxPayloadBytes: number = DEFAULT_MAX_PAYLOAD_BYTES,
): DecodeResult {
  checkBytes(input, "the input");
  return decodeAt(input, viewOf(input), 0, input.length, offset, maxPayloadBytes, takeCopy);
}

/** `decodeRecord` for the record at `at` of a larger buffer that ends at `end`. */
export function decodeAt(
  input: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  offset: number,
  maxPayloadBytes: number,
  take: TakeBytes,
): DecodeResult {
  const headerWarning = checkHeader(input, view, at, end, offset, maxPayloadBytes);
  if (headerWarning !== undefined) {
    return {
      status: headerWarning.kind === "PartialHeader" ? "incomplete" : "invalid",
      warning: headerWarning,
    };
  }
  const bytesRead = WAL_HEADER_LENGTH + view.getUint32(at + FIELD.payloadLength, true);
  if (end - at < bytesRead) {
    return {
      status: "incomplete",
      warning: { kind: "PartialPayload", offset, expected: bytesRead, actual: end - at },
    };
  }
  const payloadStart = at + WAL_HEADER_LENGTH;
  const crc = crc32cRange(input, payloadStart, at + bytesRead);
  const stored = view.getInt32(at + FIELD.payloadCrc, true);
  if (crc !== stored) {
    return invalid({ kind: "BadPayloadChecksum", offset, expected: crc >>> 0, actual: stored >>> 0 });
  }
  const type = view.getUint16(at + FIELD.recordType, true) as WalRecordType;
  const payload = readPayload(type, input, view, payloadStart, at + bytesRead, take);
  if (typeof payload === "string") return invalid({ kind: "MalformedPayload", offset, message: payload });
  if (typeof payload === "number") return invalid({ kind: "UnknownOperation", offset, found: payload });
  const lsn = readU64(view, at + FIELD.lsn);
  const sequence = readU64(view, at + FIELD.sequence);
  if (lsn > Number.MAX_SAFE_INTEGER || sequence > lastFirstSequence(payload)) {
    const message = `${lsn > Number.MAX_SAFE_INTEGER ? "lsn" : "sequence"} is above ${Number.MAX_SAFE_INTEGER}`;
    return invalid({ kind: "MalformedPayload", offset, message });
  }
  return { status: "complete", record: { lsn, sequence, payload }, bytesRead };
}

/** The largest first sequence of a payload: its last operation still has a valid one. */
function lastFirstSequence(payload: WalPayload): SequenceNumber {
  return Number.MAX_SAFE_INTEGER - (operationCount(payload) - 1);
}

function invalid(warning: RecordWarning): DecodeResult {
  return { status: "invalid", warning };
}

// The order of the checks is part of the format: the first that fails names the warning.
function checkHeader(
  input: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  offset: number,
  maxPayloadBytes: number,
): RecordWarning | undefined {
  if (end - at < WAL_HEADER_LENGTH) return { kind: "PartialHeader", offset };
  const magic = view.getUint32(at + FIELD.magic, true);
  if (magic !== WAL_MAGIC) return { kind: "BadMagic", offset, found: magic };
  const version = view.getUint16(at + FIELD.version, true);
  if (version !== WAL_VERSION) return { kind: "UnsupportedVersion", offset, found: version };
  const headerLength = view.getUint16(at + FIELD.headerLength, true);
  if (headerLength !== WAL_HEADER_LENGTH) return { kind: "BadHeaderLength", offset, found: headerLength };
  const flags = view.getUint16(at + FIELD.flags, true);
  if (flags !== 0) return { kind: "UnknownFlags", offset, found: flags };
  const type = view.getUint16(at + FIELD.recordType, true);
  if (!isRecordType(type)) return { kind: "UnknownRecordType", offset, found: type };
  const payloadBytes = view.getUint32(at + FIELD.payloadLength, true);
  if (payloadBytes > maxPayloadBytes) {
    return { kind: "OversizedPayload", offset, found: payloadBytes, max: maxPayloadBytes };
  }
  const crc = headerCrc(input, at);
  const stored = view.getInt32(at + FIELD.headerCrc, true);
  if (crc !== stored) return { kind: "BadHeaderChecksum", offset, expected: crc >>> 0, actual: stored >>> 0 };
  return undefined;
}

/** Whether the checksum of the 40 header bytes at `at` holds, whatever they say. */
export function headerChecksumHolds(input: Uint8Array, view: DataView, at: number): boolean {
  return headerCrc(input, at) === view.getInt32(at + FIELD.headerCrc, true);
}

/** The LSN in the header at the beginning of `bytes`; undefined if it is not whole, not a header, or of another version. */
export function lsnOfHeader(bytes: Uint8Array): Lsn | undefined {
  const view = viewOf(bytes);
  if (bytes.length < WAL_HEADER_LENGTH || !headerChecksumHolds(bytes, view, 0)) return undefined;
  if (view.getUint32(FIELD.magic, true) !== WAL_MAGIC) return undefined;
  if (view.getUint16(FIELD.version, true) !== WAL_VERSION) return undefined;
  return readU64(view, FIELD.lsn);
}

// Over the header with the checksum's own field as zero, without touching the input.
function headerCrc(input: Uint8Array, at: number): number {
  const before = crc32cRange(input, at, at + FIELD.headerCrc);
  const zeros = crc32cRange(ZEROS, 0, 4, before);
  return crc32cRange(input, at + FIELD.payloadCrc, at + WAL_HEADER_LENGTH, zeros);
}

/** Bytes of the record at `at`, whose header was written or checked before. */
export function recordLengthAt(view: DataView, at: number): number {
  return WAL_HEADER_LENGTH + view.getUint32(at + FIELD.payloadLength, true);
}

/**
 * The record at `at` of bytes that this process encoded itself, without checks; its payload is a view of them.
 * @param value of a put, where it was left out
 */
export function readOwnRecord(input: Uint8Array, view: DataView, at: number, value?: Uint8Array): WalRecord {
  const type = view.getUint16(at + FIELD.recordType, true) as WalRecordType;
  const end = at + recordLengthAt(view, at);
  const payload = readOwnPayload(type, input, view, at + WAL_HEADER_LENGTH, end, value);
  if (typeof payload !== "object")
    throw new KayaError("KAYA_INVARIANT_VIOLATION", `encoded a bad record: ${payload}`);
  return { lsn: readU64(view, at + FIELD.lsn), sequence: readU64(view, at + FIELD.sequence), payload };
}

function readOwnPayload(
  type: WalRecordType,
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  value: Uint8Array | undefined,
): WalPayload | PayloadFault {
  if (value !== undefined) return readPutWithout(type, input, view, start, end - value.length, value);
  if (type === WalRecordType.Batch) return readOwnBatch(input, view, start, end);
  return readPayload(type, input, view, start, end, takeView);
}

function isRecordType(type: number): type is WalRecordType {
  return (
    type === WalRecordType.Put ||
    type === WalRecordType.Delete ||
    type === WalRecordType.Noop ||
    type === WalRecordType.Batch ||
    type === WalRecordType.DeleteRange ||
    type === WalRecordType.PutExpiring
  );
}
