import type { SequenceNumber } from "@kaya/core";
import { corruption } from "./format.js";
import type { TableExpiry } from "./table-expiry.js";

/** What a table holds. */
export interface TableProperties {
  /** Puts and tombstones. */
  readonly entries: number;
  /** How many of the entries delete their key. */
  readonly tombstones: number;
  /** When those of them expire that do; undefined where none does. */
  readonly expiry: TableExpiry | undefined;
  /** The fragments that the range tombstones were cut into. */
  readonly rangeTombstones: number;
  /** The smallest key of its entries and range tombstones. */
  readonly smallestKey: Uint8Array;
  /**
   * The greatest key of its entries, or the end of its range tombstones; undefined if one of these has no end.
   */
  readonly largestKey: Uint8Array | undefined;
  /** The lowest sequence of its entries and range tombstones. */
  readonly smallestSequence: SequenceNumber;
  /** The highest sequence of its entries and range tombstones. */
  readonly largestSequence: SequenceNumber;
  /** How many data blocks the table has. */
  readonly dataBlocks: number;
  /** Bytes of keys and values. */
  readonly rawBytes: number;
  /** Bytes of the data blocks as they are in the file, with their trailers. */
  readonly storedBytes: number;
}

const NUMBERS = 8;
const NO_KEY = 0xffff_ffff;

/** Eight numbers of eight bytes, then both keys, each behind its length. Times of expiry are in the footer. */
export function encodeProperties(properties: TableProperties): Uint8Array {
  const { smallestKey, largestKey } = properties;
  const bytes = new Uint8Array(NUMBERS * 8 + 8 + smallestKey.length + (largestKey?.length ?? 0));
  const view = new DataView(bytes.buffer);
  const numbers = [
    properties.entries,
    properties.tombstones,
    properties.rangeTombstones,
    properties.smallestSequence,
    properties.largestSequence,
    properties.dataBlocks,
    properties.rawBytes,
    properties.storedBytes,
  ];
  for (const [i, number] of numbers.entries()) view.setBigUint64(8 * i, BigInt(number), true);
  let at = NUMBERS * 8;
  for (const key of [smallestKey, largestKey]) {
    view.setUint32(at, key?.length ?? NO_KEY, true);
    bytes.set(key ?? [], at + 4);
    at += 4 + (key?.length ?? 0);
  }
  return bytes;
}

/**
 * @param expiry as the footer has it
 * @throws KayaError KAYA_CORRUPTION
 */
export function decodeProperties(
  bytes: Uint8Array,
  expiry: TableExpiry | undefined,
  path: string,
  offset: number,
): TableProperties {
  const damaged = (what: string) => corruption(path, offset, what);
  if (bytes.length < NUMBERS * 8 + 8) throw damaged(`a properties block of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (i: number): number => {
    const value = view.getBigUint64(8 * i, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged("a property above 2^53 - 1");
    return Number(value);
  };
  let at = NUMBERS * 8;
  const key = (): Uint8Array | undefined => {
    if (at + 4 > bytes.length) throw damaged("a properties block that ends within a key");
    const length = view.getUint32(at, true);
    at += 4;
    if (length === NO_KEY) return undefined;
    if (at + length > bytes.length) throw damaged("a properties block that ends within a key");
    at += length;
    return bytes.slice(at - length, at);
  };
  const smallestKey = key();
  const largestKey = key();
  if (smallestKey === undefined || at !== bytes.length)
    throw damaged("a properties block with other keys than two");
  return {
    entries: number(0),
    tombstones: number(1),
    expiry,
    rangeTombstones: number(2),
    smallestKey,
    largestKey,
    smallestSequence: number(3),
    largestSequence: number(4),
    dataBlocks: number(5),
    rawBytes: number(6),
    storedBytes: number(7),
  };
}
