import { copyBytes, describe, readOptions } from "@kaya/core";
import type { Extent } from "@kaya/lsm";
import { type Bytes, invalid, toBytes } from "./input.js";
import { compareBytes, successorOfPrefix } from "./memtable/bytes.js";
import type { KeyRange } from "./memtable/key-range.js";

/** Which keys a scan, a count or a clear is about. All given bounds hold together. */
export interface RangeOptions {
  /** Only keys that begin with these bytes. */
  readonly prefix?: Bytes;
  /** Only keys after this one. */
  readonly gt?: Bytes;
  /** Only this key and keys after it. */
  readonly gte?: Bytes;
  /** Only keys before this one. */
  readonly lt?: Bytes;
  /** Only this key and keys before it. */
  readonly lte?: Bytes;
  /** True: from the last key to the first. Default false. */
  readonly reverse?: boolean;
  /** At most this many entries, a whole number >= 0. Default: all. */
  readonly limit?: number;
}

/** The bounds of a range, without `reverse` and `limit`: all keys within them, in no order. */
export type KeyBounds = Omit<RangeOptions, "reverse" | "limit">;

const BOUNDS = ["prefix", "gt", "gte", "lt", "lte"];
const KNOWN = [...BOUNDS, "reverse", "limit"];
const NO_BYTES = new Uint8Array(0);

/**
 * The range in bytes, copied, so that a caller may change what it gave.
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export function toKeyRange(options?: RangeOptions): KeyRange {
  return readRange(options, KNOWN);
}

/**
 * A range without `reverse` and `limit`, in bytes, copied.
 * @throws KayaError KAYA_INVALID_ARGUMENT, also where one of these is given
 */
export function toKeyBounds(bounds?: KeyBounds): KeyRange {
  return readRange(bounds, BOUNDS);
}

/**
 * A range without `limit`, in bytes, copied.
 * @throws KayaError KAYA_INVALID_ARGUMENT, also where a limit is given
 */
export function toPagedRange(range?: Omit<RangeOptions, "limit">): KeyRange {
  return readRange(range, [...BOUNDS, "reverse"]);
}

/** How much of a range `toArray` takes. */
export interface ToArrayOptions {
  /** At most this many, a whole number >= 0. Default: all. */
  readonly limit?: number | undefined;
}

/** The range, with its own limit or the one of the options, whichever is less. @throws KayaError KAYA_INVALID_ARGUMENT */
export function readLimit(range: KeyRange, options: ToArrayOptions | undefined): KeyRange {
  const { limit } = readOptions(options, ["limit"], "the options of toArray");
  if (limit === undefined) return range;
  checkLimit(limit);
  return { ...range, limit: Math.min(limit, range.limit ?? limit) };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function checkPageSize(size: unknown): asserts size is number {
  if (Number.isSafeInteger(size) && (size as number) >= 1) return;
  throw invalid(`the size of a page must be a whole number >= 1, not ${describe(size)}`);
}

function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0) return;
  throw invalid(`limit must be a whole number >= 0, not ${describe(limit)}`);
}

function readRange(options: RangeOptions | undefined, known: readonly string[]): KeyRange {
  const given = readOptions(options, known, "a range");
  const { reverse = false, limit = Number.POSITIVE_INFINITY, prefix } = given;
  if (typeof reverse !== "boolean") throw invalid(`reverse must be true or false, not ${describe(reverse)}`);
  if (limit !== Number.POSITIVE_INFINITY) checkLimit(limit);
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

/** The same keys as those inside the bounds of a range, whatever its `limit` and `reverse`; undefined where no key can be. */
export function extentOf({ gt, gte, lt, lte }: KeyRange): Extent | undefined {
  const start = later(gte, gt && behind(gt)) ?? NO_BYTES;
  const end = earlier(lt, lte && behind(lte));
  return end !== undefined && compareBytes(start, end) >= 0 ? undefined : { start, end };
}

export function isInExtent({ start, end }: Extent, key: Uint8Array): boolean {
  return compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0);
}

/** The first key behind this one. */
export function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** The greater of two starts. */
export function later(a: Uint8Array, b: Uint8Array): Uint8Array;
export function later(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined;
export function later(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBytes(a, b) < 0 ? b : a;
}

/** The lesser of two ends; undefined is behind all keys. */
export function earlier(a: Uint8Array, b: Uint8Array | undefined): Uint8Array;
export function earlier(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined;
export function earlier(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBytes(a, b) < 0 ? a : b;
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
