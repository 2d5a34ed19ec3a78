/** What `inspect wal --html` puts into the page. The bytes it speaks of stand in one block beside it, one piece behind the other. */
export interface PageData {
  readonly path: string;
  readonly version: string;
  /** ISO 8601. */
  readonly madeAt: string;
  /** Records an item of `segments` stands for: 1, or more where there are too many for the page. */
  readonly groupSize: number;
  readonly segments: readonly PageSegment[];
  readonly findings: readonly PageFinding[];
  /** What is no damage, and worth knowing. */
  readonly notes: readonly string[];
  /** By type, then by power of two: how many records have 2^n to 2^(n+1) - 1 bytes. Of all records, whatever `groupSize`. */
  readonly sizes: readonly (readonly number[])[];
  /** The bytes of the files that the page has. They stand behind the items of all segments, in this order. */
  readonly excerpts: readonly PageExcerpt[];
}

export interface PageSegment {
  readonly name: string;
  readonly bytes: number;
  readonly records: number;
  readonly firstLsn?: number;
  readonly lastLsn?: number;
  /** By type. */
  readonly counts: readonly number[];
  /** Records, or groups of them, that the page has; and how many bytes they take in it. */
  readonly items: number;
  readonly itemBytes: number;
  /** What is no valid record of the log. In order, not overlapping. */
  readonly ranges: readonly PageRange[];
  /** Offsets of valid records whose LSN does not follow from the one before. */
  readonly gaps: readonly number[];
}

/**
 * `torn`: a crash's unfinished write, which the next opening cuts. `cut`: whole or not, it is behind damage and so no part of the log. `zeros`:
 * never written.
 */
export interface PageRange {
  readonly kind: "damage" | "torn" | "cut" | "zeros";
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export interface PageFinding {
  readonly segment: number;
  readonly offset: number;
  readonly text: string;
  /** It is no damage: see `PageRange`. */
  readonly isTorn?: true;
}

export interface PageExcerpt {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

export const RECORD_TYPES = ["PUT", "DELETE", "NOOP", "BATCH", "DELETE_RANGE", "PUT_EXPIRING"] as const;
export const TYPE_COUNT = RECORD_TYPES.length;
export type RecordType = (typeof RECORD_TYPES)[number];

/** The fields of `WalInspectionRow`. */
export interface PageRow {
  readonly offset: number;
  readonly lsn: number;
  readonly sequence: number;
  readonly type: RecordType;
  readonly keyLength?: number;
  readonly valueLength?: number;
  readonly expiresAt?: number;
  readonly startLength?: number;
  readonly endLength?: number;
  readonly operations?: number;
  readonly encodedLength: number;
}

/** The records of a segment in the order of the file; an item is one of them, or several where they are grouped. */
export interface Items {
  readonly length: number;
  /** Where each item begins, and behind them where the last one ends. */
  readonly offsets: Float64Array;
  /** Of each item's first record. */
  readonly lsns: Float64Array;
  /** Records of an item by type. */
  countOf(index: number, type: number): number;
  /** Bytes of an item by type. */
  bytesOf(index: number, type: number): number;
  /** The record; undefined for a group of several. */
  rowAt(index: number): PageRow | undefined;
}
