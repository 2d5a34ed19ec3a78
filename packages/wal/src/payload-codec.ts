import { checkBytes, describe, isBytes, KayaError } from "@kaya/core";
import { EncodedOperations } from "./batch-operations.js";
import { copyInto } from "./copy-into.js";
import { BATCH_OP, type WalOperations, type WalPayload, WalRecordType } from "./format.js";

const U32_MAX = 0xffffffff;
/** Operations of a decoded batch that are an array; more of them are made when they are asked for. */
const MADE_AT_ONCE = 128;

/** What a decoder takes out of the bytes it is given: copies for a caller to keep, or views. */
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
      return WalRecordType.Put;
    case "delete":
      return WalRecordType.Delete;
    case "noop":
      return WalRecordType.Noop;
    case "batch":
      return WalRecordType.Batch;
  }
}

/** The same payload, its fields read once: a getter may answer differently the second time. What it is shows in `payloadLength`. */
export function ownPayload(payload: WalPayload): WalPayload {
  switch (payload?.type) {
    case "put":
      return { type: "put", key: payload.key, value: payload.value };
    case "delete":
      return { type: "delete", key: payload.key };
    case "batch":
      return { type: "batch", operations: payload.operations };
    default:
      return payload;
  }
}

/**
 * Bytes that a payload takes. Checks what a caller without types could get wrong, so that nothing half-encoded is
 * ever left behind.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function payloadLength(payload: WalPayload): number {
  switch (payload?.type) {
    case "put":
      return 8 + bytesLength(payload.key, "key") + bytesLength(payload.value, "value");
    case "delete":
      return 4 + bytesLength(payload.key, "key");
    case "noop":
      return 0;
    case "batch":
      return batchLength(payload.operations);
    default:
      throw invalid(`a payload is a put, a delete, a noop or a batch, not ${describe(payload)}`);
  }
}

function batchLength(operations: WalOperations): number {
  const isList = Array.isArray(operations) || operations instanceof EncodedOperations;
  if (!isList || operations.length === 0) {
    throw invalid("a batch needs an array of at least one operation");
  }
  if (operations instanceof EncodedOperations) return 4 + operations.bytes.length;
  let length = 4;
  for (const operation of operations) {
    if (operation?.type !== "put" && operation?.type !== "delete") {
      throw invalid(
        `an operation of a batch is a put or a delete, not ${describe(operation?.type ?? operation)}`,
      );
    }
    length += 5 + bytesLength(operation.key, "key");
    if (operation.type === "put") length += 4 + bytesLength(operation.value, "value");
  }
  return length;
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
 * Arrays over shared or resizable memory may have another length by now than they were measured with. Each length is read once, and
 * what an array has more by the time it is copied is written over, or stands behind the end.
 * @returns where it ends: somewhere else than measured where a length changed
 */
export function writePayload(target: Uint8Array, view: DataView, at: number, payload: WalPayload): number {
  switch (payload.type) {
    case "put": {
      const keyLength = payload.key.length;
      const valueLength = payload.value.length;
      view.setUint32(at, keyLength, true);
      view.setUint32(at + 4, valueLength, true);
      target.set(payload.key, at + 8);
      target.set(payload.value, at + 8 + keyLength);
      return at + 8 + keyLength + valueLength;
    }
    case "delete": {
      const { length } = payload.key;
      view.setUint32(at, length, true);
      target.set(payload.key, at + 4);
      return at + 4 + length;
    }
    case "noop":
      return at;
    case "batch":
      return writeBatch(target, view, at, payload.operations);
  }
}

function writeBatch(target: Uint8Array, view: DataView, at: number, operations: WalOperations): number {
  view.setUint32(at, operations.length, true);
  let position = at + 4;
  if (operations instanceof EncodedOperations) {
    target.set(operations.bytes, position);
    return position + operations.bytes.length;
  }
  for (const operation of operations) {
    const isPut = operation.type === "put";
    const keyLength = operation.key.length;
    const valueLength = isPut ? operation.value.length : 0;
    target[position] = BATCH_OP[operation.type];
    view.setUint32(position + 1, keyLength, true);
    position += 5;
    if (isPut) {
      view.setUint32(position, valueLength, true);
      position += 4;
    }
    copyInto(target, position, operation.key);
    position += keyLength;
    if (isPut) {
      copyInto(target, position, operation.value);
      position += valueLength;
    }
  }
  return position;
}

/** The payload in `input[start, end)`, or what is wrong with its shape. Trusts no length before it is checked. */
export function readPayload(
  type: WalRecordType,
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  switch (type) {
    case WalRecordType.Put:
      return readPut(input, view, start, end, take);
    case WalRecordType.Delete:
      return readDelete(input, view, start, end, take);
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

function readBatch(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  take: TakeBytes,
): WalPayload | string {
  if (end - start < 4) return `a BATCH payload of ${end - start} bytes has no room for its count`;
  const count = view.getUint32(start, true);
  if (count === 0) return "a BATCH has at least one operation, this one has none";
  const wrong = checkOperations(input, view, start + 4, end, count);
  if (wrong !== undefined) return wrong;
  const operations = new EncodedOperations(take(input, start + 4, end), count);
  // Made once and not each time they are looked at, as long as that costs little.
  return { type: "batch", operations: count <= MADE_AT_ONCE ? [...operations] : operations };
}

function checkOperations(
  input: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  count: number,
): string | undefined {
  let position = start;
  for (let i = 0; i < count; i++) {
    const isPut = input[position] === BATCH_OP.put;
    const lengths = isPut ? 9 : 5;
    if (position + lengths > end)
      return `BATCH operation ${i} of ${count} begins too near to the payload's end`;
    if (!isPut && input[position] !== BATCH_OP.delete) {
      return `BATCH operation ${i} of ${count} has the unknown code ${input[position]}`;
    }
    const keyEnd = position + lengths + view.getUint32(position + 1, true);
    const stop = isPut ? keyEnd + view.getUint32(position + 5, true) : keyEnd;
    if (stop > end) return `BATCH operation ${i} of ${count} is longer than what is left of the payload`;
    position = stop;
  }
  return position === end ? undefined : `${end - position} bytes follow the last operation of a BATCH`;
}
