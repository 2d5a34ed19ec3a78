import type { PartialEngineConfig, TablesConfig } from "@kaya/core";
import { Engine, type OpenEngineOptions } from "@kaya/engine";
import type { Disk, SimDisk } from "@kaya/io";
import { logIdsOf } from "../log-ids.js";

/** Instead of random numbers for an engine on a simulated disk: the same in each run, and unique on a disk and its forks. */
export function engineOptionsOf(disk: SimDisk): OpenEngineOptions {
  return { newLogId: logIdsOf(disk), randomSeed: tableSeedsOf(disk), largeValueBytes: 100 };
}

/** @param on what it is opened on; default: the disk itself */
export function openEngine(config: PartialEngineConfig, disk: SimDisk, on: Disk = disk): Promise<Engine> {
  return Engine.open(config, on, engineOptionsOf(disk));
}

/** No pause that takes real time, and no background work that nobody asked for. */
export const STILL: Partial<TablesConfig> = { autoFlush: false, autoCompact: false, quietMs: 0 };

/** So small that a few writes make several tables and levels. */
export const TINY: Partial<TablesConfig> = {
  ...STILL,
  tableBytes: 600,
  blockBytes: 512,
  level0Tables: 2,
  level0Stop: 4,
  baseLevelBytes: 700,
  levelRatio: 2,
};

function tableSeedsOf(disk: SimDisk): () => Uint8Array {
  let made = 0;
  return () => {
    const seed = new Uint8Array(16);
    const view = new DataView(seed.buffer);
    view.setUint32(0, disk.nextOperation);
    view.setUint32(4, ++made);
    return seed;
  };
}
