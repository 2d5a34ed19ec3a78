import type { SequenceNumber } from "@kaya/core";
import { type Extent, isBefore, overlap } from "@kaya/lsm";
import type { WalOperation } from "@kaya/wal";
import { copyBytes } from "../memtable/bytes.js";
import type { Memtable } from "../memtable/memtable.js";
import { isInExtent, later } from "../range.js";

/** A key that was changed, and the write that did it. */
export interface Changed {
  readonly key: Uint8Array;
  /** Undefined where only tables could tell. */
  readonly sequence: SequenceNumber | undefined;
}

/** Whether a memtable has a change to a key with a sequence above `above`; the deletion of a range counts. */
export function changedKey(memtable: Memtable, key: Uint8Array, above: SequenceNumber): Changed | undefined {
  if ((memtable.lastSequence ?? 0) <= above) return undefined;
  const sequence = memtable.stateOf(key)?.sequence ?? 0;
  return sequence > above ? { key, sequence } : undefined;
}

/** The same for the keys of a range: the first that was changed, or where a range begins that was deleted. */
export function changedIn(memtable: Memtable, extent: Extent, above: SequenceNumber): Changed | undefined {
  if ((memtable.lastSequence ?? 0) <= above) return undefined;
  const snapshot = memtable.snapshot();
  const { cursor, list } = snapshot.run();
  try {
    if (list.newest > above) {
      const piece = list.pieces.find((each) => each.sequence > above && overlap(each, extent));
      if (piece !== undefined) return { key: later(piece.start, extent.start), sequence: piece.sequence };
    }
    for (
      let there = cursor.seek(extent.start);
      there && isBefore(cursor.key, extent.end);
      there = cursor.next()
    )
      if (cursor.sequence > above) return { key: new Uint8Array(cursor.key), sequence: cursor.sequence };
    return undefined;
  } finally {
    cursor.close();
    snapshot.release();
  }
}

/** A copy of the key of a range that an operation changes, or of where the part of it begins that it deletes. */
export function changedBy(operation: WalOperation, extent: Extent): Uint8Array | undefined {
  if (operation.type === "deleteRange")
    return overlap(operation, extent) ? copyBytes(later(operation.start, extent.start)) : undefined;
  return isInExtent(extent, operation.key) ? copyBytes(operation.key) : undefined;
}
