import type { DurabilityMode, WalConfig } from "@kaya/core";
import { type FaultRule, Random, type SimDisk } from "@kaya/io";
import type { WalPayload } from "@kaya/wal";
import { isGranted } from "./answers.js";
import { type Scenario, scenario } from "./scenario.js";
import { walCheck } from "./wal-check.js";
import { WalSession } from "./wal-session.js";
import { batch, del, delRange, noop, put, value, type WalWrite } from "./wal-write.js";

const STEPS = 10;
// Each fault strikes once, and there is one a step at most.
const OPEN_ATTEMPTS = 2 * STEPS;
const FAULT_REACH = 6;

/**
 * A workload that the seed makes up: appends of all kinds and sizes, several in flight, with syncs, checkpoints, kills,
 * crashes, reopenings and, every other time, faults in between. The same seed makes the same one.
 */
export function generatedWalScenario(seed: number): Scenario {
  const random = new Random(seed);
  const config = configOf(random);
  const withFaults = random.chance(0.5);
  const trustPageCache = random.chance(0.5);
  return scenario<WalWrite>(`wal: generated from seed ${seed}${withFaults ? ", with faults" : ""}`, {
    workload: async (disk, history) => {
      const session = new WalSession(disk, history, { config, losesRelaxed: withFaults });
      const life = new GeneratedLife(session, disk, new Random(seed, 1), withFaults);
      await life.live();
    },
    check: walCheck({ config, trustPageCache }),
  });
}

function configOf(random: Random): Partial<WalConfig> {
  const segmentMaxBytes = random.pick([400, 700, 1500, 6000]);
  return { segmentMaxBytes, maxRecordBytes: segmentMaxBytes, maxBatchBytes: random.pick([300, 1000]) };
}

class GeneratedLife {
  readonly #session: WalSession;
  readonly #disk: SimDisk;
  readonly #random: Random;
  readonly #withFaults: boolean;
  #keys = 0;

  constructor(session: WalSession, disk: SimDisk, random: Random, withFaults: boolean) {
    this.#session = session;
    this.#disk = disk;
    this.#random = random;
    this.#withFaults = withFaults;
  }

  async live(): Promise<void> {
    await this.#open();
    for (let step = 0; step < STEPS; step++) {
      if (this.#withFaults && this.#random.chance(0.4)) this.#addFault();
      await this.#step();
      if (this.#session.writer.failure !== undefined) await this.#reopen(() => this.#session.close());
    }
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(16);
    if (choice < 9) await this.#append();
    else if (choice < 11) await this.#session.sync();
    else if (choice === 11) await this.#checkpoint();
    else if (choice === 12) await this.#reopen(() => this.#session.close());
    else if (choice === 13) await this.#reopen(() => this.#session.kill());
    else await this.#reopen(() => this.#session.crash({ survive: "random", seed: this.#random.uint32() }));
  }

  async #append(): Promise<void> {
    const first = this.#session.append(...this.#appends());
    const second = this.#random.chance(0.3) ? this.#session.appendLater(...this.#appends()) : undefined;
    await Promise.all([first, second]);
  }

  #appends(): [WalPayload, DurabilityMode][] {
    const count = 1 + this.#random.below(3);
    return Array.from({ length: count }, () => [
      this.#payload(),
      this.#random.pick(["strict", "relaxed", "relaxed"]),
    ]);
  }

  #payload(): WalPayload {
    const key = `key ${++this.#keys}`;
    const bytes = value(this.#random.pick([0, 20, 100, 200, 300]));
    return this.#random.pick([
      put(key, bytes),
      put(key, bytes),
      del(key),
      noop,
      batch(put(key, bytes), del("x")),
      delRange("key", key),
      batch(delRange(key), put(key, bytes)),
    ]);
  }

  /** A fault may prevent it; then the earlier one still counts. */
  async #checkpoint(): Promise<void> {
    await isGranted(
      this.#session.checkpoint(async () => (this.#random.chance(0.5) ? this.#append() : undefined)),
    );
  }

  async #reopen(end: () => Promise<void> | void): Promise<void> {
    await end();
    await this.#open();
  }

  /** A fault in recovery is reported; the program tries again. */
  async #open(): Promise<void> {
    for (let attempt = 1; attempt < OPEN_ATTEMPTS; attempt++) {
      if (await isGranted(this.#session.open())) return;
    }
    await this.#session.open();
  }

  #addFault(): void {
    const at = this.#disk.nextOperation + this.#random.below(FAULT_REACH);
    const rule = this.#random.pick<FaultRule>([
      { at, kind: "disk-full" },
      { at, kind: "io-error" },
      { at, kind: "io-error", outcome: "kept" },
      { at, kind: "partial-write", bytes: this.#random.below(400) },
      { at, kind: "fsync-failed", outcome: "readable-until-crash" },
      { at, kind: "fsync-failed", outcome: "kept" },
      { at, kind: "fsync-failed", outcome: "lost" },
      { atRead: this.#disk.nextRead + this.#random.below(FAULT_REACH), kind: "read-error" },
    ]);
    this.#disk.addFault(rule);
  }
}
