import { describe, expect, it } from "vitest";
import { Random } from "../src/index.js";

describe("Random", () => {
  it("gives these numbers on every machine", () => {
    const random = new Random(42);
    expect([random.uint32(), random.uint32(), random.below(1000), random.chance(0.5)]).toMatchInlineSnapshot(`
      [
        3328960819,
        1817675071,
        354,
        false,
      ]
    `);
    expect(new Random(42).bytes(8)).toMatchInlineSnapshot(`
      Uint8Array [
        51,
        63,
        113,
        63,
        223,
        252,
        141,
        231,
      ]
    `);
  });

  it("tells seeds apart: their order, their sign, and what is above 32 bits", () => {
    const seeds = [
      [],
      [0],
      [1],
      [2],
      [1, 2],
      [2, 1],
      [-1],
      [2 ** 32],
      [2 ** 32 + 1],
      [Number.MAX_SAFE_INTEGER],
    ];
    expect(new Set(seeds.map((seed) => new Random(...seed).uint32())).size).toBe(seeds.length);
  });

  it("below stays below and reaches every number", () => {
    const random = new Random(1);
    const seen = new Set(Array.from({ length: 500 }, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("chance is about as often as it says", () => {
    const random = new Random(1);
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.25)).filter(Boolean).length;
    expect(hits).toBeGreaterThan(2300);
    expect(hits).toBeLessThan(2700);
    expect(random.chance(0)).toBe(false);
    expect(random.chance(1)).toBe(true);
  });
});
