import { describe, expect, it } from "vitest";
import {
  generateTrace,
  loadTrace,
  runSimulation,
  runTrace,
  type SimulationTarget,
  saveTrace,
  shrinkTrace,
} from "../src/index.js";
import { PLANTED_BUGS } from "./support/planted-bugs.js";

const operations = 200;

/** Steps of one store, without those of transactions: how few are left does not depend on what else a run has. */
const PLAIN = { transactions: 0, indexes: 0 };

async function firstSeedThatFinds(
  target: SimulationTarget,
  most: number,
  options: Partial<typeof PLAIN> = {},
): Promise<number | undefined> {
  for (let seed = 1; seed <= most; seed++) {
    const { violation } = await runSimulation({ seed, operations, target, ...options });
    if (violation !== undefined) return seed;
  }
  return undefined;
}

function targetOf(name: string): SimulationTarget {
  const bug = PLANTED_BUGS.find((planted) => planted.name === name);
  if (bug === undefined) throw new Error(`no bug is called ${name}`);
  return bug.target;
}

describe("the simulation finds", () => {
  for (const { name, target, within, seed = 1 } of PLANTED_BUGS) {
    it(`${name}, within ${within} seeds`, async () => {
      const { violation } = await runSimulation({ seed, operations, target });
      if (violation === undefined) expect(await firstSeedThatFinds(target, within)).toBeDefined();
    });
  }
});

describe("a failing trace is shrunk", () => {
  for (const [name, most] of [
    ["sync does nothing", 3],
    ["syncDir does nothing", 3],
    ["a failed sync is taken for a good one", 8],
  ] as const) {
    it(`to at most ${most} steps where ${name}, and fails the same way when it is loaded again`, async () => {
      const target = targetOf(name);
      const seed = (await firstSeedThatFinds(target, 20, PLAIN)) ?? 0;
      const trace = generateTrace({ seed, operations, ...PLAIN });
      const before = await runTrace(trace, target);
      const shrunk = await shrinkTrace(trace, { target });
      expect(shrunk.trace.steps.length).toBeLessThanOrEqual(most);
      expect(shrunk.result.violation?.rule).toBe(before.violation?.rule);
      expect(await runTrace(loadTrace(saveTrace(shrunk.trace)), target)).toEqual(shrunk.result);
    }, 300_000);
  }

  it("within the attempts that it may take", async () => {
    const target = targetOf("sync does nothing");
    const trace = generateTrace({ seed: (await firstSeedThatFinds(target, 20)) ?? 0, operations });
    const { attempts, result } = await shrinkTrace(trace, { target, maxAttempts: 5 });
    expect(attempts).toBe(5);
    expect(result.violation).toBeDefined();
  });

  it("and one that fails in nothing is refused", async () => {
    const trace = { ...generateTrace({ seed: 1, operations: 0 }), steps: [] };
    await expect(shrinkTrace(trace)).rejects.toThrow("breaks no rule");
  });
});
