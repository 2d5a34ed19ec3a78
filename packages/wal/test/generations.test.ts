import { type FaultRule, Random, SimDisk } from "@kaya/io";
import { expect, it, vi } from "vitest";
import type { WalPayload, WalRecord } from "../src/index.js";
import { HaltingDisk } from "./halting-disk.js";
import { batch, del, fill, imageOf, noop, outcome, put, settle } from "./support.js";
import { checkRecovered, Run } from "./workload.js";

const SEEDS = Number(process.env.KAYA_SEEDS ?? 150);

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 + 100 * SEEDS });

/**
 * A log that lives through many writers: faults, kills, crashes and clean closes in any order, all from one seed.
 * KAYA_SEEDS=20000 goes on for longer.
 */
it(`R1 to R5, W1 to W6: ${SEEDS} logs, each through a dozen lives`, async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    try {
      await new Life(seed).live();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
});

class Life {
  readonly #random: Random;
  readonly #disk: SimDisk;
  #process: HaltingDisk;
  readonly #config: { segmentMaxBytes: number; maxBatchBytes: number };
  /** What may come back; how much of it must. */
  #possible: readonly WalRecord[] = [];
  #durable = 0;

  #trustPageCache = true;
  #count = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#disk = new SimDisk({ seed });
    this.#process = new HaltingDisk(this.#disk);
    this.#config = {
      segmentMaxBytes: this.#random.pick([200, 700, 3000]),
      maxBatchBytes: this.#random.pick([1, 150, 4000]),
    };
  }

  async live(): Promise<void> {
    for (let life = 0; life < 12; life++) {
      for (let faults = this.#random.below(3); faults > 0; faults--) this.#disk.addFault(this.#fault());
      this.#process = new HaltingDisk(this.#disk);
      await this.#one();
      this.#process.halt();
      this.#end();
    }
    // At last the faults come to an end: then the log opens, and nothing half-made is left.
    this.#process = new HaltingDisk(this.#disk);
    for (let attempt = 0; !(await this.#opensWithoutLeftovers()); attempt++) expect(attempt).toBeLessThan(50);
  }

  async #opensWithoutLeftovers(): Promise<boolean> {
    const opened = await this.#open(new Run());
    return (
      opened !== undefined && !Object.keys(await imageOf(this.#disk)).some((path) => path.endsWith(".tmp"))
    );
  }

  async #one(): Promise<void> {
    const run = new Run();
    const opened = await this.#open(run);
    if (opened === undefined) return;
    const { writer, found } = opened;
    for (let turn = this.#random.below(8); turn > 0; turn--) {
      const appends = Array.from({ length: 1 + this.#random.below(4) }, () =>
        run.append(this.#payload(), this.#random.pick(["strict", "relaxed"])),
      );
      if (this.#random.chance(0.2)) outcome(writer.sync()).catch(() => undefined);
      if (this.#random.chance(0.3)) await Promise.resolve();
      else await Promise.all(appends);
    }
    if (this.#random.chance(0.3)) {
      await outcome(writer.close());
      this.#trustPageCache = writer.isClean;
    } else if (this.#random.chance(0.5)) {
      await settle();
    }
    this.#possible = run.possible(found);
    const acknowledged = run.attempts.some(({ state }) => state === "acknowledged");
    this.#durable = Math.max(writer.durableLsn, acknowledged ? run.required("strict", found.length) : 0);
    if (writer.isClean)
      this.#durable = Math.max(this.#durable, acknowledged ? run.required("all", found.length) : 0);
  }

  /** Opens, and checks what was found; from then on the writer's word counts. Undefined where the disk failed. */
  async #open(run: Run) {
    const options = { trustPageCache: this.#trustPageCache };
    const opened = await outcome(run.open(this.#process, this.#config, options));
    this.#trustPageCache = false;
    if ("error" in opened) {
      expect(opened.error).toMatchObject({
        code: expect.stringMatching(/^KAYA_(IO|DISK_FULL|FSYNC_FAILED)$/),
      });
      return undefined;
    }
    const writer = opened.value;
    const found = writer.recovery.records.map(({ record }) => record);
    checkRecovered(found, this.#possible, this.#durable, "opened");
    this.#possible = found;
    this.#durable = writer.durableLsn;
    return { writer, found };
  }

  #end(): void {
    if (this.#random.chance(0.5)) {
      this.#disk.crash({ survive: this.#random.pick(["nothing", "everything", "random"]) });
      this.#trustPageCache = true;
    } else {
      this.#disk.killProcess();
    }
  }

  #payload(): WalPayload {
    const key = `k${this.#count++}`;
    const value = fill(this.#random.pick([0, 1, 40, 100, 140]), this.#count);
    return this.#random.pick([put(key, value), put(key, value), del(key), noop, batch(put(key), del(key))]);
  }

  #fault(): FaultRule {
    const at = this.#disk.nextOperation + this.#random.below(40);
    const outcome = this.#random.pick(["readable-until-crash", "kept", "lost"]);
    const bytes = this.#random.below(300);
    return this.#random.pick<FaultRule>([
      { at, kind: "fsync-failed", outcome },
      { at, kind: "io-error", outcome },
      { at, kind: "disk-full" },
      { at, kind: "partial-write", bytes },
    ]);
  }
}
