import { type CrashOptions, type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { Engine, KayaError } from "../src/index.js";
import { stopBefore } from "./support/intercepted-disk.js";
import { Journal } from "./support/journal.js";
import { openPatiently, runWorkload, SMALL } from "./support/workload.js";

// Everything here asks one question of the journal: acknowledged ⊆ recovered ⊆ attempted, in order and without a hole.

const operations = await countOperations();
const everyIndex = Array.from({ length: operations + 1 }, (_, at) => at);

type End = CrashOptions | "killed";

const ENDS: readonly End[] = [
  {},
  { survive: "everything" },
  "killed",
  ...[1, 2, 3].map((seed) => ({ survive: "random", seed }) as const),
];

// Some ten thousand crash states: on a machine with other things to do that takes its time.
vi.setConfig({ testTimeout: 120_000 });

describe("the engine after a crash", () => {
  it("has what was acknowledged, as a prefix, wherever the process stopped and whatever the disk kept", async () => {
    for (const at of everyIndex) {
      for (const end of ENDS)
        expect(await crashAt(at, end), `stopped at ${at}, ${JSON.stringify(end)}`).toBe("");
    }
  });

  it("has the same after a second crash inside the recovery from the first", async () => {
    for (const at of everyIndex.filter((index) => index % 4 === 3)) {
      for (let second = 0; second < 4; second++) {
        const label = `stopped at ${at}, then at operation ${second} of the recovery`;
        expect(await crashTwice(at, second), label).toBe("");
      }
    }
  });
});

const FAULTS: readonly Omit<FaultRule, "at">[] = [
  { kind: "fsync-failed" },
  { kind: "fsync-failed", outcome: "kept" } as Omit<FaultRule, "at">,
  { kind: "fsync-failed", outcome: "lost" } as Omit<FaultRule, "at">,
  { kind: "io-error" },
  { kind: "disk-full" },
  ...[1, 41, 130].map((bytes) => ({ kind: "partial-write", bytes }) as Omit<FaultRule, "at">),
];

describe("the engine on a disk that fails once, whichever operation it is", () => {
  for (const fault of FAULTS) {
    it(`goes on without a lie after ${JSON.stringify(fault)}, and keeps its word over a crash`, async () => {
      for (const at of everyIndex) {
        for (const end of ENDS.slice(0, 4)) {
          const label = `fault at ${at}, then ${JSON.stringify(end)}`;
          expect(await failAt({ at, ...fault } as FaultRule, end), label).toBe("");
        }
      }
    });
  }

  it("takes no more writes while the disk is full, and works again once there is room", async () => {
    for (const from of everyIndex) {
      const faults = Array.from({ length: 5 }, (_, i) => ({ at: from + i, kind: "disk-full" }) as const);
      const disk = new SimDisk({ faults });
      const journal = new Journal();
      const { engine, wrong } = await runWorkload(disk, journal);
      expect(wrong, `full from ${from} on`).toBe("");
      expect(engine.state).toBe("open");
      await writeUntilThereIsRoom(engine, journal);
      await engine.close();
      expect(await lookAgain(disk, journal, true), `full from ${from} on`).toBe("");
    }
  });
});

async function countOperations(): Promise<number> {
  const disk = new SimDisk();
  const { engine, wrong } = await runWorkload(disk, new Journal());
  await engine.close();
  if (wrong !== "") throw new Error(wrong);
  return disk.nextOperation;
}

async function writeUntilThereIsRoom(engine: Engine, journal: Journal): Promise<void> {
  let error: unknown;
  for (let attempt = 0; attempt < 10; attempt++) {
    error = await journal.write(engine, [["room", "again"]], "strict");
    if (error === undefined) return;
    expect(KayaError.is(error, "KAYA_DISK_FULL"), String(error)).toBe(true);
  }
  throw error;
}

/** Runs the workload until the process stops before operation `at`; what then happened is in the journal. */
async function runUntil(at: number, disk: SimDisk, journal: Journal): Promise<string> {
  const stopping = stopBefore(at, disk);
  const finished = runWorkload(stopping.disk, journal).then(async ({ engine, wrong }) => {
    await engine.close();
    return wrong;
  });
  const wrong = await Promise.race([finished, stopping.stopped.then(() => "")]);
  await new Promise(setImmediate); // answers that were on their way still arrive
  return wrong;
}

function endWith(end: End, disk: SimDisk): void {
  if (end === "killed") disk.killProcess();
  else disk.crash(end);
}

async function crashAt(at: number, end: End): Promise<string> {
  const disk = new SimDisk();
  const journal = new Journal();
  const wrong = await runUntil(at, disk, journal);
  endWith(end, disk);
  return wrong || (await lookAgain(disk, journal, end === "killed"));
}

async function crashTwice(at: number, second: number): Promise<string> {
  const disk = new SimDisk();
  const journal = new Journal();
  await runUntil(at, disk, journal);
  disk.crash({ survive: "random", seed: at });
  const stopping = stopBefore(disk.nextOperation + second, disk);
  await Promise.race([Engine.open(SMALL, stopping.disk), stopping.stopped]);
  disk.crash({ survive: "random", seed: second });
  return lookAgain(disk, journal, false);
}

async function failAt(fault: FaultRule, end: End): Promise<string> {
  const disk = new SimDisk({ faults: [fault] });
  const journal = new Journal();
  const { wrong } = await runWorkload(disk, journal);
  endWith(end, disk);
  // A failed fsync may take relaxed writes with it even where nobody pulls the plug.
  const relaxedStay = end === "killed" && !disk.events.some(({ error }) => error === "KAYA_FSYNC_FAILED");
  return wrong || (await lookAgain(disk, journal, relaxedStay));
}

/** Opens, checks, writes some more, pulls the plug, and checks once more: what was found must be found again. */
async function lookAgain(disk: SimDisk, journal: Journal, relaxedStay: boolean): Promise<string> {
  const engine = await openPatiently(disk);
  const first = await journal.check(engine, disk, relaxedStay);
  if (first !== "") return first;
  await journal.write(engine, [["after", "1"]], "strict");
  await journal.write(engine, [["after", "2"]], "strict");
  disk.crash();
  const again = await openPatiently(disk);
  const second = await journal.check(again, disk, false);
  await again.close();
  return second === "" ? "" : `after another crash: ${second}`;
}
