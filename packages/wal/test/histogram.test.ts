import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "../src/histogram.js";

function filled(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

test("without a value all is 0", () => {
  expect(new Histogram().distribution()).toEqual({ mean: 0, p50: 0, p99: 0, max: 0, buckets: [] });
});

test("small numbers are told as they are, in the unit that is asked for", () => {
  const histogram = filled(Array.from({ length: 31 }, (_, i) => i + 1));
  expect(histogram.distribution()).toMatchObject({ mean: 16, p50: 16, p99: 31, max: 31 });
  expect(histogram.distribution(10)).toMatchObject({ mean: 1.6, p50: 1.6, p99: 3.1, max: 3.1 });
});

test("one of a hundred is beyond the 99th percentile", () => {
  const values = [...Array(99).fill(20), 1e9];
  expect(filled(values).distribution()).toMatchObject({ p50: 20, p99: 20, max: 1e9 });
  expect(filled([...values, 1e9]).distribution().p99).toBeGreaterThan(9e8);
});

test("what is over 2^32 counts, with its own maximum", () => {
  const histogram = filled([2 ** 32 - 1, 2 ** 32, 2 ** 50]);
  expect(histogram.count).toBe(3);
  expect(histogram.distribution()).toMatchObject({ p50: 2 ** 32, p99: 2 ** 32, max: 2 ** 50 });
});

test("buckets say how many were at most each power of two, a power itself included", () => {
  expect(filled([0, 2, 8, 8, 9]).distribution().buckets).toEqual([
    [1, 1],
    [2, 2],
    [4, 2],
    [8, 4],
    [16, 5],
  ]);
  expect(filled([2000, 2048, 2049]).distribution(1000).buckets).toEqual([
    [2.048, 2],
    [4.096, 3],
  ]);
  expect(filled([2 ** 31 + 1]).distribution().buckets).toEqual([]);
  const value = fc.oneof(
    fc.nat(70),
    fc.nat(2 ** 31 - 1),
    fc.nat(31).map((power) => 2 ** power),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 100 }), (values) => {
      for (const [atMost, count] of filled(values).distribution().buckets)
        expect(count).toBe(values.filter((each) => each <= atMost).length);
    }),
  );
});

test("percentiles are never below the truth, and above it by a sixteenth at most", () => {
  const value = fc.oneof(fc.nat(40), fc.nat(100_000), fc.nat(2 ** 32 - 1));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), (values) => {
      const sorted = values.toSorted((a, b) => a - b);
      const { p50, p99, max } = filled(values).distribution();
      for (const [share, told] of [
        [0.5, p50],
        [0.99, p99],
      ] as const) {
        const truth = sorted[Math.ceil(share * sorted.length) - 1] as number;
        expect(told).toBeGreaterThanOrEqual(truth);
        expect(told).toBeLessThanOrEqual(truth + truth / 16);
      }
      expect(max).toBe(sorted.at(-1));
    }),
  );
});
