import { expect, test } from "vitest";
import { latenciesWhile, percentile } from "../src/latencies.js";

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
