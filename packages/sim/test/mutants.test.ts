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

const BUDGET = {
  peek: { maxStatesPerBoundary: 2, recoveryDepth: 0 },
  glance: { maxStatesPerBoundary: 2, maxStatesPerRecoveryBoundary: 1 },
  seeds: 3,
  operations: 100,
  scenarios: "wal: c", // a few of all: what takes part in the search is the same for one and for many
};
const NOWHERE = { places: {} };

describe("the mutation check", () => {
  let report: MutationReport;
  const resultOf = (name: string): MutantResult | undefined =>
    report.mutants.find((each) => each.name === name);

  beforeAll(async () => {
    const real = MUTANTS.filter(({ name }) => [BY_THE_EXPLORER, BY_THE_SIMULATION].includes(name));
    report = await runMutants({ mutants: [...MADE_UP, ...real], budget: BUDGET, ...NOWHERE });
  }, 600_000);

  it("finds nothing in the code as it is", () => {
    expect(report.baseline).toMatchObject({ outcome: "survived", message: "", seeds: 3 });
    expect(report.baseline?.states).toBeGreaterThan(100);
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

  it("looks for a bug where it was found before, and everywhere only if it is not there", async () => {
    const mutants = MUTANTS.filter(({ name }) => name === BY_THE_EXPLORER);
    const look = async (place: string) => {
      const run = await runMutants({
        mutants,
        budget: BUDGET,
        control: false,
        places: { [BY_THE_EXPLORER]: place },
      });
      return { ...run.mutants[0], isMisplaced: run.misplaced.length > 0 };
    };
    const right = "peek wal: creation";
    const found = { outcome: "found", place: right, foundBy: "wal: creation" };
    expect(await look(right)).toMatchObject({ ...found, states: 1, isMisplaced: false });
    expect(await look("glance a scenario that is no more")).toMatchObject({ ...found, isMisplaced: true });
  }, 600_000);

  it("takes a list in which every bug has a name of its own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThan(40);
  });
});
