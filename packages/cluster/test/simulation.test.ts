import { describeClusterViolation, exploreCluster, runClusterSimulation } from "@kaya/cluster/testing";
import { describe, expect, it } from "vitest";

// The whole of it is `npx pnpm@10 torture`'s.
describe("a simulated cluster", () => {
  it("keeps its word in runs of each kind", async () => {
    const sum = { acknowledged: 0, inDoubt: 0, refused: 0, epochs: 0, trims: 0 };
    for (let seed = 1; seed <= 6; seed++) {
      const result = await runClusterSimulation({ seed, steps: 150 });
      expect(result.violation, describeClusterViolation(result, 150)).toBeUndefined();
      sum.acknowledged += result.clients.acknowledged;
      sum.inDoubt += result.clients.inDoubt;
      sum.refused += result.clients.refused;
      sum.epochs += result.epochs;
      sum.trims += result.callsByKind.trim ?? 0;
    }
    // What is to be proved was there.
    expect(sum.acknowledged).toBeGreaterThan(100);
    expect(sum.inDoubt).toBeGreaterThan(0);
    expect(sum.refused).toBeGreaterThan(20);
    expect(sum.epochs).toBeGreaterThan(8);
    expect(sum.trims).toBeGreaterThan(0);
  });

  it("tries a trim again that failed, for a full tail takes no writes", async () => {
    const result = await runClusterSimulation({ seed: 79, steps: 250 });
    expect(result.violation).toBeUndefined();
    const struck = Object.keys(result.faults).filter((fault) => fault.startsWith("trim: "));
    expect(struck).not.toEqual([]);
  });

  it("does the same for the same seed", async () => {
    const once = await runClusterSimulation({ seed: 9, steps: 150 });
    const again = await runClusterSimulation({ seed: 9, steps: 150 });
    expect(again).toEqual(once);
  });

  it("keeps its word with a fault at a call, and with two", async () => {
    const { violations, singles, pairs } = await exploreCluster({ maxRuns: 10 });
    expect(violations).toEqual([]);
    expect(singles + pairs).toBe(10);
  });
});
