import { describe, expect, test } from "vitest";
import { cpuOf, paceOf } from "../src/measure.js";

const BRIEF = { warmUpMs: 1, measureMs: 20 };

describe("a pace", () => {
  test("has the rate of what was done, and the wait that 99 of 100 callers did not exceed", async () => {
    let done = 0;
    const { perSecond, p99 } = await paceOf(4, { ...BRIEF, warmUpMs: 0 }, async () => {
      done++;
      await new Promise(setImmediate);
    });
    expect(perSecond).toBeGreaterThan(0);
    expect(perSecond).toBeLessThanOrEqual((done / BRIEF.measureMs) * 1000);
    expect(p99).toBeGreaterThan(0);
  });

  test("waits of callers beside synchronous work are those of all of it", async () => {
    const block = () => {
      const end = performance.now() + 2;
      while (performance.now() < end);
    };
    const { p99 } = await paceOf(8, BRIEF, block);
    expect(p99).toBeGreaterThan(15);
  });
});

describe("CPU time of an operation", () => {
  test("is that of all callers and of what they left, without what the warm-up left", async () => {
    const calls: string[] = [];
    const work = (ms: number) => {
      const end = performance.now() + ms;
      while (performance.now() < end);
    };
    const cpu = await cpuOf(
      1,
      BRIEF,
      () => {
        if (calls.at(-1) !== "put") calls.push("put");
        work(2);
      },
      async () => void calls.push("settle"),
    );
    expect(calls).toEqual(["put", "settle", "put", "settle"]);
    expect(cpu).toBeGreaterThan(0);
  });
});
