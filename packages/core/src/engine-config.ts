import { DurabilityMode } from "./durability.js";
import { Problems } from "./validation.js";
import { readWalConfig, type WalConfig } from "./wal-config.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export interface EngineConfig {
  /** Where the data lives. Default `./data`. Not used where a `Disk` is given. */
  readonly dataDir: string;
  /** Of writes that do not say. Default `strict`. */
  readonly durability: DurabilityMode;
  readonly wal: WalConfig;
  readonly limits: {
    /** Default 4,096 bytes. */
    readonly maxKeyBytes: number;
    /** Default 16 MiB. What does not fit `wal.maxRecordBytes` is refused too. */
    readonly maxValueBytes: number;
  };
  /** What the data takes in memory, whatever its size. The process takes some 64 MiB beside it. */
  readonly memory: {
    /**
     * Of the two memtables: one that takes writes, and one that is being flushed into a table. Default 64 MiB. Also the most that
     * the log grows to before a flush, so it bounds what an opening after a crash replays. A single batch may go past it.
     */
    readonly memtableBytes: number;
    /** Of blocks, indexes and filters of tables that stay in memory. Default 64 MiB. */
    readonly cacheBytes: number;
  };
  /** Of the blocks of tables. Default `none`. `snappy` needs the optional package of that name. */
  readonly compression: "none" | "snappy";
  /** The shape of the tables. The defaults suit nearly everybody. */
  readonly tables: {
    /** Flushes by itself: once a memtable is full, and at a close that leaves much to replay. Default true. */
    readonly autoFlush: boolean;
    /** Compacts by itself. Default true. */
    readonly autoCompact: boolean;
    /** Of a table that a compaction writes, about. Default 32 MiB. */
    readonly tableBytes: number;
    /** Of a block, before compression. From 512 bytes to 1 MiB. Default 16 KiB. */
    readonly blockBytes: number;
    /** Level 0 is compacted once it has so many tables. Default 4. */
    readonly level0Tables: number;
    /** Flushes wait for a compaction where level 0 has so many tables; at least `level0Tables`. Default 12. */
    readonly level0Stop: number;
    /** Most bytes of the first level below level 0. Default 128 MiB. */
    readonly baseLevelBytes: number;
    /** How many times the bytes of a level the next one has; at least 2. Default 10. */
    readonly levelRatio: number;
    /** After so many milliseconds without a flush, compaction reclaims what is overwritten and deleted. 0: never. Default 1,000. */
    readonly quietMs: number;
    /** Compacts on a thread of its own. Default true. */
    readonly worker: boolean;
  };
  /** For those who follow the log. */
  readonly changes: {
    /** Most bytes of the log that stay for consumers although the tables cover them. Default 256 MiB. */
    readonly maxKeptLogBytes: number;
  };
  /**
   * Looks only: takes no lock, makes and changes nothing, and leaves no trace, in a directory that may be on a read-only file system, or belong
   * to somebody else, or be open in another process. Everything that would write is refused with KAYA_READ_ONLY. Default false.
   */
  readonly readOnly: boolean;
  /**
   * Writes into a directory that holds files of somebody else and no data of Kaya. Default false: it is refused, naming such a file. A directory
   * with data of Kaya may hold other files in any case.
   */
  readonly allowForeignFiles: boolean;
  /** Leaves out the kernel lock on the data directory; then nothing keeps a second process out. Default false. */
  readonly disableLocking: boolean;
}

/** `EngineConfig` with everything optional, at every depth. */
export type PartialEngineConfig = {
  readonly [K in keyof EngineConfig]?: EngineConfig[K] extends object
    ? Partial<EngineConfig[K]>
    : EngineConfig[K];
};

/**
 * Defaults and validation.
 * @throws KayaError KAYA_INVALID_ARGUMENT naming every unknown or impossible value at once.
 */
export function resolveEngineConfig(partial?: PartialEngineConfig): EngineConfig {
  const problems = new Problems();
  const given = problems.object(partial, "config", [
    "dataDir",
    "durability",
    "wal",
    "limits",
    "memory",
    "compression",
    "tables",
    "changes",
    "readOnly",
    "allowForeignFiles",
    "disableLocking",
  ]);
  const limits = problems.object(given.limits, "limits", ["maxKeyBytes", "maxValueBytes"]);
  const memory = problems.object(given.memory, "memory", ["memtableBytes", "cacheBytes"]);
  const changes = problems.object(given.changes, "changes", ["maxKeptLogBytes"]);
  const config: EngineConfig = {
    dataDir: problems.text(given.dataDir, "dataDir", "./data"),
    durability: problems.oneOf(
      given.durability,
      "durability",
      DurabilityMode.Strict,
      Object.values(DurabilityMode),
    ),
    wal: readWalConfig(given.wal, "wal", problems),
    limits: {
      maxKeyBytes: problems.integer(limits.maxKeyBytes, "limits.maxKeyBytes", 4 * KiB, 0),
      maxValueBytes: problems.integer(limits.maxValueBytes, "limits.maxValueBytes", 16 * MiB, 0),
    },
    memory: {
      memtableBytes: problems.integer(memory.memtableBytes, "memory.memtableBytes", 64 * MiB, KiB),
      cacheBytes: problems.integer(memory.cacheBytes, "memory.cacheBytes", 64 * MiB, 0),
    },
    compression: problems.oneOf(given.compression, "compression", "none", ["none", "snappy"]),
    tables: readTablesConfig(given.tables, problems),
    changes: {
      maxKeptLogBytes: problems.integer(changes.maxKeptLogBytes, "changes.maxKeptLogBytes", 256 * MiB, 0),
    },
    readOnly: problems.boolean(given.readOnly, "readOnly", false),
    allowForeignFiles: problems.boolean(given.allowForeignFiles, "allowForeignFiles", false),
    disableLocking: problems.boolean(given.disableLocking, "disableLocking", false),
  };
  problems.throwIfAny("engine configuration");
  return config;
}

function readTablesConfig(
  partial: Partial<EngineConfig["tables"]> | undefined,
  problems: Problems,
): EngineConfig["tables"] {
  const given = problems.object(partial, "tables", [
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
  const integer = (name: keyof typeof TABLES) => {
    const { fallback, min, max } = TABLES[name];
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

const TABLES = {
  tableBytes: { fallback: 32 * MiB, min: 1, max: GiB },
  blockBytes: { fallback: 16 * KiB, min: 512, max: MiB },
  level0Tables: { fallback: 4, min: 1, max: 1000 },
  baseLevelBytes: { fallback: 128 * MiB, min: 1, max: Number.MAX_SAFE_INTEGER },
  levelRatio: { fallback: 10, min: 2, max: 1000 },
  quietMs: { fallback: 1000, min: 0, max: 2 ** 31 - 1 },
} as const;
