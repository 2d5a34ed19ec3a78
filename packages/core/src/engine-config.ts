import { DurabilityMode } from "./durability.js";
import { Problems } from "./validation.js";
import { readWalConfig, type WalConfig } from "./wal-config.js";

const KiB = 1024;
const MiB = 1024 * KiB;

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
  /** Whether the log is shrunk by itself. */
  readonly checkpoint: { readonly auto: boolean };
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
    "checkpoint",
    "disableLocking",
  ]);
  const limits = problems.object(given.limits, "limits", ["maxKeyBytes", "maxValueBytes"]);
  const checkpoint = problems.object(given.checkpoint, "checkpoint", ["auto"]);
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
    checkpoint: { auto: problems.boolean(checkpoint.auto, "checkpoint.auto", true) },
    disableLocking: problems.boolean(given.disableLocking, "disableLocking", false),
  };
  problems.throwIfAny("engine configuration");
  return config;
}
