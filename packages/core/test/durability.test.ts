import fc from "fast-check";
import { expect, test } from "vitest";
import { DurabilityMode, isDurabilityMode } from "../src/index.js";

test("the modes are these two strings", () => {
  expect(DurabilityMode).toEqual({ Strict: "strict", Relaxed: "relaxed" });
});

test.each(Object.values(DurabilityMode))("%s is a durability mode", (mode) => {
  expect(isDurabilityMode(mode)).toBe(true);
});

test.each(["Strict", "STRICT", "strict ", "", "toString"])("%o is no durability mode", (value) => {
  expect(isDurabilityMode(value)).toBe(false);
});

test("nothing else is one", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      fc.pre(value !== "strict" && value !== "relaxed");
      expect(isDurabilityMode(value)).toBe(false);
    }),
  );
});
