import { describe, expect, it, vi } from "vitest";
import { describeCrashViolation, lsmScenarios } from "../src/explorer/index.js";

const BUDGET = { maxStatesPerBoundary: 3, maxStatesPerRecoveryBoundary: 1, maxViolations: 1 };
const LEAST_STATES = 5000;

vi.setConfig({ testTimeout: 240_000 }); // fifteen seconds at most on a machine that does nothing else

let states = 0;

/** Those that fail in an opening, or are short, are crashed inside recovery too: the others have it from them. */
const DEEP = /two flushes|begins anew often|in the opening$/;

describe("@kaya/lsm keeps its promises in every crash state", () => {
  it.each(lsmScenarios().map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    async (name, scenario) => {
      const report = await scenario.explore({ ...BUDGET, recoveryDepth: DEEP.test(name) ? 1 : 0 });
      states += report.states.distinct;
      expect(report.violations.map(describeCrashViolation)).toEqual([]);
    },
  );
});

it("there are many states", () => {
  expect(states).toBeGreaterThan(LEAST_STATES);
});
