import { crc32c, KayaError } from "@kaya/core";
import type { DiskFile } from "@kaya/io";
import {
  corruption,
  EXPIRY_FOOTER_BYTES,
  EXPIRY_VERSION,
  endOf,
  FOOTER_BYTES,
  FOOTER_FIXED_BYTES,
  MAX_BLOCK_BYTES,
  MAX_FOOTER_BYTES,
  type Place,
  SEED_BYTES,
  TABLE_MAGIC,
  TABLE_VERSION,
} from "./format.js";
import type { TableExpiry } from "./table-expiry.js";

/** The last bytes of a table: where everything else is. */
export interface Footer {
  readonly seed: Uint8Array;
  readonly properties: Place;
  /** The index, or with two levels the one above it. */
  readonly index: Place;
  readonly indexLevels: 1 | 2;
  readonly filter: Place | undefined;
  readonly rangeTombstones: Place | undefined;
  /** Of a table of version 2: when its entries expire. */
  readonly expiry: TableExpiry | undefined;
  /** Of the whole table, the footer included. */
  readonly fileBytes: number;
}

const NOWHERE: Place = { offset: 0, length: 0 };
const EXPIRY_AT = 76;

/** A table without an entry that expires is of version 1, byte for byte. */
export function footerBytes(expiry: TableExpiry | undefined): number {
  return expiry === undefined ? FOOTER_BYTES : EXPIRY_FOOTER_BYTES;
}

/** The version of a table, by its footer. */
export function versionOf({ expiry }: Pick<Footer, "expiry">): number {
  return expiry === undefined ? TABLE_VERSION : EXPIRY_VERSION;
}

export function encodeFooter(footer: Footer): { bytes: Uint8Array; crc: number } {
  const { expiry } = footer;
  const length = footerBytes(expiry);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(footer.seed);
  const places = [footer.properties, footer.index, footer.filter, footer.rangeTombstones];
  for (const [i, place] of places.entries()) {
    const { offset, length } = place ?? NOWHERE;
    view.setBigUint64(SEED_BYTES + 12 * i, BigInt(offset), true);
    view.setUint32(SEED_BYTES + 12 * i + 8, length, true);
  }
  view.setBigUint64(64, BigInt(footer.fileBytes), true);
  view.setUint16(72, footer.indexLevels, true);
  view.setUint16(74, 0, true);
  if (expiry !== undefined) {
    const numbers = [expiry.entries, expiry.earliest, expiry.half, expiry.latest];
    for (const [i, number] of numbers.entries()) view.setBigUint64(EXPIRY_AT + 8 * i, BigInt(number), true);
  }
  view.setUint16(length - 12, length, true);
  view.setUint16(length - 10, versionOf(footer), true);
  view.setUint32(length - 4, TABLE_MAGIC, true);
  const crc = crc32c(bytes);
  view.setUint32(length - 8, crc, true);
  return { bytes, crc };
}

/**
 * Reads the footer at the end of `tail`, the last bytes of a file of `fileBytes` bytes.
 * @param tail at least `FOOTER_BYTES` of them, or the whole file; `MAX_FOOTER_BYTES` tell a newer version from damage
 * @throws KayaError KAYA_CORRUPTION; KAYA_UNSUPPORTED_VERSION for a table of a newer version
 */
export function decodeFooter(
  tail: Uint8Array,
  fileBytes: number,
  path: string,
): { footer: Footer; crc: number } {
  const damaged = (what: string) => corruption(path, Math.max(0, fileBytes - FOOTER_BYTES), what);
  if (tail.length < FOOTER_FIXED_BYTES) throw damaged(`${fileBytes} bytes are too few for a table`);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const end = tail.length;
  if (view.getUint32(end - 4, true) !== TABLE_MAGIC) throw damaged("no table ends so (wrong magic)");
  const crc = view.getUint32(end - 8, true);
  const version = view.getUint16(end - 10, true);
  const length = view.getUint16(end - 12, true);
  if (length < FOOTER_FIXED_BYTES || length > MAX_FOOTER_BYTES || length > tail.length)
    throw damaged(`a footer of ${length} bytes`);
  const bytes = tail.slice(end - length);
  bytes.fill(0, length - 8, length - 4);
  const actual = crc32c(bytes);
  if (actual !== crc) throw damaged("the footer's checksum is wrong");
  if (version !== TABLE_VERSION && version !== EXPIRY_VERSION) {
    throw new KayaError(
      "KAYA_UNSUPPORTED_VERSION",
      `${path} is a table of version ${version}, this program reads versions ${TABLE_VERSION} and ${EXPIRY_VERSION}: use a newer one.`,
    );
  }
  const wanted = version === TABLE_VERSION ? FOOTER_BYTES : EXPIRY_FOOTER_BYTES;
  if (length !== wanted) throw damaged(`a footer of ${length} bytes, not ${wanted}`);
  const expiry = version === TABLE_VERSION ? undefined : expiryOf(bytes, damaged);
  return { footer: fieldsOf(bytes, expiry, fileBytes, damaged), crc };
}

function expiryOf(bytes: Uint8Array, damaged: (what: string) => KayaError): TableExpiry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (i: number): number => Number(view.getBigUint64(EXPIRY_AT + 8 * i, true));
  const [entries, earliest, half, latest] = [number(0), number(1), number(2), number(3)];
  const isWhole = entries >= 1 && entries <= Number.MAX_SAFE_INTEGER;
  if (!isWhole || earliest < 1 || half < earliest || latest < half || latest > Number.MAX_SAFE_INTEGER)
    throw damaged("a footer with times of expiry that no writer writes");
  return { entries, earliest, half, latest };
}

function fieldsOf(
  bytes: Uint8Array,
  expiry: TableExpiry | undefined,
  fileBytes: number,
  damaged: (what: string) => KayaError,
): Footer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const noted = Number(view.getBigUint64(64, true));
  if (noted !== fileBytes) throw damaged(`the file has ${fileBytes} bytes, its footer says ${noted}`);
  const place = (i: number): Place | undefined => {
    const offset = Number(view.getBigUint64(SEED_BYTES + 12 * i, true));
    const length = view.getUint32(SEED_BYTES + 12 * i + 8, true);
    if (offset === 0 && length === 0) return undefined;
    if (length > MAX_BLOCK_BYTES || endOf({ offset, length }) > fileBytes - bytes.length)
      throw damaged(`a block at ${offset} of ${length} bytes, which is not within the file`);
    return { offset, length };
  };
  const [properties, index, filter, rangeTombstones] = [place(0), place(1), place(2), place(3)];
  const indexLevels = view.getUint16(72, true);
  if (properties === undefined || index === undefined || (indexLevels !== 1 && indexLevels !== 2))
    throw damaged("a footer without properties or index");
  if (view.getUint16(74, true) !== 0) throw damaged("a footer with unknown flags");
  return {
    seed: bytes.slice(0, SEED_BYTES),
    properties,
    index,
    indexLevels,
    filter,
    rangeTombstones,
    expiry,
    fileBytes,
  };
}

/** Reads the footer of a file. @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION, KAYA_IO */
export async function readFooterOf(
  file: DiskFile,
  fileBytes: number,
  path: string,
): Promise<{ footer: Footer; crc: number }> {
  const tail = new Uint8Array(Math.min(fileBytes, MAX_FOOTER_BYTES));
  const read = await file.readAt(fileBytes - tail.length, tail);
  if (read !== tail.length) throw corruption(path, fileBytes - tail.length + read, "the file ends here now");
  return decodeFooter(tail, fileBytes, path);
}
