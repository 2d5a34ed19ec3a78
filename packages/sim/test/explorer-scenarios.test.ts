import { describe, expect, it } from "vitest";
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
  maxBoundaries: 4,
  maxStatesPerBoundary: 8,
  maxStatesPerRecoveryBoundary: 2,
  maxViolations: 1,
};
// An opening of an engine with tables takes ten times as long as an opening of a log.
const ENGINE_BUDGET = {
  ...BUDGET,
  maxBoundaries: 2,
  maxStatesPerBoundary: 3,
  maxStatesPerRecoveryBoundary: 1,
  recoveryShare: 0.2,
};
const LEAST_STATES = 3_000;

let states = 0;

const GENERATED = Array.from({ length: 12 }, (_, seed) => generatedWalScenario(seed));

describe.each([
  ["@kaya/wal", walScenarios(), BUDGET],
  ["@kaya/wal, in workloads made up from seeds,", GENERATED, BUDGET],
  ["@kaya/engine", engineScenarios(), ENGINE_BUDGET],
] as const)("%s keeps its promises in every crash state", (_, scenarios, budget) => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_, scenario) => {
    const report = await scenario.explore(budget);
    states += report.states.distinct;
    expect(report.violations.map(describeCrashViolation)).toEqual([]);
    expect(report.states.insideRecovery).toBeGreaterThan(0);
  });
});

it("a scenario explores the same states again for the same seed", async () => {
  const digests = (seed: number) =>
    Promise.all(
      [...GENERATED.slice(0, 2), ...engineScenarios().slice(0, 1)].map(
        async (scenario) => (await scenario.explore({ ...BUDGET, seed, maxStatesPerBoundary: 10 })).digest,
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
