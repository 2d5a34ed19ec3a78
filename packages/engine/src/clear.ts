import {
  OperationsBuffer,
  operationsOf,
  WAL_HEADER_LENGTH,
  type WalPayload,
  type WalRecord,
} from "@kaya/wal";
import { compareBytes } from "./memtable/bytes.js";
import type { KeyRange, Memtable } from "./memtable/memtable.js";
import { isInRange } from "./range.js";

/**
 * Deletes the keys of a range as they will be once all that is queued is applied: what the memtable has, and what writes under
 * way add to it or take from it. A clear that looked at the memtable alone would leave out the puts ahead of it.
 */
export function deletesOf(
  memtable: Memtable,
  pending: Iterable<WalRecord>,
  range: KeyRange,
  maxRecordBytes: number,
): readonly WalPayload[] {
  const { reverse = false, limit, ...bounds } = range;
  const changes = pendingChanges(pending, bounds);
  const deletes = new Deletes(maxRecordBytes);
  // No object a key where none is needed to put them in order.
  if (changes.size === 0 && !reverse && limit === undefined)
    visitKeys(memtable, bounds, (bytes, start, end) => deletes.add(bytes, start, end));
  else for (const key of keysToClear(memtable, changes, range)) deletes.add(key);
  return deletes.finish();
}

function keysToClear(memtable: Memtable, changes: PendingChanges, range: KeyRange): Uint8Array[] {
  const { reverse = false, limit = Number.POSITIVE_INFINITY, ...bounds } = range;
  const keys: Uint8Array[] = [];
  visitKeys(memtable, bounds, (bytes, start, end) => {
    const key = bytes.slice(start, end);
    if (changes.size === 0 || !changes.has(nameOf(key))) keys.push(key);
  });
  for (const { key, isThere } of changes.values()) if (isThere) keys.push(key);
  if (changes.size > 0) keys.sort(compareBytes);
  if (reverse) keys.reverse();
  return keys.slice(0, limit);
}

function visitKeys(
  memtable: Memtable,
  bounds: KeyRange,
  visit: (bytes: Uint8Array, start: number, end: number) => void,
): void {
  const now = memtable.snapshot();
  try {
    const reader = now.entries(bounds);
    while (reader.lendKeys(Number.POSITIVE_INFINITY, visit) > 0);
  } finally {
    now.release();
  }
}

type PendingChanges = ReadonlyMap<string, { readonly key: Uint8Array; readonly isThere: boolean }>;

/** What writes under way leave of each key in the range that they touch. */
function pendingChanges(pending: Iterable<WalRecord>, bounds: KeyRange): PendingChanges {
  const changes = new Map<string, { key: Uint8Array; isThere: boolean }>();
  for (const { payload } of pending) {
    for (const { type, key } of operationsOf(payload)) {
      if (isInRange(key, bounds)) changes.set(nameOf(key), { key, isThere: type === "put" });
    }
  }
  return changes;
}

/** Deletes in as few records as fit: a range that fits one is cleared all or nothing. Of no keys it is one empty record. */
class Deletes {
  readonly #roomOfBatch: number;
  readonly #payloads: WalPayload[] = [];
  readonly #batch = new OperationsBuffer();

  constructor(maxRecordBytes: number) {
    this.#roomOfBatch = maxRecordBytes - WAL_HEADER_LENGTH - 4;
  }

  /** The key stands in `bytes`, which are read at once. */
  add(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (this.#batch.count > 0 && this.#batch.length + 5 + end - start > this.#roomOfBatch) this.#end();
    this.#batch.delete(bytes, start, end);
  }

  finish(): readonly WalPayload[] {
    if (this.#batch.count > 0) this.#end();
    return this.#payloads.length > 0 ? this.#payloads : [{ type: "noop" }];
  }

  #end(): void {
    const operations = this.#batch.take();
    // A key that fits a put may fit a delete and yet no batch around it.
    const [first] = operations.length === 1 ? operations : [];
    this.#payloads.push(first ?? { type: "batch", operations });
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
