import {
  operationsOf,
  WAL_HEADER_LENGTH,
  type WalOperation,
  type WalPayload,
  type WalRecord,
} from "@kaya/wal";
import { compareBytes } from "./memtable/bytes.js";
import type { KeyRange, Memtable } from "./memtable/memtable.js";
import { isInRange } from "./range.js";

type Delete = Extract<WalOperation, { type: "delete" }>;

/**
 * The keys of a range as they will be once all that is queued is applied: what the memtable has, and what writes under
 * way add to it or take from it. A clear that looked at the memtable alone would leave out the puts ahead of it.
 */
export function keysToClear(memtable: Memtable, pending: Iterable<WalRecord>, range: KeyRange): Uint8Array[] {
  const { reverse = false, limit = Number.POSITIVE_INFINITY, ...bounds } = range;
  const changes = pendingChanges(pending, bounds);
  const keys: Uint8Array[] = [];
  for (const key of keysOf(memtable, bounds)) {
    if (changes.size === 0 || !changes.has(nameOf(key))) keys.push(key);
  }
  for (const { key, isThere } of changes.values()) if (isThere) keys.push(key);
  if (changes.size > 0) keys.sort(compareBytes);
  if (reverse) keys.reverse();
  return keys.slice(0, limit);
}

function keysOf(memtable: Memtable, bounds: KeyRange): Uint8Array[] {
  const now = memtable.snapshot();
  try {
    return now.entries(bounds).readKeys(Number.POSITIVE_INFINITY);
  } finally {
    now.release();
  }
}

/** What writes under way leave of each key in the range that they touch. */
function pendingChanges(
  pending: Iterable<WalRecord>,
  bounds: KeyRange,
): Map<string, { key: Uint8Array; isThere: boolean }> {
  const changes = new Map<string, { key: Uint8Array; isThere: boolean }>();
  for (const { payload } of pending) {
    for (const { type, key } of operationsOf(payload)) {
      if (isInRange(key, bounds)) changes.set(nameOf(key), { key, isThere: type === "put" });
    }
  }
  return changes;
}

/** Deletes in as few records as fit: a range that fits one is cleared all or nothing. Of no keys it is one empty record. */
export function toDeletePayloads(keys: readonly Uint8Array[], maxRecordBytes: number): WalPayload[] {
  const batches: Delete[][] = [[]];
  const roomOfBatch = maxRecordBytes - WAL_HEADER_LENGTH - 4;
  let room = roomOfBatch;
  for (const key of keys) {
    const needed = 5 + key.length;
    if (needed > room && batches.at(-1)?.length !== 0) {
      batches.push([]);
      room = roomOfBatch;
    }
    batches.at(-1)?.push({ type: "delete", key });
    room -= needed;
  }
  return batches.map(toPayload);
}

// A key that fits a put may fit a delete and yet no batch around it.
function toPayload(deletes: readonly Delete[]): WalPayload {
  const [first, second] = deletes;
  if (first === undefined) return { type: "noop" };
  return second === undefined ? first : { type: "batch", operations: deletes };
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
