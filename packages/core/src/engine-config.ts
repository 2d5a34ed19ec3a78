import { DurabilityMode } from "./durability.js";
import { readTablesConfig, type TablesConfig } from "./tables-config.js";
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
     * Of the two memtables: one that takes writes, and one that is being flushed into a table. Default 64 MiB, at most 16 GiB. Also the most that
     * the log grows to before a flush, so it bounds what an opening after a crash replays. A single batch may go past it.
     */
    readonly memtableBytes: number;
    /** Of blocks, indexes and filters of tables that stay in memory. Default 64 MiB. */
    readonly cacheBytes: number;
  };
  /** Of the blocks of tables. Default `none`. `snappy` needs the optional package of that name. */
  readonly compression: "none" | "snappy";
  readonly tables: TablesConfig;
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
