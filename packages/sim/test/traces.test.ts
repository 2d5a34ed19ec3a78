import { readFileSync } from "node:fs";
import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { loadTrace, runTrace, type SimulationTarget, type Step, type Trace } from "../src/index.js";
import { withDisk, withEngine } from "./support/planted-bugs.js";

function traceNamed(name: string): Trace {
  return loadTrace(readFileSync(new URL(`traces/${name}.jsonl`, import.meta.url), "utf8"));
}

function on(change: (disk: Disk) => Partial<Disk>): SimulationTarget {
  return { wrapDisk: (disk) => withDisk(disk, change(disk)) };
}

const nothingIsRemoved = on(() => ({ remove: async () => undefined }));

/** What a write appends; a new file is synced. */
const writesAreNotSynced = on((disk) => ({
  open: async (path, options) => {
    const file = await disk.open(path, options);
    let syncs = 0;
    return { ...file, sync: async () => (++syncs > 1 ? undefined : file.sync()) };
  },
}));

const removalsAreNotSynced = on((disk) => {
  let hasRemoved = false;
  return {
    remove: async (path) => {
      hasRemoved = true;
      await disk.remove(path);
    },
    syncDir: async (dir) => {
      if (!hasRemoved) await disk.syncDir(dir);
      hasRemoved = false;
    },
  };
});

const failuresAreToldAtOnce = withEngine((engine) => ({
  transact: (fn, options) =>
    new Promise((resolve, reject) => {
      const told: typeof fn = async (tx) => {
        try {
          return await fn(tx);
        } catch (error) {
          reject(error);
          throw error;
        }
      };
      engine.transact(told, options).then(resolve, reject);
    }),
}));

const failuresAreNotTold = withEngine((engine) => ({
  transact: (fn, options) => engine.transact(fn, options).catch(() => new Promise<never>(() => undefined)),
}));

const failedBackupsAreMadeAgain = withEngine((engine) => ({
  backup: async (target, options) => {
    try {
      return await engine.backup(target, options);
    } catch (error) {
      await engine.backup(target, options);
      throw error;
    }
  },
}));

/** What long runs found, shrunk, or made anew where the seed leads elsewhere by now. Each fails with its bug put back. */
describe("a trace that once failed does not any more", () => {
  it("seed 200421: a segment whose creation failed is taken back, and the writer goes on", async () => {
    const trace = traceNamed("segment-creation-taken-back");
    expect((await runTrace(trace)).violation).toBeUndefined();
    expect((await runTrace(trace, nothingIsRemoved)).violation?.message).toContain("W7");
  });

  it("seed 203651: it is taken back durably, before the segment before it is written to", async () => {
    const trace = traceNamed("segment-creation-taken-back-durably");
    expect((await runTrace(trace)).violation).toBeUndefined();
    const { violation } = await runTrace(trace, removalsAreNotSynced);
    expect(violation?.message).toContain("recovery refuses what a crash left");
  });

  it("seed 24: close resolves on a disk too full for the tail of the engine before, which stays in doubt", async () => {
    const { violation, faults, reopenings } = await runTrace(traceNamed("close-on-a-full-disk"));
    expect(violation).toBeUndefined();
    expect([faults["disk-full"] > 1, reopenings > 2]).toEqual([true, true]);
  });

  it("seed 14: a transaction that cannot read in its second call is told so with the write that it had read", async () => {
    const trace = traceNamed("failed-read-of-a-second-call");
    const { violation, faults, acknowledged } = await runTrace(trace);
    expect(violation).toBeUndefined();
    expect([faults["read-error"], acknowledged]).toEqual([2, 2]);
    const isToldAtOnce = (await runTrace(trace, failuresAreToldAtOnce)).violation;
    expect(isToldAtOnce?.message).toContain("was rejected before they were answered");
    expect((await runTrace(trace, failuresAreNotTold)).violation?.rule).toBe("hang");
  });

  it("and is rejected as that write where that fails, and at the end of the engine", async () => {
    const trace = traceNamed("failed-read-of-a-second-call");
    const open = trace.steps.slice(0, -1);
    const faults: Step[] = [
      { step: "fault", after: 0, kind: "disk-full", times: 1 },
      { step: "fault", after: 0, kind: "fsync-failed", outcome: "lost" },
    ];
    for (const fault of faults) {
      const { violation, acknowledged } = await runTrace({
        ...trace,
        steps: [...open, fault, { step: "settle" }],
      });
      expect([fault, violation, acknowledged]).toEqual([fault, undefined, 1]);
    }
    for (const step of ["close", "kill"] as const)
      expect((await runTrace({ ...trace, steps: [...open, { step }] })).violation).toBeUndefined();
    const closed = { ...trace, steps: [...open, { step: "close" as const }] };
    expect((await runTrace(closed, failuresAreNotTold)).violation?.rule).toBe("hang");
  });

  it("seed 39: a crash behind a kill takes rows from the page cache, and none that were promised", async () => {
    const trace = traceNamed("killed-and-then-crashed");
    expect((await runTrace(trace)).violation).toBeUndefined();
    const isStrict = (step: Step): Step =>
      step.step === "index-write" ? { ...step, durability: "strict" } : step;
    const strict = { ...trace, steps: trace.steps.map(isStrict).toSpliced(1, 1, { step: "settle" }) };
    expect((await runTrace(strict)).violation).toBeUndefined();
    const { violation } = await runTrace(strict, writesAreNotSynced);
    expect(violation?.rule).toBe("acknowledged-lost");
  });

  it("seed 343: a backup that cannot read a table of the data directory is rejected, and leaves nothing", async () => {
    const trace = traceNamed("failed-read-of-a-backup");
    const { violation, faults } = await runTrace(trace);
    expect([violation, faults["read-error"]]).toEqual([undefined, 1]);
    // Where an earlier backup is there, and no write is under way, the one that is made again holds what the failed one was to hold.
    const [settle, backup] = [
      { step: "settle" as const },
      { step: "backup" as const, into: "used" as const },
    ];
    const [put, compact, , remove] = trace.steps as [Step, Step, Step, Step];
    const fault: Step = { step: "fault", after: 15, kind: "read-error" };
    const alone: Trace = {
      ...trace,
      steps: [put, compact, settle, backup, settle, remove, settle, backup, fault, settle],
    };
    const failed = await runTrace(alone);
    expect([failed.violation, failed.faults["read-error"], failed.backups]).toEqual([undefined, 1, 1]);
    const left = (await runTrace(alone, failedBackupsAreMadeAgain)).violation;
    expect(left?.message).toContain("a backup was rejected, and left LSN");
  });

  it("and a backup is not rejected so where no fault has struck since it was asked for", async () => {
    const trace = traceNamed("failed-read-of-a-backup");
    const failing = new KayaError("KAYA_IO", "a failed read");
    const backupsFail = withEngine(() => ({ backup: () => Promise.reject(failing) }));
    const { violation } = await runTrace(trace, backupsFail);
    expect(violation?.message).toContain("after no fault");
  });
});
