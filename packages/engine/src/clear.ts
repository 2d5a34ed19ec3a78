import {
  OperationsBuffer,
  operationsOf,
  type RangeDelete,
  WAL_HEADER_LENGTH,
  type WalPayload,
  type WalRecord,
} from "@kaya/wal";
import { compareBytes } from "./memtable/bytes.js";
import type { KeyRange, Memtable } from "./memtable/memtable.js";
import { isInRange } from "./range.js";

/**
 * Deletes the keys of a range as they will be once all that is queued is applied: what the memtable has, and what writes under
 * way add to it or take from it. A clear that looked at the memtable alone would leave out the puts ahead of it. No object is made for a key of
 * the memtable.
 */
export function deletesOf(
  memtable: Memtable,
  pending: Iterable<WalRecord>,
  range: KeyRange,
  maxRecordBytes: number,
): readonly WalPayload[] {
  const changes = pendingChanges(pending, range);
  const deletes = new Deletes(maxRecordBytes);
  if (changes.ofKeys.length > 0 || changes.ofRanges.length > 0) mergeKeys(memtable, changes, range, deletes);
  else
    visitKeys(memtable, range, (bytes, start, end) => {
      deletes.add(bytes, start, end);
      return true;
    });
  return deletes.finish();
}

/** In the range's order: the changes take the place of what the memtable has of their keys, and ranges take those away. */
function mergeKeys(
  memtable: Memtable,
  { ofKeys: changes, ofRanges }: PendingChanges,
  range: KeyRange,
  deletes: Deletes,
): void {
  const { limit = Number.POSITIVE_INFINITY, ...unlimited } = range;
  const direction = range.reverse === true ? -1 : 1;
  let left = limit;
  let next = 0;
  const add = (bytes: Uint8Array, start = 0, end = bytes.length) => {
    if (left-- > 0) deletes.add(bytes, start, end);
  };
  visitKeys(memtable, unlimited, (bytes, start, end) => {
    const key = bytes.subarray(start, end);
    for (; next < changes.length; next++) {
      const change = changes[next] as PendingChange;
      const order = direction * compareBytes(change.key, key);
      if (order > 0) break;
      if (change.isThere) add(change.key);
      if (order < 0) continue;
      next++;
      return left > 0;
    }
    if (!isDeleted(key, ofRanges)) add(bytes, start, end);
    return left > 0;
  });
  for (; next < changes.length; next++) {
    const change = changes[next] as PendingChange;
    if (change.isThere) add(change.key);
  }
}

/** @param visit false ends it early, after some more keys perhaps */
function visitKeys(
  memtable: Memtable,
  range: KeyRange,
  visit: (bytes: Uint8Array, start: number, end: number) => boolean,
): void {
  const now = memtable.snapshot();
  try {
    const reader = now.entries(range);
    let goesOn = true;
    while (goesOn) {
      const count = reader.lendKeys(Number.POSITIVE_INFINITY, (bytes, start, end) => {
        goesOn = visit(bytes, start, end);
      });
      goesOn &&= count > 0;
    }
  } finally {
    now.release();
  }
}

interface PendingChange {
  readonly key: Uint8Array;
  readonly isThere: boolean;
}

interface PendingChanges {
  /** What becomes of each key in the range that is written to by itself, in the range's order. */
  readonly ofKeys: readonly PendingChange[];
  readonly ofRanges: readonly RangeDelete[];
}

/** What writes under way do to the keys of a range. */
function pendingChanges(pending: Iterable<WalRecord>, range: KeyRange): PendingChanges {
  const changes = new Map<string, PendingChange>();
  const ofRanges: RangeDelete[] = [];
  for (const { payload } of pending) {
    for (const operation of operationsOf(payload)) {
      if (operation.type === "deleteRange") {
        ofRanges.push(operation);
        for (const [name, { key }] of changes)
          if (isDeleted(key, [operation])) changes.set(name, { key, isThere: false });
      } else if (isInRange(operation.key, range)) {
        const { type, key } = operation;
        changes.set(nameOf(key), { key, isThere: type === "put" });
      }
    }
  }
  const sorted = [...changes.values()].sort((a, b) => compareBytes(a.key, b.key));
  return { ofKeys: range.reverse === true ? sorted.reverse() : sorted, ofRanges };
}

function isDeleted(key: Uint8Array, ranges: readonly RangeDelete[]): boolean {
  return ranges.some(
    ({ start, end }) => compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0),
  );
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
