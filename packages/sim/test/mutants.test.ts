import { beforeAll, describe, expect, it } from "vitest";
import { type MutantResult, type MutationReport, runMutants } from "../mutants/harness.mjs";
import { MUTANTS, type Mutant } from "../mutants/mutants.mjs";

// The whole list is `npx pnpm@10 torture`'s; here is what proves that its verdicts can be believed.
const WITHOUT_EFFECT = { rule: "none", file: "wal/dist/segments.js", find: 'WAL_DIR = "wal"' };
const MADE_UP: readonly Mutant[] = [
  { ...WITHOUT_EFFECT, name: "changes nothing", replace: 'WAL_DIR = "wa" + "l"' },
  { ...WITHOUT_EFFECT, name: "is nonsense", replace: "WAL_DIR = undefined.name" },
  {
    ...WITHOUT_EFFECT,
    name: "is a slip of the pen",
    find: "export function segmentName(id) {",
    replace: "export function segmentName(id) { slip();",
  },
  { ...WITHOUT_EFFECT, name: "changes what is not there", find: "no such code", replace: "" },
];
const BY_THE_EXPLORER = "no directory sync after a segment was created";
const BY_THE_SIMULATION = "readers see strict writes that are not durable";

const LIMITS = { maxStatesPerBoundary: 2, maxStatesPerRecoveryBoundary: 1 };
const BUDGET = { glance: LIMITS, seeds: 3, operations: 100 };

describe("the mutation check", () => {
  let report: MutationReport;
  const resultOf = (name: string): MutantResult | undefined =>
    report.mutants.find((each) => each.name === name);

  beforeAll(async () => {
    const real = MUTANTS.filter(({ name }) => [BY_THE_EXPLORER, BY_THE_SIMULATION].includes(name));
    report = await runMutants({ mutants: [...MADE_UP, ...real], budget: BUDGET });
  }, 600_000);

  it("finds nothing in the code as it is", () => {
    expect(report.baseline).toMatchObject({ outcome: "survived", message: "", seeds: 3 });
    expect(report.baseline?.states).toBeGreaterThan(1000);
  });

  it("finds a deliberate bug by either instrument", () => {
    expect(resultOf(BY_THE_EXPLORER)).toMatchObject({ outcome: "found", foundBy: "wal: creation", seeds: 0 });
    expect(resultOf(BY_THE_SIMULATION)).toMatchObject({ outcome: "found", foundBy: "simulation" });
  });

  it("says so where one survives, does not fit the code any more, or proves nothing", () => {
    expect(resultOf("changes nothing")).toMatchObject({ outcome: "survived", foundBy: "", seeds: 3 });
    expect(resultOf("changes what is not there")).toMatchObject({ outcome: "stale" });
    expect(resultOf("is nonsense")).toMatchObject({ outcome: "broken" });
    expect(resultOf("is a slip of the pen")).toMatchObject({ outcome: "broken" });
    expect(report.failures.map(({ name }) => name)).toEqual(MADE_UP.map(({ name }) => name));
  });

  it("takes a list in which every bug has a name of its own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThan(40);
  });
});
