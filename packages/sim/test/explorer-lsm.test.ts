import { describe, expect, it, vi } from "vitest";
import { describeCrashViolation, lsmScenarios } from "../src/explorer/index.js";

// Each scenario runs to its end, and is crashed at some of its moments. `npx pnpm@10 torture` crashes it at all of them.
const BUDGET = {
  maxBoundaries: 4,
  maxStatesPerBoundary: 3,
  maxStatesPerRecoveryBoundary: 1,
  maxViolations: 1,
};
const LEAST_STATES = 1500;

vi.setConfig({ testTimeout: 600_000 }); // a second of a processor each

let states = 0;

describe("@kaya/lsm keeps its promises in every crash state", () => {
  it.each(lsmScenarios().map((scenario) => [scenario.name, scenario] as const))("%s", async (_, scenario) => {
    const report = await scenario.explore(BUDGET);
    states += report.states.distinct;
    expect(report.violations.map(describeCrashViolation)).toEqual([]);
    expect(report.states.insideRecovery).toBeGreaterThan(0);
  });
});

it("there are many states", () => {
  expect(states).toBeGreaterThan(LEAST_STATES);
});
