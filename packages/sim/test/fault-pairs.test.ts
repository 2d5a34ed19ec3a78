import { type Disk, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { type FaultedUse, liveThroughFaultPairs } from "../src/explorer/fault-pairs.js";
import {
  describeCrashViolation,
  explore,
  faultPairScenarios,
  type History,
  type Recorder,
  reproduce,
  UnmetFaultError,
} from "../src/index.js";

vi.setConfig({ testTimeout: 600_000 }); // a second of a processor each

// At some of their moments: `npx pnpm@10 torture` crashes them at all.
const BUDGET = {
  maxViolations: 1,
  maxBoundaries: 4,
  maxStatesPerBoundary: 2,
  maxStatesPerRecoveryBoundary: 1,
};

describe("a fault, and another in what follows it", () => {
  it.each(
    [0, 1].flatMap((seed) =>
      faultPairScenarios({ seed, rounds: 4 }).map((each) => [each.name, each] as const),
    ),
  )("breaks no promise: %s", async (_, scenario) => {
    const report = await scenario.explore(BUDGET);
    expect(report.violations.map(describeCrashViolation)).toEqual([]);
    expect(report.faultPairs.length).toBeGreaterThanOrEqual(2);
    expect(report.states.insideRecovery).toBeGreaterThan(0);
  });

  it("is the same again for the same seed, and another for another", async () => {
    const look = async (seed: number) => {
      const [scenario] = faultPairScenarios({ seed, rounds: 3 });
      const report = await scenario?.explore({ ...BUDGET, maxStatesPerBoundary: 2 });
      return [report?.digest, report?.faultPairs];
    };
    const first = await look(2);
    expect(await look(2)).toEqual(first);
    expect((await look(4))[1]).not.toEqual(first[1]);
  });

  it("is not passed where the faults meet nothing", async () => {
    const idle: FaultedUse = {
      prepare: async () => undefined,
      act: async () => undefined,
      sequels: [{ name: "nothing", weight: 1, follow: async () => undefined }],
      mend: async () => undefined,
    };
    const recorder: Recorder = { onlyWhile: () => undefined, noteFaultPair: () => undefined };
    const options = { seed: 1, rounds: 4, mayTakeBytes: false };
    await expect(liveThroughFaultPairs(new SimDisk(), recorder, () => idle, options)).rejects.toThrow(
      UnmetFaultError,
    );
  });
});

/** Saves by writing anew and renaming. What it could not finish it takes away again: also the name that an earlier call made. */
class Store implements FaultedUse {
  readonly #disk: SimDisk;
  readonly #history: History<string> | undefined;
  readonly sequels = [{ name: "again", weight: 1, follow: (round: number) => this.act(round) }];

  constructor(disk: SimDisk, history?: History<string>) {
    this.#disk = disk;
    this.#history = history;
  }

  async prepare(): Promise<void> {}

  async act(round: number): Promise<void> {
    const value = `${round} ${this.#disk.nextOperation}`;
    this.#history?.attempt(value);
    try {
      await save(this.#disk, value);
      this.#history?.acknowledge(value);
    } catch {
      // the next attempt may succeed
    }
  }

  async mend(): Promise<void> {}
}

async function save(disk: Disk, value: string): Promise<void> {
  try {
    const file = await disk.open("settings.tmp", { create: true });
    await file.truncate(0);
    await file.append(new TextEncoder().encode(value));
    await file.sync();
    await file.close();
    await disk.rename("settings.tmp", "settings");
    await disk.syncDir("");
  } catch (error) {
    await disk.remove("settings.tmp").catch(() => disk.remove("settings")); // the bug
    throw error;
  }
}

describe("a store whose second cleanup takes too much", () => {
  const check = async (disk: SimDisk, { acknowledged }: { readonly acknowledged: ReadonlySet<string> }) => {
    if (acknowledged.size > 0 && disk.readFile("settings") === undefined) throw new Error("nothing is left");
  };

  it("is found by two faults, and the state can be had again", async () => {
    const explorable = {
      workload: async (disk: SimDisk, history: History<string>, recorder: Recorder) => {
        await new Store(disk, history).act(0);
        const make = (on: SimDisk) => new Store(on, on === disk ? history : undefined);
        const options = { seed: 1, rounds: 100, mayTakeBytes: false };
        await liveThroughFaultPairs(disk, recorder, make, options);
      },
      check,
    };
    const report = await explore(explorable);
    expect(report.violations.map(({ message }) => message)).toContain("nothing is left");
    const [violation] = report.violations;
    if (violation === undefined) throw new Error("there is none");
    expect(await reproduce(explorable, violation)).toMatchObject({ failed: true });
  });

  it("is not found by one fault, wherever it strikes", async () => {
    const report = await explore({
      workload: async (disk: SimDisk, history: History<string>) => {
        const store = new Store(disk, history);
        await store.act(0);
        for (const kind of ["io-error", "disk-full", "fsync-failed"] as const)
          for (let after = 0; after < 8; after++) {
            const schedule = disk.scheduleFaults({ kind, after });
            await store.act(after);
            schedule.cancel();
            await store.act(after);
          }
      },
      check,
    });
    expect(report.violations).toEqual([]);
  });
});
