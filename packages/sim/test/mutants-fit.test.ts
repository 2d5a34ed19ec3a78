import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.mjs";
import { patch } from "../mutants/patched-copy.mjs";

test.each(MUTANTS)("the deliberate bug fits the built code: $name", (mutant) => {
  const code = readFileSync(new URL(`../../${mutant.file}`, import.meta.url), "utf8");
  expect(patch(code, mutant)).not.toBe(code);
});
