import type { TableMeta } from "../manifest/manifest-state.js";
import type { Compression } from "../table/compression.js";
import type { Extent } from "../version/extent.js";

/** How the tables of a tree are written. */
export interface TableFormat {
  readonly compression: Compression;
  /** Of a data block, before compression. */
  readonly blockBytes: number;
  /** Of the filter; 0 makes none. */
  readonly bitsPerKey: number;
  /** A table's file is synced after so many bytes. */
  readonly syncBytes: number;
}

/** The input of a merge: plain data, so that another thread can get it. */
export interface MergeJob {
  /** The newest first; each is disjoint tables in key order. */
  readonly runs: readonly (readonly TableMeta[])[];
  /** Extents, sorted and disjoint, that may have older entries outside this merge: tombstones there are kept. */
  readonly older: readonly Extent[];
  /** The tables of the level below the outputs, in key order: an output should not overlap too many of them. */
  readonly grandparents: readonly (Extent & { readonly fileBytes: number })[];
  /** The outputs take these ids, from the first on. */
  readonly firstId: number;
  /** At most so many outputs: the last one takes the rest. */
  readonly mostOutputs: number;
  /** Of an output, nearly. */
  readonly tableBytes: number;
  readonly format: TableFormat;
  /** Milliseconds since 1970: entries that have expired by then count as deleted. */
  readonly now: number;
  /** 16 random bytes, from which each output has the seed of its filter. */
  readonly seed: Uint8Array;
}

/** How far a merge has come. */
export interface MergeStep {
  /** Of keys and values, read since the last step. */
  readonly bytes: number;
}

/** An output should overlap no more than so many times its bytes on the level below: merging it there costs so much. */
export const GRANDPARENT_RATIO = 10;
