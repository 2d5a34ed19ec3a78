import { DurabilityMode } from "./durability.js";
import { readTablesConfig, type TablesConfig } from "./tables-config.js";
import { Problems } from "./validation.js";
import { readWalConfig, type WalConfig } from "./wal-config.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** The configuration of an engine, with all defaults filled in. */
export interface EngineConfig {
  /** The directory of the data. Default `./data`. Not used if a `Disk` is given. */
  readonly dataDir: string;
  /** The durability of writes that do not name one. Default `strict`. */
  readonly durability: DurabilityMode;
  /** The write-ahead log: sizes, and how recovery treats damage. */
  readonly wal: WalConfig;
  /** How large keys and values may be. */
  readonly limits: {
    /** Most bytes of a key. Default 4,096. */
    readonly maxKeyBytes: number;
    /** Most bytes of a value. Default 16 MiB. A value that does not fit `wal.maxRecordBytes` is refused too. */
    readonly maxValueBytes: number;
  };
  /** How much memory the data takes, whatever its size. The process takes about 64 MiB beside it. */
  readonly memory: {
    /**
     * Most bytes of the two memtables: one that takes writes, and one that is being flushed into a table.
     * Default 64 MiB, at most 16 GiB. The log grows to as much before a flush, so this bounds how much an
     * opening after a crash replays. A single batch may exceed it.
     */
    readonly memtableBytes: number;
    /** Most bytes of blocks, indexes and filters of tables that stay in memory. Default 64 MiB. */
    readonly cacheBytes: number;
  };
  /**
   * How the blocks of tables are compressed. Default `none`. `snappy` needs the optional package of that name.
   */
  readonly compression: "none" | "snappy";
  /** The shape of the tables, and when they are flushed and compacted. */
  readonly tables: TablesConfig;
  /** How much log is kept for consumers of the change feed. */
  readonly changes: {
    /** Most bytes of the log that stay for consumers although the tables cover them. Default 256 MiB. */
    readonly maxKeptLogBytes: number;
  };
  /**
   * Only reads: takes no lock, creates and changes nothing. The directory may be on a read-only file system,
   * belong to another user, or be open in another process. Every write is refused with KAYA_READ_ONLY. Default
   * false.
   */
  readonly readOnly: boolean;
  /**
   * Allows a directory that holds other files and no data of Kaya. Default false: it is refused, and the
   * message names such a file. A directory with data of Kaya may hold other files in any case.
   */
  readonly allowForeignFiles: boolean;
  /** Leaves out the kernel lock on the data directory; then nothing keeps a second process out. Default false. */
  readonly disableLocking: boolean;
}

/** The configuration of an engine with everything optional, at every depth. */
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
      memtableBytes: problems.integer(memory.memtableBytes, "memory.memtableBytes", 64 * MiB, KiB, 16 * GiB),
      cacheBytes: problems.integer(memory.cacheBytes, "memory.cacheBytes", 64 * MiB, 0),
    },
    compression: problems.oneOf<"none" | "snappy">(given.compression, "compression", "none", [
      "none",
      "snappy",
    ]),
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
