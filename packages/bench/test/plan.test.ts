import { describe, expect, test } from "vitest";
import { parseOptions } from "../src/options.js";
import { describePlan, measurementsOf, planOf, rotated } from "../src/plan.js";
import { FULL, LARGE } from "../src/scale.js";
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

  test("full has everything that is measured beside the peers, large has everything", () => {
    const full = rowsOf(planFor("--full"));
    for (const row of [
      "durable-puts/1024-p99",
      "coalesced-puts/16",
      "synchronous-puts/1",
      "put-cpu/1024",
      "relaxed-batches/16-p99",
      "durable-values/256KiB",
      "gets/async-half",
      "ranges/reverse",
      "ycsb-a/sync",
      "typed-puts/json-relaxed-256-p99",
      "typed-gets/msgpack-sync",
      "tuple-scans/prefix",
      "transactions/hot-256",
      "updates/durable-1",
      "expiry/gets-ttl",
      "cold-reopening/first-get",
    ])
      expect(full).toContain(row);
    expect(full).not.toContain("limited/load");
    const rows = WORKLOADS.flatMap((workload) => workload.rows(LARGE).map(({ id }) => id));
    expect(rowsOf(planFor("--large"))).toEqual(rows);
  });

  test("a workload has the rounds of the mode, its own, or at most so many", () => {
    const roundsOf = (...argv: string[]) => planFor(...argv).map(({ rounds }) => rounds);
    expect(roundsOf("--full", "--only", "^(durable-puts|gets)/")).toEqual([5, 3]);
    expect(roundsOf("--full", "--rounds", "9", "--only", "^(durable-puts|limited)/")).toEqual([9, 3]);
  });

  test("says what it takes: rows that are measured together count once", () => {
    const plan = planFor("--full", "--only", "^(durable-puts/1(-p99)?|gets/.*)$", "--systems", "kaya,lmdb");
    expect(plan.map(measurementsOf)).toEqual([1, 4]);
    const [cpu] = describePlan(planFor("--full", "--only", "^put-cpu/", "--systems", "kaya"), FULL).split(
      "\n",
    );
    expect(cpu).toMatch(/x 3 rounds x 3\.9 s = 12 s$/);
    expect(describePlan(plan, LARGE).split("\n")).toEqual([
      "durable-puts: 2 rows by 1 measurements x 2 systems x 5 rounds x 1.3 s = 13 s",
      "reads: 4 rows by 4 measurements x 2 systems x 3 rounds x 1.3 s = 31 s",
      expect.stringMatching(/^in all 0.7 minutes are timed; /),
    ]);
  });

  test("what is measured together with another row names one that there is", () => {
    for (const workload of WORKLOADS) {
      const rows = workload.rows(LARGE);
      for (const { measuredWith } of rows)
        if (measuredWith !== undefined) expect(rows.map(({ id }) => id)).toContain(measuredWith);
    }
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
      if ("row" in reference && reference.row !== undefined) expect(rows).toContain(reference.row);
      if (reference.kind === "best")
        for (const system of reference.systems) expect(systems).toContain(system);
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
