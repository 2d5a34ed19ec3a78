import { DEFAULT_MAX_RECORD_BYTES, type Lsn, RECORD_HEADER_BYTES, type SequenceNumber } from "@kaya/core";

/** The first four bytes of every record, little-endian. */
export const WAL_MAGIC = 0x4b415941;
/** The same as it stands on disk. */
export const MAGIC_BYTES = new Uint8Array([0x41, 0x59, 0x41, 0x4b]);
/** The version of the record format, which each record's header has. */
export const WAL_VERSION = 1;
/** Bytes of a record's header, before its payload: 40. */
export const WAL_HEADER_LENGTH = RECORD_HEADER_BYTES;

/** Where each header field stands (FORMAT.md has the table). */
export const FIELD = {
  magic: 0,
  version: 4,
  headerLength: 6,
  flags: 8,
  recordType: 10,
  lsn: 12,
  sequence: 20,
  payloadLength: 28,
  headerCrc: 32,
  payloadCrc: 36,
} as const;

/** The number of each record type, as the header has it. */
export const WalRecordType = {
  /** A key gets a value. */
  Put: 1,
  /** A key loses its value. */
  Delete: 2,
  /** A record that changes nothing. */
  Noop: 3,
  /** Several operations, all or nothing. */
  Batch: 16,
  /** All keys of a range lose their values. */
  DeleteRange: 17,
  /** A key gets a value that expires. */
  PutExpiring: 18,
} as const;
export type WalRecordType = (typeof WalRecordType)[keyof typeof WalRecordType];

/** Operation codes inside a BATCH payload. */
export const BATCH_OP = { put: 1, delete: 2, deleteRange: 3, putExpiring: 4 } as const;

/** A change of one key, or of a range of keys. */
export type WalOperation =
  | {
      readonly type: "put";
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      /**
       * The key has no value from this time on: whole milliseconds since 1970, from 1 to 2^53 - 1. Absent: it never expires. The log compares it
       * with no clock.
       */
      readonly expiresAt?: number;
      /** Of a record that was committed: the value stays as it is and is nobody else's, so that whoever gets the record may keep it without a copy. */
      readonly ownsValue?: true;
    }
  | { readonly type: "delete"; readonly key: Uint8Array }
  | RangeDelete;

/**
 * Deletes every key from `start` up to, but without, `end`. It is one operation with one sequence, whatever it
 * deletes.
 */
export interface RangeDelete {
  /** Always `"deleteRange"`, which makes it a range deletion. */
  readonly type: "deleteRange";
  /** The first key that is deleted, if it is there. */
  readonly start: Uint8Array;
  /** The first key behind the range: greater than `start` byte by byte. Undefined: no upper bound. */
  readonly end: Uint8Array | undefined;
}

/** The operations of a batch, in order: an array, or an object that makes each one when it is asked for. */
export interface WalOperations extends Iterable<WalOperation> {
  /** How many operations there are. */
  readonly length: number;
}

/** What a record does: one operation, a batch of them, or nothing. */
export type WalPayload =
  | WalOperation
  | { readonly type: "noop" }
  | { readonly type: "batch"; readonly operations: WalOperations };

/** A record of the log, decoded. */
export interface WalRecord {
  /** Log sequence number: 1 for the first record of a log, then one more for each. */
  readonly lsn: Lsn;
  /** The sequence of the record's first operation. */
  readonly sequence: SequenceNumber;
  /** What the record does. */
  readonly payload: WalPayload;
}

/** The largest payload that a default configuration writes. */
export const DEFAULT_MAX_PAYLOAD_BYTES = DEFAULT_MAX_RECORD_BYTES - WAL_HEADER_LENGTH;

/** The operations of a payload, in order; none for a noop. */
export function operationsOf(payload: WalPayload): WalOperations {
  if (payload.type === "batch") return payload.operations;
  return payload.type === "noop" ? [] : [payload];
}

/** How many sequence numbers a record takes: one, or for a batch one for each operation. */
export function operationCount(payload: WalPayload): number {
  return payload.type === "batch" ? payload.operations.length : 1;
}
