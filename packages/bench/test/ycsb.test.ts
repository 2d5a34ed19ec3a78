import { describe, expect, test } from "vitest";
import { makeRandom } from "../src/data.js";
import { zipfian } from "../src/workloads/ycsb.js";

const ENTRIES = 1000;
const DRAWS = 100_000;

describe("keys drawn by Zipf's law", () => {
  const counts = new Array<number>(ENTRIES).fill(0);
  for (const index of zipfian(DRAWS, ENTRIES, makeRandom())) counts[index] = (counts[index] ?? 0) + 1;

  test("are keys that there are, the same in every process", () => {
    expect(counts).toHaveLength(ENTRIES);
    expect(zipfian(100, ENTRIES, makeRandom())).toEqual(zipfian(100, ENTRIES, makeRandom()));
    expect(zipfian(1000, 2, makeRandom()).every((index) => index === 0 || index === 1)).toBe(true);
  });

  test("come the less often the higher their number", () => {
    // P(k) = 1 / (k + 1)^0.99 / zeta(1000), with zeta(1000) = 7.73
    expect((counts[0] ?? 0) / DRAWS).toBeCloseTo(1 / 7.73, 1);
    expect((counts[0] ?? 0) / (counts[1] ?? 1)).toBeCloseTo(2 ** 0.99, 0);
    const tenths = Array.from({ length: 10 }, (_, i) =>
      counts.slice(i * 100, (i + 1) * 100).reduce((sum, count) => sum + count, 0),
    );
    expect(tenths[0]).toBeGreaterThan(0.6 * DRAWS);
    for (let i = 1; i < 10; i++) expect(tenths[i]).toBeLessThan(tenths[i - 1] ?? 0);
  });
});
