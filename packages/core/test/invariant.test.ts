import { expect, test } from "vitest";
import { invariant, KayaError } from "../src/index.js";

test("an invariant that holds is silent", () => {
  expect(invariant(true, "W1", "never seen")).toBeUndefined();
});

test("a broken invariant is KAYA_INVARIANT_VIOLATION and names its number", () => {
  const check = () => invariant(false, "W3", "lsn 7 was given twice");
  expect(check).toThrow(KayaError);
  expect(check).toThrow(
    expect.objectContaining({
      code: "KAYA_INVARIANT_VIOLATION",
      message: "W3: lsn 7 was given twice. Please report this.",
    }),
  );
});

test("what an invariant asserts is known to the compiler behind it", () => {
  const found: string | undefined = ["found"].at(0);
  invariant(found !== undefined, "R1", "nothing found");
  expect(found.length).toBe(5);
});
