import { copyBytes, describe, readOptions } from "@kaya/core";
import { type Bytes, invalid, toBytes } from "./input.js";
import { compareBytes, successorOfPrefix } from "./memtable/bytes.js";
import type { KeyRange } from "./memtable/memtable.js";

/** Which keys a scan or a clear is about. Bounds that are given together all hold. */
export interface RangeOptions {
  /** Only keys that begin with this. */
  readonly prefix?: Bytes;
  readonly gt?: Bytes;
  readonly gte?: Bytes;
  readonly lt?: Bytes;
  readonly lte?: Bytes;
  /** From the last key to the first. Default false. */
  readonly reverse?: boolean;
  /** At most this many entries. Default: all. */
  readonly limit?: number;
}

const KNOWN = ["prefix", "gt", "gte", "lt", "lte", "reverse", "limit"];

/**
 * The range in bytes, copied, so that a caller may change what it gave.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function toKeyRange(options?: RangeOptions): KeyRange {
  const given = readOptions(options, KNOWN, "a range");
  const { reverse = false, limit = Number.POSITIVE_INFINITY, prefix } = given;
  if (typeof reverse !== "boolean") throw invalid(`reverse must be true or false, not ${describe(reverse)}`);
  if (limit !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw invalid(`limit must be a whole number >= 0, not ${describe(limit)}`);
  }
  const range: { -readonly [K in keyof KeyRange]: KeyRange[K] } = { reverse, limit };
  for (const bound of ["gt", "gte", "lt", "lte"] as const) {
    const bytes = given[bound];
    if (bytes !== undefined) range[bound] = copyOf(bytes, `bound ${bound}`);
  }
  if (prefix !== undefined) narrowToPrefix(range, copyOf(prefix, "prefix"));
  return range;
}

function copyOf(bytes: Bytes, what: string): Uint8Array {
  return copyBytes(toBytes(bytes, what), what);
}

function narrowToPrefix(range: { -readonly [K in keyof KeyRange]: KeyRange[K] }, prefix: Uint8Array): void {
  if (range.gte === undefined || compareBytes(range.gte, prefix) < 0) range.gte = prefix;
  const end = successorOfPrefix(prefix);
  if (end !== undefined && (range.lt === undefined || compareBytes(end, range.lt) < 0)) range.lt = end;
}

/** Whether a key is inside the bounds; `limit` and `reverse` do not count. */
export function isInRange(key: Uint8Array, range: KeyRange): boolean {
  return (
    (range.gt === undefined || compareBytes(key, range.gt) > 0) &&
    (range.gte === undefined || compareBytes(key, range.gte) >= 0) &&
    (range.lt === undefined || compareBytes(key, range.lt) < 0) &&
    (range.lte === undefined || compareBytes(key, range.lte) <= 0)
  );
}
