import { type EngineConfig, resolveEngineConfig } from "@kaya/core";
import type { Random } from "@kaya/io";
import type { StoreConfig } from "./steps.js";

/** Does only what is asked for. */
export const QUIET_STORE = { tables: { autoFlush: false, autoCompact: false, quietMs: 0 } } as const;

const KiB = 1024;

/**
 * From memtables of a few records to one that no run fills, from tables of a few blocks and levels of a few tables on; a cache for
 * everything, for nearly nothing, or none. Most engines flush and compact by themselves.
 */
export function storeOf(random: Random): StoreConfig {
  const level0Tables = random.pick([1, 2, 2, 4]);
  const memory: EngineConfig["memory"] = {
    memtableBytes: random.pick([KiB, KiB, 2 * KiB, 4 * KiB, 8 * KiB, 64 * KiB]),
    cacheBytes: random.pick([0, 0, 2 * KiB, 1024 * KiB]),
  };
  const tables: Partial<EngineConfig["tables"]> = {
    autoFlush: random.chance(0.85),
    autoCompact: random.chance(0.85),
    tableBytes: random.pick([KiB, 2 * KiB, 16 * KiB]),
    blockBytes: 512,
    level0Tables,
    level0Stop: level0Tables + random.pick([0, 2, 8]),
    baseLevelBytes: random.pick([KiB, 4 * KiB, 16 * KiB]),
    levelRatio: random.pick([2, 4]),
    quietMs: 0, // it goes by the clock
    worker: false,
  };
  const { compression, ...resolved } = resolveEngineConfig({ memory, tables });
  return { memory: resolved.memory, tables: resolved.tables, compression };
}
