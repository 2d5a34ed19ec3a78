import { type CrashOptions, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { recoverWal } from "../src/index.js";
import { everyCrashState } from "./crash-states.js";
import { HaltingDisk } from "./halting-disk.js";
import { diskOf, imageOf, plain, put, SMALL, settle } from "./support.js";
import { checkRecovered, RELAXED_TURNS, Run, TURNS } from "./workload.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

const HOW: readonly CrashOptions[] = [
  { survive: "nothing" },
  { survive: "everything" },
  { survive: "random", seed: 1 },
  { survive: "random", seed: 2 },
  { survive: "random", seed: 3 },
];

/** The workload until the machine stops before mutating operation `haltAt`. */
async function workUntil(haltAt: number, turns = TURNS): Promise<{ disk: SimDisk; run: Run }> {
  const disk = new SimDisk();
  const halting = new HaltingDisk(disk, haltAt);
  const run = new Run();
  await Promise.race([run.work(halting, turns, SMALL, true), halting.halted]);
  await settle();
  return { disk, run };
}

const whole = await workUntil(Number.POSITIVE_INFINITY);
const OPERATIONS = whole.disk.nextOperation;
const boundaries = Array.from({ length: OPERATIONS + 1 }, (_, index) => index);

it("the workload is worth crashing: it rotates three times, in both modes, with batches", async () => {
  expect((await whole.disk.list("wal")).map(({ path }) => path)).toHaveLength(4);
  expect(whole.run.attempts.every(({ state }) => state === "acknowledged")).toBe(true);
  expect(new Set(whole.run.attempts.map(({ mode }) => mode))).toEqual(new Set(["strict", "relaxed"]));
  expect(OPERATIONS).toBeGreaterThan(25);
});

describe("R3: whatever a crash leaves, a prefix comes back that has every acknowledged strict record", () => {
  const workloads = [
    { name: "the workload", turns: TURNS, limit: 120, atLeast: 250 },
    { name: "relaxed records alone", turns: RELAXED_TURNS, limit: 300, atLeast: 1500 },
  ];
  for (const { name, turns, limit, atLeast } of workloads) {
    it(`in every state that a crash may leave, before every operation of ${name}`, async () => {
      const last = (await workUntil(Number.POSITIVE_INFINITY, turns)).disk.nextOperation;
      let states = 0;
      for (let haltAt = 0; haltAt <= last; haltAt++) {
        let run = new Run();
        const make = async () => {
          const stopped = await workUntil(haltAt, turns);
          run = stopped.run;
          return stopped.disk;
        };
        states += await everyCrashState(limit, make, async (disk, state) => {
          const report = await recoverWal(SMALL, disk, { trustPageCache: true });
          const where = `before operation ${haltAt}, ${state}`;
          checkRecovered(report.records, run.possible(), run.required("strict"), where);
        });
      }
      expect(states).toBeGreaterThan(atLeast);
    });
  }

  it("in the default mode no crash is ever refused, and absolute mode refuses rather than loses", async () => {
    for (const haltAt of boundaries) {
      for (const how of HOW) {
        const { disk, run } = await workUntil(haltAt);
        disk.crash(how);
        const image = await imageOf(disk);
        const tail = await recoverWal({ ...SMALL, recovery: "tail" }, diskOf(image));
        const prefix = await recoverWal({ ...SMALL, recovery: "prefix" }, diskOf(image));
        expect(plain(prefix.records)).toEqual(plain(tail.records));
        const absolute = await recoverWal({ ...SMALL, recovery: "absolute" }, diskOf(image)).catch(
          () => undefined,
        );
        if (absolute === undefined) continue;
        const where = `before operation ${haltAt}, ${JSON.stringify(how)}`;
        checkRecovered(absolute.records, run.possible(), run.required("strict"), where);
      }
    }
  });
});

describe("R1: a crash anywhere inside recovery changes nothing of its result", () => {
  it("crashed before every operation of the recovery after every crash of the workload", async () => {
    for (const haltAt of boundaries) {
      for (const how of HOW) {
        const { disk } = await workUntil(haltAt);
        disk.crash(how);
        const image = await imageOf(disk);
        const expected = plain((await recoverWal(SMALL, disk)).records);
        const recoveryOperations = disk.nextOperation;
        for (let again = 0; again <= recoveryOperations; again++) {
          for (const howAgain of HOW.slice(0, 3)) {
            const second = diskOf(image);
            const halting = new HaltingDisk(second, again);
            await Promise.race([recoverWal(SMALL, halting), halting.halted]);
            await Promise.resolve();
            second.crash(howAgain);
            const found = plain((await recoverWal(SMALL, second)).records);
            const where = `operation ${haltAt}, ${JSON.stringify(how)}, recovery ${again}, ${JSON.stringify(howAgain)}`;
            expect(found, where).toEqual(expected);
          }
        }
      }
    }
  });

  it("a second recovery finds the same records and nothing to complain about or to change", async () => {
    for (const haltAt of boundaries) {
      const { disk } = await workUntil(haltAt);
      disk.crash({ survive: "random", seed: haltAt });
      const first = await recoverWal(SMALL, disk);
      const image = await imageOf(disk);
      const second = await recoverWal(SMALL, disk);
      expect(plain(second.records)).toEqual(plain(first.records));
      expect(second.warnings).toEqual([]);
      expect(second.truncatedBytes).toBe(0);
      expect(await imageOf(disk)).toEqual(image);
    }
  });
});

describe("R2: what recovery found is durable before a writer goes on behind it", () => {
  for (const trustPageCache of [false, true]) {
    it(`after a crash: strict records that follow are never behind a hole (trustPageCache: ${trustPageCache})`, async () => {
      for (const haltAt of boundaries) {
        for (const how of HOW) {
          const { disk } = await workUntil(haltAt);
          disk.crash(how);
          await goOnAndCrash(disk, trustPageCache, `before operation ${haltAt}, ${JSON.stringify(how)}`);
        }
      }
    });

    it(`after a kill: what only the page cache had becomes durable (trustPageCache: ${trustPageCache})`, async () => {
      for (const haltAt of boundaries) {
        const { disk, run } = await workUntil(haltAt);
        disk.killProcess();
        const found = await goOnAndCrash(disk, trustPageCache, `killed before operation ${haltAt}`);
        // A killed process loses nothing that was acknowledged, relaxed records included.
        checkRecovered(found, run.possible(), run.required("all"), `killed before operation ${haltAt}`);
      }
    });
  }
});

/** Recovers, appends, cuts the power, recovers: all that the first recovery found and all appended since is there. */
async function goOnAndCrash(disk: SimDisk, trustPageCache: boolean, where: string) {
  const before = (await recoverWal(SMALL, disk, { trustPageCache })).records.map(({ record }) => record);
  const run = new Run();
  await run.open(disk);
  await Promise.all([run.append(put("x"), "relaxed"), run.append(put("y"))]);
  await run.append(put("z", "z".repeat(1000)));
  disk.crash();
  const after = await recoverWal(SMALL, disk);
  checkRecovered(after.records, run.possible(before), before.length + 3, where);
  return before;
}
