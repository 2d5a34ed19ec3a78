import type { PartialEngineConfig } from "@kaya/core";
import { Engine, type OpenEngineOptions, type Turns } from "@kaya/engine";
import type { Disk } from "@kaya/io";

/** Opens the engine that is tested. */
export type EngineOpener = (
  config: PartialEngineConfig,
  disk: Disk,
  options?: OpenEngineOptions,
) => Promise<Engine>;

/** What a simulation tests. The defaults are the engine as it is, on a disk as it is. */
export interface SimulationTarget {
  /** Opens another build of the engine: a patched copy with a deliberate bug. */
  readonly open?: EngineOpener;
  /** Stands between the engine and the disk: a deliberate bug, such as a sync that does nothing. */
  readonly wrapDisk?: (disk: Disk) => Disk;
}

export function openerOf({ open = Engine.open, wrapDisk = (disk) => disk }: SimulationTarget): EngineOpener {
  return (config, disk, options) =>
    open(config, wrapDisk(disk), { turns: TINY_TURNS, largeValueBytes: LARGE_VALUE_BYTES, ...options });
}

/** So that some values go to the disk from memory of their own, which the memtable keeps, and others are copied. */
const LARGE_VALUE_BYTES = 10;

/** So that batches of a few operations are applied in slices, with others at work in between. */
const TINY_TURNS: Turns = {
  operations: 2,
  longestPrecedenceMs: Number.POSITIVE_INFINITY, // a slow machine must change nothing
  next: async () => {
    for (let i = 0; i < 12; i++) await undefined;
  },
};
