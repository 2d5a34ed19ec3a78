import type { SequenceNumber } from "@kaya/core";
import type { EntryCursor, RangeTombstone } from "../entry.js";

/**
 * A source of a merge: entries in key order, each key once, and range tombstones. Of two runs one is newer: whatever both say of a
 * key, the newer says with a higher sequence.
 */
export interface Run {
  readonly cursor: EntryCursor;
  /** No key is ever covered. */
  readonly hasRangeTombstones: boolean;
  /** None of its entries has a higher sequence. Undefined where that is not known. */
  readonly newest?: SequenceNumber;
  /** The piece of its range tombstones that `key` is in. */
  covering(key: Uint8Array): RangeTombstone | undefined;
}
