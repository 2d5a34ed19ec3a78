import type { Problems } from "./validation.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** The shape of the tables, and when they are flushed and compacted. The defaults suit nearly all programs. */
export interface TablesConfig {
  /** Flushes by itself when a memtable is full, and at a close that leaves much to replay. Default true. */
  readonly autoFlush: boolean;
  /** Compacts by itself. Default true. */
  readonly autoCompact: boolean;
  /** About how many bytes a table has that a compaction writes. From 1 to 1 GiB. Default 32 MiB. */
  readonly tableBytes: number;
  /** Bytes of a block, before compression. From 512 bytes to 1 MiB. Default 16 KiB. */
  readonly blockBytes: number;
  /** Level 0 is compacted when it has this many tables. From 1 to 1,000. Default 4. */
  readonly level0Tables: number;
  /** Flushes wait for a compaction when level 0 has this many tables; at least `level0Tables`. Default 12. */
  readonly level0Stop: number;
  /** Most bytes of the first level below level 0. Default 128 MiB. */
  readonly baseLevelBytes: number;
  /** Each further level has this many times the bytes of the level above. From 2 to 1,000. Default 10. */
  readonly levelRatio: number;
  /**
   * After this many milliseconds without a flush, compaction reclaims overwritten and deleted values. 0: never.
   * Default 1,000.
   */
  readonly quietMs: number;
  /** Compacts in a worker thread. Default true. */
  readonly worker: boolean;
}

const BOUNDS = {
  tableBytes: { fallback: 32 * MiB, min: 1, max: GiB },
  blockBytes: { fallback: 16 * KiB, min: 512, max: MiB },
  level0Tables: { fallback: 4, min: 1, max: 1000 },
  baseLevelBytes: { fallback: 128 * MiB, min: 1, max: Number.MAX_SAFE_INTEGER },
  levelRatio: { fallback: 10, min: 2, max: 1000 },
  quietMs: { fallback: 1000, min: 0, max: 2 ** 31 - 1 },
} as const;

/** Defaults and validation; problems are added to the caller's list. */
export function readTablesConfig(value: unknown, problems: Problems): TablesConfig {
  const given = problems.object(value, "tables", [
    "autoFlush",
    "autoCompact",
    "tableBytes",
    "blockBytes",
    "level0Tables",
    "level0Stop",
    "baseLevelBytes",
    "levelRatio",
    "quietMs",
    "worker",
  ]);
  const integer = (name: keyof typeof BOUNDS) => {
    const { fallback, min, max } = BOUNDS[name];
    return problems.integer(given[name], `tables.${name}`, fallback, min, max);
  };
  const level0Tables = integer("level0Tables");
  return {
    autoFlush: problems.boolean(given.autoFlush, "tables.autoFlush", true),
    autoCompact: problems.boolean(given.autoCompact, "tables.autoCompact", true),
    tableBytes: integer("tableBytes"),
    blockBytes: integer("blockBytes"),
    level0Tables,
    level0Stop: problems.integer(
      given.level0Stop,
      "tables.level0Stop",
      Math.max(12, level0Tables),
      level0Tables,
    ),
    baseLevelBytes: integer("baseLevelBytes"),
    levelRatio: integer("levelRatio"),
    quietMs: integer("quietMs"),
    worker: problems.boolean(given.worker, "tables.worker", true),
  };
}
