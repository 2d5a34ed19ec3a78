import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "../src/histogram.js";

function filled(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

test("without a value all is 0", () => {
  expect(new Histogram().distribution()).toEqual({ mean: 0, p50: 0, p99: 0, max: 0 });
});

test("small numbers are told as they are, in the unit that is asked for", () => {
  const histogram = filled(Array.from({ length: 31 }, (_, i) => i + 1));
  expect(histogram.distribution()).toEqual({ mean: 16, p50: 16, p99: 31, max: 31 });
  expect(histogram.distribution(10)).toEqual({ mean: 1.6, p50: 1.6, p99: 3.1, max: 3.1 });
});

test("one of a hundred is beyond the 99th percentile", () => {
  const values = [...Array(99).fill(20), 1e9];
  expect(filled(values).distribution()).toMatchObject({ p50: 20, p99: 20, max: 1e9 });
  expect(filled([...values, 1e9]).distribution().p99).toBeGreaterThan(9e8);
});

test("what is over 2^32 counts, with its own maximum", () => {
  const histogram = filled([2 ** 32 - 1, 2 ** 32, 2 ** 50]);
  expect(histogram.count).toBe(3);
  expect(histogram.distribution()).toMatchObject({ p50: 2 ** 32 - 1, p99: 2 ** 32 - 1, max: 2 ** 50 });
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
