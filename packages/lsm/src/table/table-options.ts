import { randomBytes } from "node:crypto";
import { describe, isBytes, KayaError, readOptions } from "@kaya/core";
import { COMPRESSIONS, type Compression } from "./compression.js";
import { SEED_BYTES } from "./format.js";

/** How a table is written. */
export interface TableWriterOptions {
  /**
   * How blocks are compressed. Default `"none"`. `"snappy"` needs the optional package of that name. A block
   * that does not shrink by an eighth is stored raw.
   */
  readonly compression?: Compression;
  /** A data block ends before it gets longer, its trailer included; one entry that is longer has a block of its own. From 512 to 1 MiB, default 16 KiB. */
  readonly blockBytes?: number;
  /**
   * Bits of the filter for each key; 0 makes no filter. From 0 to 24. Default 10: 1 % of absent keys are
   * searched in vain.
   */
  readonly bitsPerKey?: number;
  /** An index that gets longer is cut, and gets a level above it. From 512 to 64 MiB, default 1 MiB. */
  readonly indexBytes?: number;
  /** After so many bytes they are synced, so that one sync of all at the end does not hold up those of others. Default: at the end. */
  readonly syncBytes?: number;
  /**
   * 16 bytes that tell this table from every other one, and key the hash of its filter. Default: random ones. Give them only where a
   * run has to be repeated: two tables with the same seed cannot be told apart, and who knows it can choose keys that collide.
   */
  readonly seed?: Uint8Array;
}

export interface TableSettings {
  readonly compression: Compression;
  readonly blockBytes: number;
  readonly bitsPerKey: number;
  readonly indexBytes: number;
  readonly syncBytes: number;
  readonly seed: Uint8Array;
}

const KNOWN = ["compression", "blockBytes", "bitsPerKey", "indexBytes", "syncBytes", "seed"];
const MiB = 2 ** 20;

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function resolveTableOptions(given: TableWriterOptions): TableSettings {
  const options = readOptions(given, KNOWN, "the options of TableWriter.create");
  const { compression = "none", seed } = options;
  if (!COMPRESSIONS.includes(compression))
    throw wrong("compression", `one of ${COMPRESSIONS.map((name) => `"${name}"`).join(", ")}`, compression);
  if (seed !== undefined && !(isBytes(seed) && seed.length === SEED_BYTES))
    throw wrong("seed", `a Uint8Array of ${SEED_BYTES} bytes`, seed);
  return {
    compression,
    blockBytes: integer("blockBytes", options.blockBytes, 16 * 1024, 512, MiB),
    bitsPerKey: integer("bitsPerKey", options.bitsPerKey, 10, 0, 24),
    indexBytes: integer("indexBytes", options.indexBytes, MiB, 512, 64 * MiB),
    syncBytes:
      options.syncBytes === undefined
        ? Number.POSITIVE_INFINITY
        : integer("syncBytes", options.syncBytes, 0, 4096, Number.MAX_SAFE_INTEGER),
    seed: new Uint8Array(seed ?? randomBytes(SEED_BYTES)),
  };
}

function integer(
  name: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  if (value === undefined) return fallback;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw wrong(name, `a whole number from ${least} to ${most}`, value);
}

function wrong(name: string, expected: string, found: unknown): KayaError {
  return new KayaError(
    "KAYA_INVALID_ARGUMENT",
    `TableWriter: ${name} must be ${expected}, not ${describe(found)}`,
  );
}
