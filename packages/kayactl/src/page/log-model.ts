import { decodeGroups } from "./group-codec.js";
import { type Items, type PageData, type PageRange, type PageSegment, RECORD_TYPES } from "./page-data.js";
import { decodeRows } from "./row-codec.js";

export interface Segment extends PageSegment {
  readonly index: number;
  readonly rows: Items;
  readonly excerpts: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** A place in the log: an item of a segment, or bytes that are none. */
export interface Place {
  readonly segment: Segment;
  readonly offset: number;
  /** -1 where no item is. */
  readonly item: number;
}

/** @param block the bytes that `data` speaks of */
export function readSegments(data: PageData, block: Uint8Array): Segment[] {
  let at = 0;
  const take = (length: number) => {
    at += length;
    return block.subarray(at - length, at);
  };
  const decode = data.groupSize === 1 ? decodeRows : decodeGroups;
  const items = data.segments.map((segment) => decode(take(segment.itemBytes), segment.items));
  const excerpts = data.excerpts.map(({ segment, offset, length }) => ({
    segment,
    offset,
    bytes: take(length),
  }));
  return data.segments.map((segment, index) => ({
    ...segment,
    index,
    rows: items[index] ?? decode(new Uint8Array(0), 0),
    excerpts: excerpts.filter((excerpt) => excerpt.segment === index),
  }));
}

/** The first index whose value is above `value`: `values` ascend. */
function upperBound(values: Float64Array, length: number, value: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The item that holds the byte at `offset`; -1 behind the last. */
export function itemAt({ rows }: Segment, offset: number): number {
  if (rows.length === 0 || offset >= (rows.offsets[rows.length] ?? 0)) return -1;
  return upperBound(rows.offsets, rows.length, offset) - 1;
}

/** Where the record with this LSN is, or the group that holds it. */
export function placeOfLsn(segments: readonly Segment[], lsn: number): Place | undefined {
  for (const segment of segments) {
    const { rows } = segment;
    const item = upperBound(rows.lsns, rows.length, lsn) - 1;
    if (item >= 0 && lsn < (rows.lsns[item] ?? 0) + recordsOf(rows, item))
      return { segment, item, offset: rows.offsets[item] ?? 0 };
  }
  return undefined;
}

/** Where what is at a place ends. */
export function endOfPlace({ segment, item, offset }: Place): number {
  if (item >= 0) return segment.rows.offsets[item + 1] ?? segment.bytes;
  return rangeAt(segment, offset)?.to ?? segment.bytes;
}

/** The damage, or what is behind it, at an offset. */
export function rangeAt({ ranges }: Segment, offset: number): PageRange | undefined {
  return ranges.find(({ from, to }) => from <= offset && offset < to);
}

/** How many records an item stands for. */
export function recordsOf(rows: Items, item: number): number {
  return RECORD_TYPES.reduce((sum, _, type) => sum + rows.countOf(item, type), 0);
}

/** The bytes of the file that the page has from `offset` on, at most `length`. */
export function bytesFrom({ excerpts }: Segment, offset: number, length: number): Uint8Array {
  const excerpt = excerpts.find((each) => each.offset <= offset && offset < each.offset + each.bytes.length);
  if (excerpt === undefined) return new Uint8Array(0);
  return excerpt.bytes.subarray(offset - excerpt.offset, offset - excerpt.offset + length);
}
