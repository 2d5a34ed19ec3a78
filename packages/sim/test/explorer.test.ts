import { describe, expect, it } from "vitest";
import {
  type Check,
  type CrashKind,
  describeCrashViolation,
  type Explorable,
  type ExplorationProgress,
  explore,
  reproduce,
} from "../src/explorer/index.js";
import { checkValue, DAMAGED_LOG, repairLog, SAVES, type Save, saveThrice } from "./support/toy-store.js";

const toy = (save: Save): Explorable<number> => ({ workload: saveThrice(save), check: checkValue });

const damagedLog = (order: "copy first" | "cut first"): Explorable<never> => ({
  workload: async (disk) => disk.writeFile("log", DAMAGED_LOG),
  check: repairLog(order),
});

describe("the explorer", () => {
  it("finds nothing wrong with the right way to replace a file", async () => {
    const report = await explore(toy(SAVES.right));
    expect(report.violations.map(describeCrashViolation)).toEqual([]);
    expect(report.complete).toBe(true);
    expect(report.boundaries).toBe(3 * 6 + 1);
    expect(report.states.raw).toBeGreaterThan(report.states.distinct);
    expect(report.states.distinct).toBeGreaterThan(50);
  });

  for (const bug of [
    "no fsync",
    "no directory fsync",
    "directory fsync not waited for",
    "rename before sync",
    "overwritten in place",
  ] as const) {
    it(`finds a planted bug: ${bug}`, async () => {
      const report = await explore(toy(SAVES[bug]));
      expect(report.violations.length).toBeGreaterThan(0);
      for (const violation of report.violations) {
        expect(violation.operations).toHaveLength(violation.crashes[0]?.boundary ?? -1);
      }
    });
  }

  it("finds a planted bug inside recovery: cut before the copy is kept", async () => {
    expect((await explore(damagedLog("copy first"))).violations).toEqual([]);
    const { violations } = await explore(damagedLog("cut first"));
    expect(violations.length).toBeGreaterThan(0);
    expect(violations.map(({ crashes }) => crashes.length)).toEqual(violations.map(() => 2));
    expect((await explore({ ...damagedLog("cut first"), recoveryDepth: 0 })).violations).toEqual([]);
  });

  it("goes on after a violation, up to a limit", async () => {
    const few = await explore({ ...toy(SAVES["no fsync"]), maxViolations: 2 });
    expect([few.violations.length, few.complete]).toEqual([2, false]);
    const all = await explore({ ...toy(SAVES["no fsync"]), maxViolations: 1_000_000 });
    expect(all.violations.length).toBeGreaterThan(10);
    expect(all.complete).toBe(true);
  });

  it("crashes fewer moments, or fewer recoveries, where it is told to, and the same ones for the same seed", async () => {
    const all = await explore(damagedLog("copy first"));
    const someBoundaries = await explore({ ...toy(SAVES.right), maxBoundaries: 4 });
    expect(someBoundaries.boundaries).toBe(4);
    expect(someBoundaries.complete).toBe(true);
    const lastIsCrashed = await explore({
      ...toy(SAVES["directory fsync not waited for"]),
      maxBoundaries: 1000,
    });
    expect(lastIsCrashed.violations.length).toBeGreaterThan(0);

    const none = await explore({ ...damagedLog("copy first"), recoveryShare: 0 });
    expect(none.states.insideRecovery).toBe(0);
    expect(none.states.distinct).toBe(all.states.distinct - all.states.insideRecovery);
    const half = () =>
      explore({ ...toy(SAVES.right), ...damagedLog("copy first"), recoveryShare: 0.5, seed: 3 });
    expect((await half()).digest).toBe((await half()).digest);
  });

  it("says so where a check or a workload never ends, and where a workload fails", async () => {
    const never = () => new Promise<void>(() => undefined);
    const stuck = await explore({
      workload: async () => undefined,
      check: never,
      timeoutMs: 20,
      maxViolations: 1,
    });
    expect(stuck.violations[0]?.message).toContain("the check was not done after 20 ms");
    await expect(explore({ ...toy(SAVES.right), workload: never, timeoutMs: 20 })).rejects.toThrow(
      "the workload",
    );
    const fails = () => Promise.reject(new Error("wrong by itself"));
    await expect(explore({ ...toy(SAVES.right), workload: fails })).rejects.toThrow("wrong by itself");
  });

  it("does not crash what a check does once it has recovered", async () => {
    const check: Check<number> = async (disk, view, recovered) => {
      await checkValue(disk, view, recovered);
      recovered();
      await SAVES["overwritten in place"](disk, 3);
    };
    expect((await explore({ ...toy(SAVES.right), check })).violations).toEqual([]);
  });

  it("tells how far it is", async () => {
    const seen: ExplorationProgress[] = [];
    const report = await explore({ ...toy(SAVES.right), onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ boundary }) => boundary)).toEqual(seen.map((_, index) => index + 1));
    expect(seen.at(-1)).toMatchObject({
      boundaries: report.boundaries,
      states: report.states,
      violations: 0,
    });
  });

  it("gives a check the promises of the moment, and tells a killed process from a power cut", async () => {
    const views = new Set<string>();
    const report = await explore<string>({
      workload: async (disk, history) => {
        const file = await disk.open("file", { create: true });
        for (const item of ["a", "b", "c"]) history.attempt(item);
        history.accept("a");
        history.reject("c");
        await file.sync();
        history.acknowledge("b");
      },
      check: async (_, { cause, attempted, acknowledged, rejected }) => {
        views.add(`${cause}: ${attempted}; ${[...acknowledged]}; ${[...rejected]}`);
      },
    });
    expect(report.boundaries).toBe(3);
    expect([...views].sort()).toEqual([
      "power-cut: ; ; ",
      "power-cut: a,b; ; c",
      "power-cut: a,b; b; c",
      "process-kill: ; ; ",
      "process-kill: a,b; a,b; c",
      "process-kill: a,b; a; c",
    ]);
  });
});

describe("a violation", () => {
  it("is reproduced exactly, also from JSON", async () => {
    for (const explorable of [toy(SAVES["no fsync"]), toy(SAVES["overwritten in place"])]) {
      const { violations } = await explore({ ...explorable, seed: 7 });
      for (const violation of violations) {
        const again = await reproduce(explorable, JSON.parse(JSON.stringify(violation)));
        expect(again.failed).toBe(true);
        expect((again.error as Error).message).toBe(violation.message);
      }
    }
  });

  it("inside recovery too, with the disk as the last crash left it", async () => {
    const explorable = damagedLog("cut first");
    const { violations } = await explore(explorable);
    for (const violation of violations) {
      const { disk, failed } = await reproduce(explorable, violation);
      expect(failed).toBe(true);
      expect([disk.readFile("log")?.length, disk.readFile("kept")]).toEqual([4, undefined]);
    }
  });

  it("does not come back in code that is right", async () => {
    const { violations } = await explore({ ...toy(SAVES["overwritten in place"]), maxViolations: 1 });
    const [violation] = violations;
    if (violation === undefined) throw new Error("a violation was expected");
    expect((await reproduce(toy(SAVES.right), violation)).failed).toBe(false);
  });

  it("tells its story: seed, operations, what became of each", async () => {
    const { violations } = await explore({ ...toy(SAVES["no directory fsync"]), seed: 3, maxViolations: 1 });
    const story = violations.map(describeCrashViolation).join();
    expect(story).toContain("seed 3");
    expect(story).toContain("4 rename value.tmp -> value");
    expect(story).toMatch(/rename value.tmp -> value: lost|link value.tmp: lost/);
  });
});

describe("an exploration", () => {
  it("is the same again for the same seed, and another for another", async () => {
    const run = async (seed: number) => {
      const { durationMs: _, ...report } = await explore({
        ...toy(SAVES["no fsync"]),
        seed,
        maxStatesPerBoundary: 12,
        maxViolations: 1000,
      });
      return JSON.stringify(report);
    };
    const first = await run(1);
    expect(await run(1)).toBe(first);
    expect(await run(2)).not.toBe(first);
  });

  it("makes every kind of state", async () => {
    const { states } = await explore({
      workload: async (disk, history) => {
        const file = await disk.open("dir/file", { create: true });
        for (let n = 0; n < 10; n++) {
          history.attempt(n); // so that what is on the disk is new each time
          await file.append(Buffer.alloc(900, n + 1));
        }
      },
      check: async () => undefined,
    });
    const kinds: CrashKind[] = [
      "process-killed",
      "random",
      "all-lost",
      "all-kept",
      "names-only",
      "length-only",
    ];
    kinds.push("one-lost", "one-kept", "torn", "subset");
    for (const kind of kinds) expect(states.byKind[kind], kind).toBeGreaterThan(0);
  });

  it("keeps to its limit of states, and checks each distinct one once", async () => {
    const checked: number[] = [];
    const { states, boundaries } = await explore({
      workload: async (disk) => {
        const file = await disk.open("file", { create: true });
        for (let n = 0; n < 12; n++) await file.append(Buffer.alloc(600, n + 1));
      },
      check: async (disk, { cause }) => {
        if (cause === "power-cut") checked.push(disk.stateDigest());
      },
      maxStatesPerBoundary: 40,
    });
    expect(states.raw).toBeLessThanOrEqual(40 * boundaries);
    expect(checked).toHaveLength(new Set(checked).size);
    expect(states.distinct).toBe(checked.length + (states.byKind["process-killed"] ?? 0));
  });
});
