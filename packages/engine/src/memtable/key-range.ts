import { compareBytes, copyBytes } from "./bytes.js";

/** Bounds of a scan. Where both bounds of one side are given, the tighter one counts. */
export interface KeyRange {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** One side of a range. */
export interface Bound {
  readonly key: Uint8Array;
  readonly inclusive: boolean;
}

/** The bound that a range sets from below, with a copy of its bytes: a scan outlives the call that began it. */
export function lowerBoundOf({ gt, gte }: KeyRange): Bound | undefined {
  if (gt !== undefined && (gte === undefined || compareBytes(gt, gte) >= 0)) return exclusive(gt);
  return gte && inclusive(gte);
}

/** The bound that a range sets from above, with a copy of its bytes. */
export function upperBoundOf({ lt, lte }: KeyRange): Bound | undefined {
  if (lt !== undefined && (lte === undefined || compareBytes(lt, lte) <= 0)) return exclusive(lt);
  return lte && inclusive(lte);
}

function inclusive(key: Uint8Array): Bound {
  return { key: copyBytes(key), inclusive: true };
}

function exclusive(key: Uint8Array): Bound {
  return { key: copyBytes(key), inclusive: false };
}
