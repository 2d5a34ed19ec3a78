import { DurabilityMode } from "./durability.js";
import { Problems } from "./validation.js";
import { readWalConfig, type WalConfig } from "./wal-config.js";

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

// The arena of the records addresses 32 GiB, of which up to a quarter may be waiting to be reclaimed.
const MAX_MEMORY = 24 * GiB;

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
  /**
   * What the data may take in memory: entries, their indexes, and what open snapshots keep. A write past it is refused with
   * KAYA_MEMORY_LIMIT before it is logged. The process takes up to a third more while room is reclaimed, and what Node takes. Default
   * and maximum 24 GiB: what can be addressed, with room to reclaim. Whatever the limit, 131,071 entries over 64 KiB are the most.
   */
  readonly memoryLimitBytes: number;
  /** When the log is shrunk. */
  readonly checkpoint: {
    /** By itself, once the log has outgrown the data. Default true. */
    readonly auto: boolean;
    /** Not before the log has so many bytes. Default 32 MiB. */
    readonly minLogBytes: number;
    /** Not before the log has so many times the bytes that the live data would have in it. Default 0.5. */
    readonly logRatio: number;
  };
  /** For those who follow the log. */
  readonly changes: {
    /** Most bytes of the log that stay for consumers although a checkpoint covers them. Default 256 MiB. */
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
    "memoryLimitBytes",
    "checkpoint",
    "changes",
    "readOnly",
    "allowForeignFiles",
    "disableLocking",
  ]);
  const limits = problems.object(given.limits, "limits", ["maxKeyBytes", "maxValueBytes"]);
  const checkpoint = problems.object(given.checkpoint, "checkpoint", ["auto", "minLogBytes", "logRatio"]);
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
    memoryLimitBytes: problems.integer(given.memoryLimitBytes, "memoryLimitBytes", MAX_MEMORY, 0, MAX_MEMORY),
    checkpoint: {
      auto: problems.boolean(checkpoint.auto, "checkpoint.auto", true),
      minLogBytes: problems.integer(checkpoint.minLogBytes, "checkpoint.minLogBytes", 32 * MiB, 0),
      logRatio: problems.ratio(checkpoint.logRatio, "checkpoint.logRatio", 0.5),
    },
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
