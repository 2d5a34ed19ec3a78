import type { PartialEngineConfig } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { SimDisk } from "@kaya/io";
import { openEngine } from "./open-engine.js";

/** The directory that is copied, on a disk that nothing happens to: tables on two levels and a log of some segments. */
export class BackupSource {
  readonly disk: SimDisk;
  readonly engine: Engine;
  readonly config: PartialEngineConfig;
  #written = 0;

  private constructor(disk: SimDisk, engine: Engine, config: PartialEngineConfig) {
    this.disk = disk;
    this.engine = engine;
    this.config = config;
  }

  static async open(config: PartialEngineConfig): Promise<BackupSource> {
    const disk = new SimDisk();
    const source = new BackupSource(disk, await openEngine(config, disk), config);
    for (let n = 0; n < 3; n++) await source.put();
    await source.engine.compact();
    for (let n = 0; n < 3; n++) await source.put();
    return source;
  }

  async put(): Promise<void> {
    const n = this.#written++;
    await this.engine.put(`key ${n % 5}`, `${n}${"x".repeat(100 + 60 * (n % 7))}`);
  }

  /** Makes some of its tables new: more with each round, up to all of them. */
  async change(round: number): Promise<void> {
    await this.put();
    if (round % 3 > 0) await this.engine.flush();
    await this.put();
    if (round % 3 === 2) await this.engine.compact();
  }

  get lsn(): number {
    return this.engine.stats().lastLsn;
  }
}
