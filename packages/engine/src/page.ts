import { crc32c, describe, readOptions } from "@kaya/core";
import { ValueCopier } from "@kaya/lsm";
import { invalid } from "./input.js";
import { type Bound, type KeyRange, lowerBoundOf, upperBoundOf } from "./memtable/key-range.js";
import { checkPageSize, isInRange } from "./range.js";
import { type Reading, readThrough } from "./reading.js";
import { ENTRIES, type KeyValue } from "./row.js";
import type { Turns } from "./turns.js";

/** How many entries a page has, and where it begins. */
export interface PageOptions {
  /** At most this many entries: a whole number >= 1. */
  readonly size: number;
  /** The `cursor` of the page before. Default: the page begins at the beginning of the range. */
  readonly cursor?: string | undefined;
}

/** Some entries of a range, and where the next page begins. */
export interface Page {
  /** The entries in key order; from the last to the first with `reverse`. */
  readonly entries: KeyValue[];
  /**
   * Pass it to `page` for the next page; undefined if no entry follows. You may keep it for as long as you
   * want.
   */
  readonly cursor: string | undefined;
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function readPageOptions(options: PageOptions): PageOptions {
  const { size, cursor } = readOptions(options, ["size", "cursor"], "the options of page");
  checkPageSize(size);
  return { size, cursor };
}

/** What is left of a range behind the page that gave a cursor. @throws KayaError KAYA_INVALID_ARGUMENT */
export function behindCursor(range: KeyRange, cursor: string | undefined): KeyRange {
  if (cursor === undefined) return range;
  const key = keyOf(cursor, range);
  return { ...range, [range.reverse === true ? "lt" : "gt"]: key };
}

/**
 * @param reading of a range with one entry more than `size`, which says whether there is another page
 * @param range the whole one, of which cursors are
 */
export async function readPage(reading: Reading, range: KeyRange, size: number, turns: Turns): Promise<Page> {
  const entries: KeyValue[] = [];
  const copier = new ValueCopier();
  let isMore = false;
  await readThrough(reading, turns, (cursor) => {
    if (entries.length < size) entries.push(ENTRIES.read(cursor, copier));
    else isMore = true;
  });
  const last = entries.at(-1);
  return { entries, cursor: isMore && last !== undefined ? toCursor(last.key, range) : undefined };
}

const VERSION = 1;
const CRC_BYTES = 4;

/** A version, a checksum of the range and the key, and the key. */
function toCursor(key: Uint8Array, range: KeyRange): string {
  const bytes = Buffer.alloc(1 + CRC_BYTES + key.length);
  bytes[0] = VERSION;
  bytes.writeUInt32LE(checksumOf(key, range), 1);
  bytes.set(key, 1 + CRC_BYTES);
  return bytes.toString("base64url");
}

function keyOf(cursor: unknown, range: KeyRange): Uint8Array {
  const bytes = typeof cursor === "string" ? Buffer.from(cursor, "base64url") : undefined;
  // Decoding passes over what is no base64.
  if (bytes === undefined || bytes.length < 1 + CRC_BYTES || bytes.toString("base64url") !== cursor)
    throw invalid(
      `no page gave the cursor ${describe(cursor)}: pass the cursor of the page before, or none to begin again`,
    );
  if (bytes[0] !== VERSION)
    throw invalid("another version of Kaya made the cursor: begin again without a cursor");
  const key = new Uint8Array(bytes.subarray(1 + CRC_BYTES));
  if (bytes.readUInt32LE(1) !== checksumOf(key, range) || !isInRange(key, range))
    throw invalid(
      "the cursor belongs to another range, or was changed: pass the range of its page, or begin again without a cursor",
    );
  return key;
}

/** The same for all ways to say the same range. */
function checksumOf(key: Uint8Array, range: KeyRange): number {
  const direction = new Uint8Array([range.reverse === true ? 1 : 0]);
  const parts = [direction, ...partsOf(lowerBoundOf(range)), ...partsOf(upperBoundOf(range)), key];
  return crc32c(Buffer.concat(parts));
}

function partsOf(bound: Bound | undefined): Uint8Array[] {
  if (bound === undefined) return [new Uint8Array([0])];
  const head = Buffer.alloc(5);
  head[0] = bound.inclusive ? 1 : 2;
  head.writeUInt32LE(bound.key.length, 1);
  return [head, bound.key];
}
