import type { EngineConfig } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { LsmOptions } from "@kaya/lsm";
import { type Now, SYSTEM_CLOCK } from "../clock.js";

/** How the engine's tables are written and compacted. */
export interface TablesEnvironment {
  /** What reads back is known to be on the disk: the last process closed it cleanly. */
  readonly trustPageCache?: boolean;
  /** Gives 16 bytes that nobody can foresee. Default: from `node:crypto`. */
  readonly randomSeed?: (() => Uint8Array) | undefined;
  /** Writes were served since this was asked last. */
  readonly isBusy?: () => boolean;
  /** What compaction takes for the time. Default: the system's. */
  readonly now?: Now | undefined;
}

export function lsmOptions(
  { memory, compression, tables }: EngineConfig,
  disk: Disk,
  {
    trustPageCache = false,
    randomSeed,
    isBusy = () => false,
    now = SYSTEM_CLOCK.now,
  }: TablesEnvironment = {},
): LsmOptions {
  const { autoFlush: _, ...shape } = tables;
  return {
    ...shape,
    compression,
    cacheBytes: memory.cacheBytes,
    now,
    trustPageCache,
    // A rest takes real time, which a simulated disk knows nothing of.
    load: { isBusy: disk.root === undefined ? () => false : isBusy },
    ...(randomSeed !== undefined && { randomSeed }),
  };
}
