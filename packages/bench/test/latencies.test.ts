import { expect, test } from "vitest";
import { Latencies, latenciesWhile, percentile } from "../src/latencies.js";

test("a percentile is the least value that so many do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([0, 0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([1, 50, 99, 100]);
  expect(percentile([7], 0.99)).toBe(7);
  expect(percentile([], 0.99)).toBeNaN();
});

test("each operation has its latency, and as many are under way as there are callers", async () => {
  let [left, underWay, most] = [20, 0, 0];
  const latencies = await latenciesWhile(
    () => left-- > 0,
    4,
    async () => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
    },
  );
  expect([latencies.length, most]).toEqual([20, 4]);
  expect(latencies.every((ms) => ms >= 0)).toBe(true);
});

test("latencies that come one by one have the same percentiles, however many there are", () => {
  const latencies = new Latencies();
  expect(latencies.percentile(0.99)).toBeNaN();
  const values = Array.from({ length: 10_000 }, (_, i) => (i * 7919) % 10_007);
  for (const value of values) latencies.add(value);
  for (const share of [0, 0.5, 0.99, 1]) expect(latencies.percentile(share)).toBe(percentile(values, share));
});
