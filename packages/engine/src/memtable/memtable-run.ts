import type { SequenceNumber } from "@kaya/core";
import type { RangeTombstone, Run } from "@kaya/lsm";
import type { MemtableCursor } from "./memtable-cursor.js";
import type { Piece, PieceList } from "./range-tombstones.js";

/** The entries and range tombstones of a snapshot as a source of a merge. */
export class MemtableRun implements Run {
  readonly cursor: MemtableCursor;
  /** Its range tombstones. */
  readonly list: PieceList;
  /** The last change's, so that a scan behind a `clear` does not walk over all that it deleted. */
  readonly newest: SequenceNumber;
  #last: Piece | undefined;

  constructor(cursor: MemtableCursor, list: PieceList, newest: SequenceNumber) {
    this.cursor = cursor;
    this.list = list;
    this.newest = newest;
  }

  get hasRangeTombstones(): boolean {
    return !this.list.isEmpty;
  }

  covering(key: Uint8Array): RangeTombstone | undefined {
    // Keys come in order: mostly it is the same piece again.
    if (this.#last?.includes(key) !== true) this.#last = this.list.covering(key);
    return this.#last;
  }
}
