import { KayaError } from "@kaya/core";
import { type CrashOptions, type FaultRule, SimDisk } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import { recoverWal } from "../src/index.js";
import { put, SMALL, settle } from "./support.js";
import { checkRecovered, Run, TURNS } from "./workload.js";

// Against a slow machine only: nothing here waits for time to pass.
vi.setConfig({ testTimeout: 120_000 });

interface Fault {
  readonly name: string;
  readonly at: (index: number) => FaultRule;
  /** Bytes that were written may be gone although nothing crashed. */
  readonly losesUnsynced?: true;
}

const FAULTS: readonly Fault[] = [
  {
    name: "fsync fails, readable until a crash",
    at: (at) => ({ at, kind: "fsync-failed", outcome: "readable-until-crash" }),
  },
  { name: "fsync fails, kept all the same", at: (at) => ({ at, kind: "fsync-failed", outcome: "kept" }) },
  {
    name: "fsync fails, lost at once",
    at: (at) => ({ at, kind: "fsync-failed", outcome: "lost" }),
    losesUnsynced: true,
  },
  { name: "an I/O error", at: (at) => ({ at, kind: "io-error" }) },
  { name: "the disk is full", at: (at) => ({ at, kind: "disk-full" }) },
  ...[0, 1, 39, 40, 58, 200, 511, 5000].map((bytes) => ({
    name: `a write stops after ${bytes} bytes`,
    at: (at: number): FaultRule => ({ at, kind: "partial-write", bytes }),
  })),
];

const HOW: readonly CrashOptions[] = [
  { survive: "nothing" },
  { survive: "everything" },
  { survive: "random", seed: 1 },
  { survive: "random", seed: 2 },
];

/** The whole workload with one fault in it. @throws an Error where a promise stays open */
async function workWith(fault?: FaultRule, close = false): Promise<{ disk: SimDisk; run: Run }> {
  const disk = new SimDisk({ faults: fault === undefined ? [] : [fault] });
  const run = new Run();
  let done = false;
  const work = run.work(disk, TURNS, SMALL, close).then(() => {
    done = true;
  });
  await settle();
  if (!done) throw new Error(`W6: something never settles after ${JSON.stringify(fault)}`);
  await work;
  return { disk, run };
}

/** Every operation with the fault there, closed and not, and what to say if something is wrong. */
async function forEveryOperation(
  fault: Fault,
  check: (make: () => Promise<{ disk: SimDisk; run: Run }>, where: string) => Promise<void>,
): Promise<void> {
  for (const close of [false, true]) {
    const clean = await workWith(undefined, close);
    for (let index = 0; index < clean.disk.nextOperation; index++) {
      const operation = clean.disk.events.find((event) => event.index === index);
      if (operation === undefined || !fits(fault.at(index), operation.kind)) continue;
      const where = `${fault.name} at operation ${index} (${operation.kind} ${operation.path}), close: ${close}`;
      await check(() => workWith(fault.at(index), close), where);
    }
  }
}

/** Elsewhere the rule does nothing. */
function fits({ kind }: FaultRule, operation: string): boolean {
  if (kind === "io-error") return true;
  return (kind === "fsync-failed" ? ["sync", "syncDir"] : ["append", "open"]).includes(operation);
}

for (const fault of FAULTS) {
  describe(`${fault.name}, at every operation`, () => {
    it("W6: every promise settles, with a KayaError where it rejects", async () => {
      await forEveryOperation(fault, async (make, where) => {
        const { run } = await make();
        for (const { state, error } of run.attempts) {
          expect(state, where).not.toBe("pending");
          if (error !== undefined) expect(KayaError.is(error), where).toBe(true);
        }
      });
    });

    it("R3: then a crash: a prefix comes back, with every acknowledged strict record and nothing taken back", async () => {
      await forEveryOperation(fault, async (make, where) => {
        for (const how of HOW) {
          const { disk, run } = await make();
          disk.crash(how);
          const report = await recoverWal(SMALL, disk);
          const required = run.required(run.closed === "resolved" ? "all" : "strict");
          checkRecovered(report.records, run.possible(), required, `${where}, ${JSON.stringify(how)}`);
        }
      });
    });

    it("R5: reopened in the same boot, what is acknowledged then survives a crash, and all that was found before it", async () => {
      await forEveryOperation(fault, async (make, where) => {
        for (const how of HOW) {
          const { disk, run } = await make();
          disk.killProcess();
          const second = new Run();
          const writer = await second.open(disk);
          const found = await recoverWal(SMALL, disk, { dryRun: true });
          const before = found.records.map(({ record }) => record);
          const required = run.required(fault.losesUnsynced === true ? "strict" : "all");
          checkRecovered(before, run.possible(), required, `${where}, reopened`);
          expect(writer.nextLsn, where).toBe(before.length + 1);
          await Promise.all([second.append(put("x"), "relaxed"), second.append(put("y"))]);
          await second.append(put("z", "z".repeat(1000)));
          expect(second.attempts.map(({ state }) => state)).toEqual([
            "acknowledged",
            "acknowledged",
            "acknowledged",
          ]);
          disk.crash(how);
          const last = await recoverWal(SMALL, disk);
          const all = before.length + 3;
          checkRecovered(
            last.records,
            second.possible(before),
            all,
            `${where}, ${JSON.stringify(how)}, reopened`,
          );
        }
      });
    });

    it("W3, W4: a writer either goes on working or has failed for good", async () => {
      await forEveryOperation(fault, async (make, where) => {
        const { run, disk } = await make();
        if (run.closed !== "no" || run.writer === undefined) return;
        const { failure } = run.writer;
        const next = await run.append(put("next"));
        expect(next.state, where).toBe(failure === undefined ? "acknowledged" : "taken-back");
        if (failure !== undefined) {
          expect(next.error).toMatchObject({ code: "KAYA_WRITER_FAILED", cause: failure });
          return;
        }
        disk.crash();
        const report = await recoverWal(SMALL, disk);
        checkRecovered(report.records, run.possible(), run.required("strict"), where);
        expect(report.recordCount, where).toBe(run.possible().length);
      });
    });
  });
}
