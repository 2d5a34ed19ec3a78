import { KayaError } from "@kaya/core";
import type { KeyRange } from "../memtable/key-range.js";
import { earlier, later } from "../range.js";
import { hasPrefix, RESERVED_PREFIX, rangeOfPrefix } from "./reserved.js";

const ENTRY_MARK = 0x69; // "i"
const ID_AT = RESERVED_PREFIX.length + 1;
/** Bytes of an entry's key before the index key. */
const HEAD_LENGTH = ID_AT + 4;
const END_LENGTH = 2;

/** The greatest id that an index can have. */
export const MAX_INDEX_ID = 0xffff_ffff;

/** An entry's key, taken apart. */
export interface ParsedEntryKey {
  readonly id: number;
  readonly indexKey: Uint8Array;
  /** Of the row, without the view's prefix; empty in a unique index, where the entry's value has it. */
  readonly rowKey: Uint8Array;
}

/** What all entry keys of all indexes begin with. */
export function entriesPrefix(): Uint8Array {
  const prefix = new Uint8Array(ID_AT);
  prefix.set(RESERVED_PREFIX);
  prefix[ID_AT - 1] = ENTRY_MARK;
  return prefix;
}

/** What all entry keys of one index begin with. */
export function indexPrefix(id: number): Uint8Array {
  const prefix = new Uint8Array(HEAD_LENGTH);
  writeHead(prefix, id);
  return prefix;
}

/** The key of an entry. In a unique index the row key is left out. */
export function entryKey(id: number, indexKey: Uint8Array, rowKey?: Uint8Array): Uint8Array {
  const end = HEAD_LENGTH + escapedLength(indexKey);
  const key = new Uint8Array(end + END_LENGTH + (rowKey?.length ?? 0));
  writeHead(key, id);
  writeEscaped(key, HEAD_LENGTH, indexKey);
  if (rowKey !== undefined) key.set(rowKey, end + END_LENGTH); // the two bytes of the end are zeros already
  return key;
}

/** @throws KayaError KAYA_CORRUPTION for what `entryKey` never makes */
export function parseEntryKey(key: Uint8Array): ParsedEntryKey {
  if (!hasPrefix(key, entriesPrefix()) || key.length < HEAD_LENGTH) throw malformed(key);
  const id = new DataView(key.buffer, key.byteOffset).getUint32(ID_AT);
  const bytes = new Uint8Array(key.length - HEAD_LENGTH);
  let length = 0;
  for (let i = HEAD_LENGTH; i + 1 < key.length; i++) {
    const byte = key[i] as number; // i is below the length
    if (byte !== 0) {
      bytes[length++] = byte;
      continue;
    }
    const next = key[++i];
    if (next === 0)
      return { id, indexKey: bytes.slice(0, length), rowKey: new Uint8Array(key.subarray(i + 1)) };
    if (next !== 0xff) throw malformed(key);
    bytes[length++] = 0;
  }
  throw malformed(key);
}

/** The keys of the entries of an index whose index keys are within all bounds that are given. */
export function entryRange(id: number, bounds: KeyRange = {}): Required<Pick<KeyRange, "gte" | "lt">> {
  const { gt, gte, lt, lte } = bounds;
  const all = rangeOfPrefix(indexPrefix(id));
  const starts = [all.gte];
  if (gte !== undefined) starts.push(entryKey(id, gte));
  if (gt !== undefined) starts.push(behindKey(id, gt));
  const ends = [all.lt];
  if (lt !== undefined) ends.push(entryKey(id, lt));
  if (lte !== undefined) ends.push(behindKey(id, lte));
  return { gte: starts.reduce(later), lt: ends.reduce(earlier) };
}

/** All entries of one index key. */
export function entryRangeOf(id: number, indexKey: Uint8Array): Required<Pick<KeyRange, "gte" | "lt">> {
  return { gte: entryKey(id, indexKey), lt: behindKey(id, indexKey) };
}

/** Behind every entry of an index key, and before those of any greater one: the end is 00 00, and 00 01 stands nowhere. */
function behindKey(id: number, indexKey: Uint8Array): Uint8Array {
  const key = entryKey(id, indexKey);
  key[key.length - 1] = 1;
  return key;
}

function writeHead(into: Uint8Array, id: number): void {
  into.set(RESERVED_PREFIX);
  into[ID_AT - 1] = ENTRY_MARK;
  into[ID_AT] = id >>> 24;
  into[ID_AT + 1] = id >>> 16;
  into[ID_AT + 2] = id >>> 8;
  into[ID_AT + 3] = id;
}

function escapedLength(bytes: Uint8Array): number {
  let length = bytes.length;
  for (let i = bytes.indexOf(0); i >= 0; i = bytes.indexOf(0, i + 1)) length++;
  return length;
}

function writeEscaped(into: Uint8Array, at: number, bytes: Uint8Array): void {
  if (bytes.indexOf(0) < 0) {
    into.set(bytes, at);
    return;
  }
  let next = at;
  for (const byte of bytes) {
    into[next++] = byte;
    if (byte === 0) into[next++] = 0xff;
  }
}

function malformed(key: Uint8Array): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `0x${Buffer.from(key).toString("hex")} stands among index entries and is none: something else wrote into the reserved key space. ` +
      "Count up the `version` of the index: it is built anew.",
    { key: new Uint8Array(key) },
  );
}
