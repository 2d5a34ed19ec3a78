/** The parts of a table: see TABLE.md. */
import { crc32cRange, KayaError } from "@kaya/core";

/** On disk `4b 53 53 54`, "KSST". */
export const TABLE_MAGIC = 0x5453534b;
export const TABLE_VERSION = 1;
/** Only of a table with an entry that expires. */
export const EXPIRY_VERSION = 2;

/** Bytes behind each block: its type, then its checksum. */
export const TRAILER_BYTES = 5;

export const FOOTER_BYTES = 88;
/** With the four numbers of `TableExpiry`. */
export const EXPIRY_FOOTER_BYTES = FOOTER_BYTES + 32;
/** The part at the footer's end that every version keeps. */
export const FOOTER_FIXED_BYTES = 12;
/** Longer than a footer of any version. */
export const MAX_FOOTER_BYTES = 4096;

export const SEED_BYTES = 16;

/** No block is longer, stored or raw. */
export const MAX_BLOCK_BYTES = 2 ** 30;

/** Key and value of one entry together. */
export const MAX_ENTRY_BYTES = 2 ** 29;

export const RESTART_INTERVAL = 16;

/** What a block holds: the upper half of its type byte. */
export const BlockKind = {
  Data: 1,
  Index: 2,
  TopIndex: 3,
  Filter: 4,
  RangeTombstones: 5,
  Properties: 6,
} as const;
export type BlockKind = (typeof BlockKind)[keyof typeof BlockKind];

/** How a block is stored: the lower half of its type byte. */
export const Encoding = { Raw: 0, Snappy: 1 } as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

const KIND_NAMES: Record<BlockKind, string> = {
  1: "data",
  2: "index",
  3: "top-index",
  4: "filter",
  5: "range-tombstones",
  6: "properties",
};

export function kindName(kind: BlockKind): string {
  return KIND_NAMES[kind];
}

/** Where a block is: its first byte, and its bytes as they are stored, without the trailer. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** Offset behind a block's trailer. */
export function endOf({ offset, length }: Place): number {
  return offset + length + TRAILER_BYTES;
}

const OFFSET = new Uint8Array(8);

/**
 * The start of the checksum of the block at `offset`: so a block of another table or place fails it.
 * @param seedCrc CRC-32C of the table's seed
 */
export function checksumSeed(seedCrc: number, offset: number): number {
  let rest = offset;
  for (let i = 0; i < 8; i++) {
    OFFSET[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return crc32cRange(OFFSET, 0, 8, seedCrc);
}

/** What is wrong with a table at an offset. */
export interface TableDamage {
  /** Offset of the damaged block in its file. */
  readonly offset: number;
  /** The damage in words. */
  readonly message: string;
}

const DETAILS = new WeakMap<KayaError, TableDamage>();

/** The error for bytes that are not as a writer wrote them. */
export function corruption(path: string, offset: number, message: string): KayaError {
  const error = new KayaError(
    "KAYA_CORRUPTION",
    `${path} is damaged at offset ${offset}: ${message}. Restore the file from a backup.`,
  );
  DETAILS.set(error, { offset, message });
  return error;
}

/** The arguments that `corruption` was called with. @throws `error` itself where it is no such error */
export function damageOf(error: unknown): TableDamage {
  const details = KayaError.is(error) ? DETAILS.get(error) : undefined;
  if (details === undefined) throw error;
  return details;
}
