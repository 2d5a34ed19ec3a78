import { readFileSync } from "node:fs";
import type { Disk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { loadTrace, runTrace, type SimulationTarget, type Trace } from "../src/index.js";
import { withDisk } from "./support/planted-bugs.js";

function traceNamed(name: string): Trace {
  return loadTrace(readFileSync(new URL(`traces/${name}.jsonl`, import.meta.url), "utf8"));
}

function on(change: (disk: Disk) => Partial<Disk>): SimulationTarget {
  return { wrapDisk: (disk) => withDisk(disk, change(disk)) };
}

const nothingIsRemoved = on(() => ({ remove: async () => undefined }));

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
});
