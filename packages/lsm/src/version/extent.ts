import { compareBytes } from "../bytes.js";
import { compareEnds } from "../merge/compare.js";

/** The keys from `start` up to, but without, `end`; without an `end` up to the last key there can be. */
export interface Extent {
  /** The first key of the extent. */
  readonly start: Uint8Array;
  /** The first key behind the extent; undefined: no upper bound. */
  readonly end: Uint8Array | undefined;
}

/** The extent of all keys. */
export const EVERYTHING: Extent = { start: new Uint8Array(0), end: undefined };

/** True if a key is before the end of an extent; an end that is undefined is behind all keys. */
export function isBefore(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || compareBytes(key, end) < 0;
}

export function contains({ start, end }: Extent, key: Uint8Array): boolean {
  return compareBytes(start, key) <= 0 && isBefore(key, end);
}

/** True if two extents have a key in common. */
export function overlap(a: Extent, b: Extent): boolean {
  return isBefore(a.start, b.end) && isBefore(b.start, a.end);
}

/** The smallest extent with all of these in it. There must be at least one. */
export function hull(extents: readonly Extent[]): Extent {
  const [first = EVERYTHING, ...others] = extents;
  let { start, end } = first;
  for (const other of others) {
    if (compareBytes(other.start, start) < 0) start = other.start;
    if (compareEnds(other.end, end) > 0) end = other.end;
  }
  return { start, end };
}

/**
 * The index of the first of these whose end is behind `key`; their number where there is none.
 * @param extents sorted, disjoint
 */
export function firstEndingAfter(extents: readonly Extent[], key: Uint8Array): number {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    // middle is below the length
    if (isBefore(key, (extents[middle] as Extent).end)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Those of sorted, disjoint extents that overlap `extent`. */
export function overlapping<T extends Extent>(extents: readonly T[], extent: Extent): readonly T[] {
  const first = firstEndingAfter(extents, extent.start);
  let last = first;
  // last is below the length
  while (last < extents.length && isBefore((extents[last] as T).start, extent.end)) last++;
  return extents.slice(first, last);
}
