import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  describeClusterViolation,
  exploreCluster,
  exploreFaults,
  runClusterSimulation,
} from "@kaya/cluster/testing";
import { describe, expect, it } from "vitest";

// `npx pnpm@10 torture` runs many more seeds and faults.
describe("a simulated cluster", () => {
  it("keeps its promises in runs of each kind", async () => {
    const sum = { acknowledged: 0, inDoubt: 0, refused: 0, epochs: 0, trims: 0 };
    for (let seed = 13; seed <= 18; seed++) {
      const result = await runClusterSimulation({ seed, steps: 150 });
      expect(result.violation, describeClusterViolation(result, 150)).toBeUndefined();
      sum.acknowledged += result.clients.acknowledged;
      sum.inDoubt += result.clients.inDoubt;
      sum.refused += result.clients.refused;
      sum.epochs += result.epochs;
      sum.trims += result.callsByKind.trim ?? 0;
    }
    // The runs contained enough events to prove something.
    expect(sum.acknowledged).toBeGreaterThan(100);
    expect(sum.inDoubt).toBeGreaterThan(0);
    expect(sum.refused).toBeGreaterThan(20);
    expect(sum.epochs).toBeGreaterThan(8);
    expect(sum.trims).toBeGreaterThan(0);
  });

  it("keeps its promises while trims and calls of the blob store fail, get no answer or return damaged bytes", async () => {
    const struck = new Set<string>();
    for (const seed of [34, 41, 42]) {
      const result = await runClusterSimulation({ seed, steps: 250 });
      expect(result.violation, describeClusterViolation(result, 250)).toBeUndefined();
      for (const fault of Object.keys(result.faults)) struck.add(fault);
    }
    expect([...struck]).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^trim: (requestLost|diskFull|noMajority)/),
        expect.stringMatching(/^store\.put: (requestLost|replyLost|noMajority)/),
        expect.stringMatching(/^store\.(get|stream): (requestLost|replyLost|noMajority)/),
        expect.stringMatching(/^store\.(get|stream): damaged/),
      ]),
    );
  });

  it("does the same for the same seed", async () => {
    const once = await runClusterSimulation({ seed: 9, steps: 150 });
    const again = await runClusterSimulation({ seed: 9, steps: 150 });
    expect(again).toEqual(once);
  });

  it("leaves nothing behind that keeps the process alive, although processes were killed in their calls", async () => {
    const program = `
      import { runClusterSimulation } from "@kaya/cluster/testing";
      const { faults } = await runClusterSimulation({ seed: 1, steps: 100 });
      console.log(JSON.stringify({ kills: (faults.kill ?? 0) + (faults.crash ?? 0), handles: process.getActiveResourcesInfo() }));
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", program],
      { cwd: import.meta.dirname, timeout: 60_000 },
    );
    const { kills, handles } = JSON.parse(stdout) as { kills: number; handles: string[] };
    expect(kills).toBeGreaterThan(0);
    expect(handles.filter((handle) => handle === "Timeout")).toEqual([]);
  }, 90_000);

  it("keeps its promises with one fault at a call, and with two", async () => {
    const { violations, singles, pairs } = await exploreCluster({ maxRuns: 12 });
    expect(violations).toEqual([]);
    expect({ singles, pairs }).toEqual({ singles: 6, pairs: 6 });
  });

  it("refuses a list of faults that names no scenario, no call or no fault", async () => {
    await expect(exploreFaults("17:replyLost")).rejects.toThrow("there is no scenario 17:replyLost");
    await expect(exploreFaults("bases/x:replyLost")).rejects.toThrow("is not the number of a call");
    await expect(exploreFaults("bases/17:nothing")).rejects.toThrow("there is no fault nothing");
  });
});
