import { DEFAULT_MAX_RECORD_BYTES, type Lsn, RECORD_HEADER_BYTES, type SequenceNumber } from "@kaya/core";

/** The first four bytes of every record, little-endian. */
export const WAL_MAGIC = 0x4b415941;
/** The same as it stands on disk. */
export const MAGIC_BYTES = new Uint8Array([0x41, 0x59, 0x41, 0x4b]);
export const WAL_VERSION = 1;
/** Bytes before the payload. */
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

export const WalRecordType = {
  Put: 1,
  Delete: 2,
  Noop: 3,
  Batch: 16,
  DeleteRange: 17,
  PutExpiring: 18,
} as const;
export type WalRecordType = (typeof WalRecordType)[keyof typeof WalRecordType];

/** Operation codes inside a BATCH payload. */
export const BATCH_OP = { put: 1, delete: 2, deleteRange: 3, putExpiring: 4 } as const;

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

/** Deletes every key from `start` up to, but without, `end`. One operation, with one sequence number, whatever it deletes. */
export interface RangeDelete {
  readonly type: "deleteRange";
  readonly start: Uint8Array;
  /** Greater than `start` in the order of the bytes. Undefined: there is no upper bound. */
  readonly end: Uint8Array | undefined;
}

/** The operations of a batch, in order: an array, or what makes each of them when it is asked for. */
export interface WalOperations extends Iterable<WalOperation> {
  readonly length: number;
}

export type WalPayload =
  | WalOperation
  | { readonly type: "noop" }
  | { readonly type: "batch"; readonly operations: WalOperations };

export interface WalRecord {
  readonly lsn: Lsn;
  /** Of the record's first operation. */
  readonly sequence: SequenceNumber;
  readonly payload: WalPayload;
}

/** The largest payload that a default configuration writes. */
export const DEFAULT_MAX_PAYLOAD_BYTES = DEFAULT_MAX_RECORD_BYTES - WAL_HEADER_LENGTH;

/** What a payload does to keys, in order. */
export function operationsOf(payload: WalPayload): WalOperations {
  if (payload.type === "batch") return payload.operations;
  return payload.type === "noop" ? [] : [payload];
}

/** How many sequence numbers a record takes: one, or one an operation. */
export function operationCount(payload: WalPayload): number {
  return payload.type === "batch" ? payload.operations.length : 1;
}
