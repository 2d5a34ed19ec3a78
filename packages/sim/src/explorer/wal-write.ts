import type { DurabilityMode } from "@kaya/core";
import type { WalOperation, WalPayload, WalRecord } from "@kaya/wal";

/** One append of a workload. */
export interface WalWrite {
  readonly payload: WalPayload;
  readonly mode: DurabilityMode;
}

export const put = (key: string, value: string | Uint8Array = `value of ${key}`): WalOperation => ({
  type: "put",
  key: Buffer.from(key),
  value: typeof value === "string" ? Buffer.from(value) : value,
});
export const del = (key: string): WalOperation => ({ type: "delete", key: Buffer.from(key) });
export const delRange = (start: string, end?: string): WalOperation => ({
  type: "deleteRange",
  start: Buffer.from(start),
  end: end === undefined ? undefined : Buffer.from(end),
});
export const batch = (...operations: WalOperation[]): WalPayload => ({ type: "batch", operations });
export const noop: WalPayload = { type: "noop" };

/** A value of so many bytes, of which no two sectors are alike. */
export function value(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index ^ (index >> 7));
}

export function samePayload(a: WalPayload, b: WalPayload): boolean {
  if (a.type === "noop" || b.type === "noop") return a.type === b.type;
  if (a.type !== "batch" && b.type !== "batch") return sameOperation(a, b);
  if (a.type !== "batch" || b.type !== "batch" || a.operations.length !== b.operations.length) return false;
  const others = [...b.operations];
  return [...a.operations].every((operation, index) => {
    const other = others[index];
    return other !== undefined && sameOperation(operation, other);
  });
}

export function describeWrite(write: WalWrite | WalRecord): string {
  const place = "lsn" in write ? `lsn ${write.lsn}, sequence ${write.sequence}` : write.mode;
  return `${describePayload(write.payload)} (${place})`;
}

function sameOperation(a: WalOperation, b: WalOperation): boolean {
  if (a.type === "deleteRange") {
    if (b.type !== "deleteRange" || !sameBytes(a.start, b.start)) return false;
    return a.end === undefined || b.end === undefined ? a.end === b.end : sameBytes(a.end, b.end);
  }
  if (a.type === "delete") return b.type === "delete" && sameBytes(a.key, b.key);
  return b.type === "put" && sameBytes(a.key, b.key) && sameBytes(a.value, b.value);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function describePayload(payload: WalPayload): string {
  if (payload.type === "noop") return "noop";
  if (payload.type === "batch") return `batch[${[...payload.operations].map(describePayload).join(", ")}]`;
  if (payload.type === "deleteRange") {
    const end = payload.end === undefined ? "on" : `to ${Buffer.from(payload.end)}`;
    return `delete from ${Buffer.from(payload.start)} ${end}`;
  }
  const key = Buffer.from(payload.key).toString();
  return payload.type === "put" ? `put ${key} of ${payload.value.length} bytes` : `delete ${key}`;
}
