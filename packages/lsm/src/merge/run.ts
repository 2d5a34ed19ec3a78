import type { SequenceNumber } from "@kaya/core";
import type { EntryCursor, RangeTombstone } from "../entry.js";

/**
 * A source of a merge: entries in key order, each key once, and range tombstones. Of two runs one is newer: whatever both say of a
 * key, the newer says with a higher sequence.
 */
export interface Run {
  /** The entries of the run, in key order. */
  readonly cursor: EntryCursor;
  /** False if no key of the run is ever covered by a range tombstone of it. */
  readonly hasRangeTombstones: boolean;
  /** None of its entries has a higher sequence. Undefined where that is not known. */
  readonly newest?: SequenceNumber;
  /** The piece of its range tombstones that `key` is in. */
  covering(key: Uint8Array): RangeTombstone | undefined;
}
