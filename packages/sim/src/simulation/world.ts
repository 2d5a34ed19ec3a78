import type { WalConfig } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { ArmedFaults } from "./armed-faults.js";
import { Digest } from "./digest.js";
import type { EngineOpener } from "./target.js";
import { Timeline } from "./timeline.js";

/** What outlives a process: the disk, the faults that wait on it, and what is known of every write. */
export class World {
  readonly disk: SimDisk;
  readonly faults = new ArmedFaults();
  readonly timeline = new Timeline();
  readonly digest = new Digest();
  readonly openEngine: EngineOpener;
  config: WalConfig;
  crashes = 0;
  kills = 0;
  reopenings = 0;
  acknowledged = 0;
  reads = 0;

  constructor(seed: number, config: WalConfig, openEngine: EngineOpener) {
    this.disk = new SimDisk({ seed });
    this.config = config;
    this.openEngine = openEngine;
  }
}
