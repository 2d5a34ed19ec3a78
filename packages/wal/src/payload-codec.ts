import { checkBytes, describe, isBytes, KayaError } from "@kaya/core";
import { EncodedOperations } from "./batch-operations.js";
import { copyInto } from "./copy-into.js";
import {
  BATCH_OP,
  type RangeDelete,
  type WalOperation,
  type WalOperations,
  type WalPayload,
  WalRecordType,
} from "./format.js";
import { isExtent } from "./key-extent.js";
import { readU64, writeU64 } from "./u64.js";

type PutOperation = Extract<WalOperation, { readonly type: "put" }>;

const U32_MAX = 0xffffffff;
/** Of `expires_at`. */
const EXPIRY_BYTES = 8;
const NO_BYTES = new Uint8Array(0);
/** Up to so many operations of a decoded batch are an array; more are made on demand. */
const MADE_AT_ONCE = 128;

/** How a decoder takes keys and values out of its input: as copies or as views. */
export type TakeBytes = (input: Uint8Array, start: number, end: number) => Uint8Array;

export const takeView: TakeBytes = (input, start, end) => input.subarray(start, end);

export const takeCopy: TakeBytes = (input, start, end) => {
  const copy = new Uint8Array(end - start);
  copy.set(input.subarray(start, end));
  return copy;
};

export function recordTypeOf(payload: WalPayload): WalRecordType {
  switch (payload.type) {
    case "put":
      return payload.expiresAt === undefined ? WalRecordType.Put : WalRecordType.PutExpiring;
    case "delete":
      return WalRecordType.Delete;
    case "deleteRange":
      return WalRecordType.DeleteRange;
    case "noop":
      return WalRecordType.Noop;
    case "batch":
      return WalRecordType.Batch;
  }
}

/** The same payload, its fields read once: a getter may answer differently the second time. `payloadLength` checks it. */
export function ownPayload(payload: WalPayload): WalPayload {
  switch (payload?.type) {
    case "put": {
      const { key, value, expiresAt } = payload;
      return expiresAt === undefined ? { type: "put", key, value } : { type: "put", key, value, expiresAt };
    }
    case "delete":
      return { type: "delete", key: payload.key };
    case "deleteRange":
      return ownRange(payload);
    case "batch":
      return { type: "batch", operations: payload.operations };
    default:
      return payload;
  }
}

/** Ignores the prototype: a missing or misspelt `end` must not delete everything. */
function ownRange(range: RangeDelete): RangeDelete {
  if (!Object.hasOwn(range, "end")) {
    throw invalid("a deleteRange has an `end`: undefined where it has no upper bound");
  }
  return { type: "deleteRange", start: range.start, end: range.end };
}

/**
 * Bytes of an encoded payload. Checks everything that a caller without types could get wrong, so that nothing stays half encoded.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function payloadLength(payload: WalPayload): number {
  switch (payload?.type) {
    case "put":
      return 8 + expiryLength(payload.expiresAt) + pairLength(payload.key, payload.value);
    case "delete":
      return 4 + bytesLength(payload.key, "key");
    case "deleteRange":
      return 8 + extentLength(payload.start, payload.end);
    case "noop":
      return 0;
    case "batch":
      return batchLength(payload.operations);
    default:
      throw invalid(
        `a payload is a put, a delete, a deleteRange, a noop or a batch, not ${describe(payload)}`,
      );
  }
}

function batchLength(operations: WalOperations): number {
  const isList = Array.isArray(operations) || operations instanceof EncodedOperations;
  if (!isList || operations.length === 0) {
    throw invalid("a batch needs an array of at least one operation");
  }
  if (operations instanceof EncodedOperations) return 4 + operations.bytes.length;
  let length = 4;
  for (const operation of operations) length += operationLength(operation);
  return length;
}

function operationLength(operation: WalOperation): number {
  switch (operation?.type) {
    case "put":
      return 9 + expiryLength(operation.expiresAt) + pairLength(operation.key, operation.value);
    case "delete":
      return 5 + bytesLength(operation.key, "key");
    case "deleteRange": {
      const { start, end } = ownRange(operation);
      return 9 + extentLength(start, end);
    }
    default: {
      const found = (operation as WalOperation | undefined)?.type ?? operation;
      throw invalid(`an operation of a batch is a put, a delete or a deleteRange, not ${describe(found)}`);
    }
  }
}

function pairLength(key: Uint8Array, value: Uint8Array): number {
  return bytesLength(key, "key") + bytesLength(value, "value");
}

/** Additional bytes of a put that expires. */
export function expiryLength(expiresAt: number | undefined): number {
  if (expiresAt === undefined) return 0;
  if (isTime(expiresAt)) return EXPIRY_BYTES;
  throw invalid(
    `expiresAt must be a whole number of milliseconds since 1970, from 1 to 2^53 - 1, not ${describe(expiresAt)}`,
  );
}

function isTime(expiresAt: number): boolean {
  return Number.isSafeInteger(expiresAt) && expiresAt >= 1;
}

function extentLength(start: Uint8Array, end: Uint8Array | undefined): number {
  const length = bytesLength(start, "start") + (end === undefined ? 0 : bytesLength(end, "end"));
  checkExtent(start, end);
  return length;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT where no key can be in the range from `start` up to, but without, `end` */
export function checkExtent(start: Uint8Array, end: Uint8Array | undefined): void {
  if (isExtent(start, end)) return;
  throw invalid("the start of a deleteRange must be less than its end: no key is in this range");
}

function bytesLength(bytes: Uint8Array, what: string): number {
  if (!isBytes(bytes)) throw invalid(`a ${what} must be a Uint8Array, not ${describe(bytes)}`);
  const { length } = bytes;
  if (length === 0) checkBytes(bytes, `a ${what}`);
  if (length > U32_MAX) throw invalid(`a ${what} of ${length} bytes does not fit the format`);
  return length;
}

function invalid(message: string): KayaError {
  return new KayaError("KAYA_INVALID_ARGUMENT", message);
}

/**
 * Writes the payload at `at`; there must be room for `payloadLength` bytes.
 *
 * Arrays over shared or resizable memory may have another length now than when they were measured. Each length is read once; bytes of a
 * longer array are overwritten, or follow the end.
 * @returns where it ends: not where measured if a length changed
 */
export function writePayload(target: Uint8Array, view: DataView, at: number, payload: WalPayload): number {
  switch (payload.type) {
    case "put":
      return writePut(target, view, at, payload, payload.expiresAt);
    case "deleteRange":
      return writeRange(target, view, at, payload);
    case "delete": {
      const { length } = payload.key;
      view.setUint32(at, length, true);
      copyInto(target, at + 4, payload.key);
      return at + 4 + length;
    }
    case "noop":
      return at;
    case "batch":
      return writeBatch(target, view, at, payload.operations);
  }
}

/** `writePayload` for a put whose value will follow the written bytes. */
export function writePutWithout(
  target: Uint8Array,
  view: DataView,
  at: number,
  payload: WalPayload,
  value: Uint8Array,
): number {
  if (payload.type !== "put") throw invalid("only the value of a put stands apart");
  const { key, expiresAt } = payload;
  const { length } = key;
  view.setUint32(at, length, true);
  view.setUint32(at + 4, value.length, true);
  const keyAt = at + 8 + writeExpiry(view, at + 8, expiresAt);
  copyInto(target, keyAt, key);
  return keyAt + length;
}

/** The put whose lengths and key stand in `input[start, end)`, without checks. */
export function readPutWithout(
  type: WalRecordType,
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  value: Uint8Array,
): WalPayload {
  if (type !== WalRecordType.PutExpiring)
    return { type: "put", key: input.subarray(start + 8, end), value, ownsValue: true };
  const key = input.subarray(start + 8 + EXPIRY_BYTES, end);
  return { type: "put", key, value, expiresAt: readU64(view, start + 8), ownsValue: true };
}

/** Writes the time before the key of a put that expires. @returns its length: 0 where it does not */
function writeExpiry(view: DataView, at: number, expiresAt: number | undefined): number {
  // Checked again: an operation of a batch may answer differently than when it was measured.
  const length = expiryLength(expiresAt);
  if (expiresAt !== undefined) writeU64(view, at, expiresAt);
  return length;
}

function writePut(
  target: Uint8Array,
  view: DataView,
  at: number,
  { key, value }: PutOperation,
  expiresAt: number | undefined,
): number {
  if (expiresAt === undefined) return writePair(target, view, at, key, value);
  const [keyLength, valueLength] = [key.length, value.length];
  view.setUint32(at, keyLength, true);
  view.setUint32(at + 4, valueLength, true);
  const keyAt = at + 8 + writeExpiry(view, at + 8, expiresAt);
  copyInto(target, keyAt, key);
  copyInto(target, keyAt + keyLength, value);
  return keyAt + keyLength + valueLength;
}

/** Both lengths, then both. */
function writePair(
  target: Uint8Array,
  view: DataView,
  at: number,
  first: Uint8Array,
  second: Uint8Array,
): number {
  const firstLength = first.length;
  const secondLength = second.length;
  view.setUint32(at, firstLength, true);
  view.setUint32(at + 4, secondLength, true);
  copyInto(target, at + 8, first);
  copyInto(target, at + 8 + firstLength, second);
  return at + 8 + firstLength + secondLength;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT if the copied bytes are no range: another thread changed them after the check */
function writeRange(target: Uint8Array, view: DataView, at: number, { start, end }: RangeDelete): number {
  const stop = writePair(target, view, at, start, end ?? NO_BYTES);
  const startAt = at + 8;
  if (isOrdered(target, startAt, startAt + view.getUint32(at, true), stop)) return stop;
  throw invalid(
    "a deleteRange was another one when it was copied: another thread changes its memory. Give a copy",
  );
}

function writeBatch(target: Uint8Array, view: DataView, at: number, operations: WalOperations): number {
  view.setUint32(at, operations.length, true);
  let position = at + 4;
  if (operations instanceof EncodedOperations) {
    target.set(operations.bytes, position);
    return position + operations.bytes.length;
  }
  for (const operation of operations) {
    // Once: see `writeExpiry`.
    const expiresAt = operation.type === "put" ? operation.expiresAt : undefined;
    target[position] = expiresAt === undefined ? BATCH_OP[operation.type] : BATCH_OP.putExpiring;
    if (operation.type === "delete") {
      const { length } = operation.key;
      view.setUint32(position + 1, length, true);
      copyInto(target, position + 5, operation.key);
      position += 5 + length;
    } else if (operation.type === "put") {
      position = writePut(target, view, position + 1, operation, expiresAt);
    } else {
      position = writeRange(target, view, position + 1, operation);
    }
  }
  return position;
}

/** Why a payload cannot be read: a text about its shape, or the code of an unknown operation. */
export type PayloadFault = string | number;

/** The payload in `input[start, end)`, or why it cannot be read. Trusts no length before it is checked. */
export function readPayload(
  type: WalRecordType,
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | PayloadFault {
  switch (type) {
    case WalRecordType.Put:
      return readPut(input, view, start, end, take);
    case WalRecordType.PutExpiring:
      return readPutExpiring(input, view, start, end, take);
    case WalRecordType.Delete:
      return readDelete(input, view, start, end, take);
    case WalRecordType.DeleteRange:
      return readDeleteRange(input, view, start, end, take);
    case WalRecordType.Noop:
      return end === start ? { type: "noop" } : `a NOOP has no payload, this one has ${end - start} bytes`;
    case WalRecordType.Batch:
      return readBatch(input, view, start, end, take);
  }
}

function readPut(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  if (end - start < 8) return `a PUT payload of ${end - start} bytes has no room for its lengths`;
  const keyStart = start + 8;
  const valueStart = keyStart + view.getUint32(start, true);
  const stop = valueStart + view.getUint32(start + 4, true);
  if (stop !== end) return `a PUT payload of ${end - start} bytes says that it has ${stop - start}`;
  return { type: "put", key: take(input, keyStart, valueStart), value: take(input, valueStart, end) };
}

function readPutExpiring(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  const keyStart = start + 8 + EXPIRY_BYTES;
  if (keyStart > end) return `a PUT_EXPIRING payload of ${end - start} bytes has no room for its numbers`;
  const valueStart = keyStart + view.getUint32(start, true);
  const stop = valueStart + view.getUint32(start + 4, true);
  if (stop !== end) return `a PUT_EXPIRING payload of ${end - start} bytes says that it has ${stop - start}`;
  const expiresAt = readU64(view, start + 8);
  if (!isTime(expiresAt)) return "a PUT_EXPIRING expires at no time from 1 to 2^53 - 1";
  const key = take(input, keyStart, valueStart);
  return { type: "put", key, value: take(input, valueStart, end), expiresAt };
}

function readDelete(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  if (end - start < 4) return `a DELETE payload of ${end - start} bytes has no room for its length`;
  const stop = start + 4 + view.getUint32(start, true);
  if (stop !== end) return `a DELETE payload of ${end - start} bytes says that it has ${stop - start}`;
  return { type: "delete", key: take(input, start + 4, end) };
}

function readDeleteRange(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  if (end - start < 8) return `a DELETE_RANGE payload of ${end - start} bytes has no room for its lengths`;
  const endStart = start + 8 + view.getUint32(start, true);
  const stop = endStart + view.getUint32(start + 4, true);
  if (stop !== end) return `a DELETE_RANGE payload of ${end - start} bytes says that it has ${stop - start}`;
  if (!isOrdered(input, start + 8, endStart, stop))
    return "the range of a DELETE_RANGE ends before it begins";
  const bound = endStart === stop ? undefined : take(input, endStart, stop);
  return { type: "deleteRange", start: take(input, start + 8, endStart), end: bound };
}

/** Whether a range, its end right behind its start, can hold a key. An empty end is no upper bound. */
function isOrdered(input: Uint8Array, startAt: number, endAt: number, stop: number): boolean {
  return endAt === stop || isExtent(input.subarray(startAt, endAt), input.subarray(endAt, stop));
}

/** The batch in `input[start, end)`, without checks: this process encoded it. */
export function readOwnBatch(input: Uint8Array, view: DataView, start: number, end: number): WalPayload {
  return {
    type: "batch",
    operations: new EncodedOperations(input.subarray(start + 4, end), view.getUint32(start, true)),
  };
}

function readBatch(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | PayloadFault {
  if (end - start < 4) return `a BATCH payload of ${end - start} bytes has no room for its count`;
  const count = view.getUint32(start, true);
  if (count === 0) return "a BATCH has at least one operation, this one has none";
  const wrong = checkOperations(input, view, start + 4, end, count);
  if (wrong !== undefined) return wrong;
  const operations = new EncodedOperations(take(input, start + 4, end), count);
  // A short list is made once, not on each access.
  return { type: "batch", operations: count <= MADE_AT_ONCE ? [...operations] : operations };
}

function checkOperations(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  count: number,
): PayloadFault | undefined {
  let position = start;
  for (let i = 0; i < count; i++) {
    const code = input[position] as number;
    const isDelete = code === BATCH_OP.delete;
    const isExpiring = code === BATCH_OP.putExpiring;
    const lengths = isDelete ? 5 : isExpiring ? 9 + EXPIRY_BYTES : 9;
    if (position < end && !isOperation(code)) return code;
    if (position + lengths > end)
      return `BATCH operation ${i} of ${count} begins too near to the payload's end`;
    const keyStart = position + lengths;
    const keyEnd = keyStart + view.getUint32(position + 1, true);
    const stop = isDelete ? keyEnd : keyEnd + view.getUint32(position + 5, true);
    if (stop > end) return `BATCH operation ${i} of ${count} is longer than what is left of the payload`;
    if (isExpiring && !isTime(readU64(view, position + 9)))
      return `BATCH operation ${i} of ${count} expires at no time from 1 to 2^53 - 1`;
    if (code === BATCH_OP.deleteRange && !isOrdered(input, keyStart, keyEnd, stop))
      return `the range of BATCH operation ${i} of ${count} ends before it begins`;
    position = stop;
  }
  return position === end ? undefined : `${end - position} bytes follow the last operation of a BATCH`;
}

function isOperation(code: number): boolean {
  return code >= BATCH_OP.put && code <= BATCH_OP.putExpiring;
}
