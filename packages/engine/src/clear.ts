import { WAL_HEADER_LENGTH, type WalOperation, type WalPayload, type WalRecord } from "@kaya/wal";
import { compareBytes } from "./memtable/bytes.js";
import type { KeyRange, MemtableView } from "./memtable/memtable.js";
import { isInRange } from "./range.js";

type Delete = Extract<WalOperation, { type: "delete" }>;

/**
 * The keys of a range as they will be once all that is queued is applied: what the memtable has, and what writes under
 * way add to it or take from it. A clear that looked at the memtable alone would leave out the puts ahead of it.
 */
export function keysToClear(view: MemtableView, pending: Iterable<WalRecord>, range: KeyRange): Uint8Array[] {
  const { reverse = false, limit = Number.POSITIVE_INFINITY, ...bounds } = range;
  const keys = new KeySet();
  for (const entry of view.entries(bounds)) keys.add(entry.key);
  for (const { payload } of pending) {
    const operations =
      payload.type === "batch" ? payload.operations : payload.type === "noop" ? [] : [payload];
    for (const operation of operations) {
      if (!isInRange(operation.key, bounds)) continue;
      if (operation.type === "put") keys.add(operation.key);
      else keys.delete(operation.key);
    }
  }
  const sorted = keys.sorted();
  if (reverse) sorted.reverse();
  return sorted.slice(0, limit);
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

class KeySet {
  readonly #keys = new Map<string, Uint8Array>();

  add(key: Uint8Array): void {
    this.#keys.set(nameOf(key), key);
  }

  delete(key: Uint8Array): void {
    this.#keys.delete(nameOf(key));
  }

  sorted(): Uint8Array[] {
    return [...this.#keys.values()].sort(compareBytes);
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
