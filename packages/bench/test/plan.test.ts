import { describe, expect, test } from "vitest";
import { parseOptions } from "../src/options.js";
import { planOf, rotated } from "../src/plan.js";
import { LARGE } from "../src/scale.js";
import { SYSTEMS } from "../src/systems/all.js";
import { TARGETS } from "../src/targets.js";
import { WORKLOADS } from "../src/workloads/all.js";

const planFor = (...argv: string[]) => planOf(parseOptions(argv));
const rowsOf = (plan: ReturnType<typeof planOf>) => plan.flatMap(({ rows }) => rows.map(({ id }) => id));

describe("the plan", () => {
  test("quick leaves out what takes long, unless it is asked for by name", () => {
    expect(rowsOf(planFor())).not.toContain("growth/100k-rss");
    expect(rowsOf(planFor("--only", "growth/.*rss"))).toEqual(["growth/100k-rss", "growth/500k-rss"]);
  });

  test("a workload runs on the systems that can do it", () => {
    const [durable] = planFor("--only", "^durable-puts/1$");
    expect(durable?.systems.map(({ name }) => name)).not.toContain("memory-level");
    expect(planFor("--only", "recovery", "--systems", "lmdb")).toEqual([]);
  });

  test("each round begins with another system", () => {
    expect([0, 1, 2, 3].map((round) => rotated(["a", "b", "c"], round).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
  });

  test("every target and its reference is a row of the large mode, of a system that there is", () => {
    const rows = new Set(WORKLOADS.flatMap((workload) => workload.rows(LARGE).map(({ id }) => id)));
    const systems = new Set(SYSTEMS.map(({ name }) => name));
    for (const { row, reference } of TARGETS) {
      expect(rows).toContain(row);
      if (reference.kind === "row") expect(rows).toContain(reference.row);
      if (reference.kind === "system") expect(systems).toContain(reference.system);
      if (reference.kind === "best") for (const name of reference.systems) expect(systems).toContain(name);
    }
  });

  test("row ids are distinct, and named for their part", () => {
    const rows = WORKLOADS.flatMap((workload) => workload.rows(LARGE).map(({ id }) => id));
    expect(new Set(rows).size).toBe(rows.length);
    for (const row of rows) expect(row).toMatch(/^[a-z-]+\/[a-zA-Z0-9-]+$/);
  });
});
