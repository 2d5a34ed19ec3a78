import { describe, expect, it, vi } from "vitest";
import {
  describeCrashViolation,
  engineScenarios,
  generatedWalScenario,
  UnmetFaultError,
  walScenarios,
} from "../src/explorer/index.js";
import { walFaultScenarios } from "../src/explorer/wal-fault-scenarios.js";

// Each scenario runs to its end, and is crashed at some of its moments. `npx pnpm@10 torture` crashes it at all of them.
const BUDGET = {
  maxBoundaries: 8,
  maxStatesPerBoundary: 12,
  maxStatesPerRecoveryBoundary: 2,
  maxViolations: 1,
};
const LEAST_STATES = 12_000;

vi.setConfig({ testTimeout: 600_000 }); // half a second of a processor each

let states = 0;

const GENERATED = Array.from({ length: 12 }, (_, seed) => generatedWalScenario(seed));

describe.each([
  ["@kaya/wal", walScenarios()],
  ["@kaya/wal, in workloads made up from seeds,", GENERATED],
  ["@kaya/engine", engineScenarios()],
] as const)("%s keeps its promises in every crash state", (_, scenarios) => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_, scenario) => {
    const report = await scenario.explore(BUDGET);
    states += report.states.distinct;
    expect(report.violations.map(describeCrashViolation)).toEqual([]);
    expect(report.states.insideRecovery).toBeGreaterThan(0);
  });
});

it("a scenario explores the same states again for the same seed", async () => {
  const digests = (seed: number) =>
    Promise.all(
      [...GENERATED.slice(0, 4), ...engineScenarios().slice(0, 2)].map(
        async (scenario) => (await scenario.explore({ ...BUDGET, seed, maxStatesPerBoundary: 30 })).digest,
      ),
    );
  const first = await digests(1);
  expect(await digests(1)).toEqual(first);
  expect(await digests(2)).not.toEqual(first);
});

it("a scenario whose fault meets nothing says so, and does not pass", async () => {
  // Segments so large that there is no rotation: the last operations of the workload are not there.
  const scenarios = walFaultScenarios({ segmentMaxBytes: 24_000, maxRecordBytes: 768 });
  const unmet = scenarios.find(({ name }) => name === "wal: disk-full at operation 8");
  await expect(unmet?.explore(BUDGET)).rejects.toThrow(UnmetFaultError);
});

it("there are many states", () => {
  expect(states).toBeGreaterThan(LEAST_STATES);
});
