import fc from "fast-check";
import { expect, test } from "vitest";
import { describe } from "../src/index.js";

test.each([
  ["1", '"1"'],
  [1, "1"],
  [Number.NaN, "NaN"],
  [1n, "1n"],
  [true, "true"],
  [null, "null"],
  [undefined, "undefined"],
  [Symbol("s"), "a symbol"],
  [() => 1, "a function"],
  [[1, 2], "an array"],
  [{}, "an object (Object)"],
  [new Map(), "an object (Map)"],
  [Object.create(null), "an object"],
  [{ constructor: null }, "an object"],
  [{ constructor: { name: "Fake" } }, "an object"],
  [{ constructor: { name: Symbol("s") } }, "an object"],
])("%o is shown so that its type can be told", (value, shown) => {
  expect(describe(value)).toBe(shown);
});

test("what is shown is a short line, whatever the value", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withTypedArray: true }), (value) => {
      expect(describe(value).length).toBeLessThan(400);
      expect(describe(value)).not.toContain("\n");
    }),
  );
  expect(describe("x".repeat(1e6)).length).toBeLessThan(70);
  expect(describe(10n ** 1000n).length).toBeLessThan(70);
});
