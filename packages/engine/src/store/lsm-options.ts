import type { EngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmOptions } from "@kaya/lsm";

/** How the engine's tables are written and compacted. */
export interface TablesEnvironment {
  /** What reads back is known to be on the disk: the last process closed it cleanly. */
  readonly trustPageCache?: boolean;
  /** Gives 16 bytes that nobody can foresee. Default: from `node:crypto`. */
  readonly randomSeed?: (() => Uint8Array) | undefined;
  /** Writes were served since this was asked last. */
  readonly isBusy?: () => boolean;
}

export function lsmOptions(
  { memory, compression, tables }: EngineConfig,
  disk: Disk,
  { trustPageCache = false, randomSeed, isBusy = () => false }: TablesEnvironment = {},
): LsmOptions {
  const { autoFlush: _, ...shape } = tables;
  return {
    ...shape,
    compression,
    cacheBytes: memory.cacheBytes,
    trustPageCache,
    // A rest takes real time, which a simulated disk knows nothing of.
    load: { isBusy: disk.root === undefined ? () => false : isBusy },
    ...(randomSeed !== undefined && { randomSeed }),
  };
}
