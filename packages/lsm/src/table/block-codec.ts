import { crc32cRange } from "@kaya/core";
import { type Codec, codecFor, rawLengthOf } from "./compression.js";
import {
  type BlockKind,
  checksumSeed,
  corruption,
  Encoding,
  kindName,
  MAX_BLOCK_BYTES,
  TRAILER_BYTES,
} from "./format.js";

/** A block is stored compressed only if that saves an eighth: less is not worth the time of each read. */
export const WORTHWHILE = 7 / 8;

/** Common to a table's blocks. */
export interface TableContext {
  readonly path: string;
  /** CRC-32C of its seed. */
  readonly seedCrc: number;
}

/** A block as it goes into the file, in two parts. */
export interface SealedBlock {
  readonly stored: Uint8Array;
  readonly trailer: Uint8Array;
}

/** @param codec undefined stores it raw */
export function sealBlock(
  raw: Uint8Array,
  kind: BlockKind,
  offset: number,
  seedCrc: number,
  codec: Codec | undefined,
): SealedBlock {
  const compressed = codec?.compress(raw);
  const isWorthwhile = compressed !== undefined && compressed.length <= raw.length * WORTHWHILE;
  const stored = isWorthwhile ? compressed : raw;
  const trailer = new Uint8Array(TRAILER_BYTES);
  trailer[0] = (kind << 4) | (isWorthwhile ? Encoding.Snappy : Encoding.Raw);
  const crc = checksumOf(stored, stored.length, trailer[0], seedCrc, offset);
  new DataView(trailer.buffer).setInt32(1, crc, true);
  return { stored, trailer };
}

/** Over the table's seed, the block's offset, its stored bytes and its type, in this order. */
function checksumOf(
  bytes: Uint8Array,
  length: number,
  type: number,
  seedCrc: number,
  offset: number,
): number {
  const crc = crc32cRange(bytes, 0, length, checksumSeed(seedCrc, offset));
  TYPE[0] = type;
  return crc32cRange(TYPE, 0, 1, crc);
}

const TYPE = new Uint8Array(1);

/** A block that was read with its trailer, and its type. */
export interface StoredBlock {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
}

/**
 * Checks a block against its trailer.
 * @param bytes the block and its trailer
 * @throws KayaError KAYA_CORRUPTION
 */
export function checkBlock(
  bytes: Uint8Array,
  kind: BlockKind,
  offset: number,
  { path, seedCrc }: TableContext,
): StoredBlock {
  const length = bytes.length - TRAILER_BYTES;
  const type = bytes[length] as number;
  const stored =
    (bytes[length + 1] as number) |
    ((bytes[length + 2] as number) << 8) |
    ((bytes[length + 3] as number) << 16) |
    ((bytes[length + 4] as number) << 24);
  const actual = checksumOf(bytes, length, type, seedCrc, offset);
  if (actual !== stored)
    throw corruption(
      path,
      offset,
      `the ${kindName(kind)} block's checksum is ${hex(stored)}, but its bytes give ${hex(actual)}`,
    );
  const encoding = type & 15;
  if (type >>> 4 !== kind || (encoding !== Encoding.Raw && encoding !== Encoding.Snappy))
    throw corruption(path, offset, `a block of type ${type} where a ${kindName(kind)} block must be`);
  return { bytes: bytes.subarray(0, length), encoding: encoding as Encoding };
}

/**
 * The block's bytes as the writer made them: those given, or a new buffer.
 * @throws KayaError KAYA_CORRUPTION; KAYA_IO where the library that uncompresses them is missing
 */
export function rawBytesOf(
  { bytes, encoding }: StoredBlock,
  offset: number,
  { path }: TableContext,
): Uint8Array {
  if (encoding === Encoding.Raw) return bytes;
  const length = rawLengthOf(bytes);
  if (length < 0 || length > MAX_BLOCK_BYTES)
    throw corruption(path, offset, "a compressed block whose length is not possible");
  const codec = codecFor(Encoding.Snappy, `reading ${path} at offset ${offset} needs`);
  let raw: Uint8Array;
  try {
    raw = codec.uncompress(bytes);
  } catch (cause) {
    throw corruption(path, offset, `a compressed block that cannot be uncompressed (${String(cause)})`);
  }
  if (raw.length !== length)
    throw corruption(path, offset, `a compressed block of ${raw.length} bytes, not ${length}`);
  return raw;
}

function hex(crc: number): string {
  return `0x${(crc >>> 0).toString(16).padStart(8, "0")}`;
}
