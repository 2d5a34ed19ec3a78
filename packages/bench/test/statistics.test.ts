import { describe, expect, test } from "vitest";
import type { Sample } from "../src/run.js";
import { figureOf, ratioOf, spreadOf } from "../src/statistics.js";

const samplesOf = (system: string, values: readonly number[]): Sample[] =>
  values.map((value, i) => ({ row: "gets/sync", system, round: i + 1, value }));

describe("statistics", () => {
  test("the median of an odd and of an even number of figures, in any order", () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
    expect(spreadOf([10, 1, 2, 4])).toEqual({ median: 3, min: 1, max: 10 });
    expect(spreadOf([7])).toEqual({ median: 7, min: 7, max: 7 });
    expect(spreadOf([])).toBeUndefined();
  });

  test("figures are those of one row and one system", () => {
    const samples = [...samplesOf("kaya", [1, 2, 3]), ...samplesOf("lmdb", [50])];
    expect(figureOf(samples, { row: "gets/sync", system: "kaya" })?.median).toBe(2);
    expect(figureOf(samples, { row: "gets/async", system: "kaya" })).toBeUndefined();
  });

  test("a ratio is taken round by round, so a slow round of both does not show", () => {
    const samples = [...samplesOf("kaya", [200, 20, 240]), ...samplesOf("lmdb", [100, 10, 80])];
    const [kaya, lmdb] = [
      { row: "gets/sync", system: "kaya" },
      { row: "gets/sync", system: "lmdb" },
    ];
    expect(ratioOf(samples, kaya, lmdb)).toEqual({ median: 2, min: 2, max: 3 });
  });

  test("a round that one of the two has not is left out of their ratio", () => {
    const samples = [...samplesOf("kaya", [10, 10, 10]), ...samplesOf("lmdb", [5])];
    const ratio = ratioOf(
      samples,
      { row: "gets/sync", system: "kaya" },
      { row: "gets/sync", system: "lmdb" },
    );
    expect(ratio).toEqual({ median: 2, min: 2, max: 2 });
    expect(
      ratioOf(samples, { row: "gets/sync", system: "kaya" }, { row: "gets/sync", system: "x" }),
    ).toBeUndefined();
  });
});
