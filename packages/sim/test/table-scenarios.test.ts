import { describe, expect, it } from "vitest";
import { describeCrashViolation, tableScenarios } from "../src/explorer/index.js";

describe("@kaya/lsm keeps what it promises of tables in every crash state", () => {
  it.each(tableScenarios().map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    async (_, scenario) => {
      const report = await scenario.explore({ maxStatesPerBoundary: 10, maxViolations: 1 });
      expect(report.violations.map(describeCrashViolation)).toEqual([]);
      expect(report.states.distinct).toBeGreaterThan(20);
    },
  );
});
