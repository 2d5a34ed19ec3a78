import { randomBytes } from "node:crypto";
import { KayaError, type LogPosition } from "@kaya/core";
import type { TableFormat } from "../compaction/job.js";
import type { Load } from "../compaction/pace.js";
import { COMPRESSIONS } from "../table/compression.js";

const KiB = 1024;
const MiB = 1024 * KiB;

/** What an opening finds before it changes anything. */
export interface TreeFacts {
  /** What of the log is in the tables. */
  readonly covered: LogPosition;
  /** As the owner last gave it; empty where it never did. */
  readonly logIdentity: string;
  /** How many tables there are. */
  readonly tables: number;
}

/** The shape of a tree, its cache, and when it compacts. Everything is optional. */
export interface LsmOptions {
  /** Most bytes of blocks, indexes and filters in memory. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** How blocks are compressed. Default `none`. `snappy` needs the optional package of that name. */
  readonly compression?: TableFormat["compression"];
  /** Bytes of a data block, before compression. Default 16 KiB. */
  readonly blockBytes?: number;
  /** Bits of each table's filter for each key; 0 makes no filter. Default 10. */
  readonly bitsPerKey?: number;
  /** A table that is being written is synced after so many bytes, so that no sync takes long. Default 1 MiB. */
  readonly syncBytes?: number;
  /** About how many bytes a table has that a compaction writes. Default 32 MiB. */
  readonly tableBytes?: number;
  /** Level 0 is merged once it has so many tables. Default 4. */
  readonly level0Tables?: number;
  /** A flush waits while level 0 has so many tables and a compaction is under way. Default 12. */
  readonly level0Stop?: number;
  /** Most bytes of the first level below level 0. Default 128 MiB. */
  readonly baseLevelBytes?: number;
  /** How many times the bytes of a level the next one has. Default 10. */
  readonly levelRatio?: number;
  /** Compacts by itself, after each flush. Default true. */
  readonly autoCompact?: boolean;
  /**
   * After so many milliseconds without a flush, what is overwritten or deleted is brought down to a seventh of the data. 0: never.
   * Default 1,000.
   */
  readonly quietMs?: number;
  /** Merges of a real disk run on a thread of their own. Default true. */
  readonly worker?: boolean;
  /** The manifest begins anew once it has so many bytes. Default 1 MiB. */
  readonly manifestBytes?: number;
  /**
   * What reads back is known to be on the disk: the last process closed it cleanly. Then an opening
   * need not write the manifest anew. Default false.
   */
  readonly trustPageCache?: boolean;
  /** Called before `LsmTree.open` changes anything. It may throw, and so refuse. */
  readonly accept?: (found: TreeFacts) => void | Promise<void>;
  /** Whom compaction competes with. Default: nobody. */
  readonly load?: Load;
  /**
   * The time in milliseconds since 1970, as the owner's readers have it: a compaction takes away what has expired by then. What it gave once
   * counts from then on, also where it goes back. Default: the system's clock.
   */
  readonly now?: () => number;
  /** Gives 16 bytes that nobody can foresee. Default: from `node:crypto`. */
  readonly randomSeed?: () => Uint8Array;
}

export type ResolvedLsmOptions = Required<LsmOptions>;

const NUMBERS = {
  cacheBytes: { default: 64 * MiB, min: 0 },
  blockBytes: { default: 16 * KiB, min: 512, max: MiB },
  bitsPerKey: { default: 10, min: 0, max: 24 },
  syncBytes: { default: MiB, min: 4096 },
  tableBytes: { default: 32 * MiB, min: 1 },
  level0Tables: { default: 4, min: 1 },
  level0Stop: { default: 12, min: 1 },
  baseLevelBytes: { default: 128 * MiB, min: 1 },
  levelRatio: { default: 10, min: 2 },
  quietMs: { default: 1000, min: 0, max: 2 ** 31 - 1 },
  manifestBytes: { default: MiB, min: 0 },
} as const;

const OTHERS = [
  "compression",
  "autoCompact",
  "worker",
  "trustPageCache",
  "accept",
  "load",
  "now",
  "randomSeed",
];

/**
 * Defaults and validation.
 * @throws KayaError KAYA_INVALID_ARGUMENT naming every unknown or impossible value at once
 */
export function resolveLsmOptions(given: LsmOptions = {}): ResolvedLsmOptions {
  const problems: string[] = [];
  const known = [...Object.keys(NUMBERS), ...OTHERS];
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) problems.push(`${key} is not an option (known: ${known.join(", ")})`);
  }
  const number = (name: keyof typeof NUMBERS): number => {
    const {
      default: fallback,
      min,
      max = Number.MAX_SAFE_INTEGER,
    } = NUMBERS[name] as {
      default: number;
      min: number;
      max?: number;
    };
    const value = given[name] ?? fallback;
    if (!(Number.isSafeInteger(value) && value >= min && value <= max))
      problems.push(`${name} must be a whole number from ${min} to ${max}, not ${String(value)}`);
    return value;
  };
  const boolean = (name: "autoCompact" | "worker" | "trustPageCache", fallback: boolean): boolean => {
    const value = given[name] ?? fallback;
    if (typeof value !== "boolean") problems.push(`${name} must be true or false, not ${String(value)}`);
    return value;
  };
  const { compression = "none" } = given;
  if (!COMPRESSIONS.includes(compression))
    problems.push(`compression must be one of ${COMPRESSIONS.join(", ")}, not ${String(compression)}`);
  const resolved = {
    cacheBytes: number("cacheBytes"),
    compression,
    blockBytes: number("blockBytes"),
    bitsPerKey: number("bitsPerKey"),
    syncBytes: number("syncBytes"),
    tableBytes: number("tableBytes"),
    level0Tables: number("level0Tables"),
    level0Stop: number("level0Stop"),
    baseLevelBytes: number("baseLevelBytes"),
    levelRatio: number("levelRatio"),
    autoCompact: boolean("autoCompact", true),
    quietMs: number("quietMs"),
    worker: boolean("worker", true),
    manifestBytes: number("manifestBytes"),
    trustPageCache: boolean("trustPageCache", false),
    accept: given.accept ?? (() => undefined),
    load: given.load ?? { isBusy: () => false },
    now: neverBack(given.now ?? Date.now),
    randomSeed: given.randomSeed ?? (() => randomBytes(16)),
  };
  if (resolved.level0Stop < resolved.level0Tables)
    problems.push(
      `level0Stop (${resolved.level0Stop}) must not be below level0Tables (${resolved.level0Tables})`,
    );
  if (problems.length === 0) return resolved;
  throw new KayaError("KAYA_INVALID_ARGUMENT", `invalid options of a tree: ${problems.join("; ")}`);
}

/** Never goes back: an entry that a compaction removed must not count as unexpired later. */
function neverBack(now: () => number): () => number {
  let latest = 0;
  return () => {
    latest = Math.max(latest, now());
    return latest;
  };
}

/** How the tables of a tree are written. */
export function formatOf({
  compression,
  blockBytes,
  bitsPerKey,
  syncBytes,
}: ResolvedLsmOptions): TableFormat {
  return { compression, blockBytes, bitsPerKey, syncBytes };
}
