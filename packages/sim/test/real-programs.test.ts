import { describe, expect, it } from "vitest";
import { runMutants } from "../mutants/harness.mjs";

describe("a deliberate bug that needs a real disk", () => {
  const mutant = {
    rule: "none",
    instrument: "real" as const,
    file: "wal/dist/segments.js",
    find: 'WAL_DIR = "wal"',
    replace: 'WAL_DIR = "wa" + "l"',
  };
  const thrown = {
    find: "export function segmentName(id) {",
    replace: 'export function segmentName(id) { throw new Error("a promise is broken");',
  };

  it("is found by the program that it names, and by no other instrument", async () => {
    const { mutants } = await runMutants({
      mutants: [
        { ...mutant, name: "breaks a promise", ...thrown, first: "hard-linked-copy" },
        { ...mutant, name: "changes nothing", first: "support" },
        { ...mutant, name: "names a program that is not there", first: "absent" },
      ],
      control: false,
    });
    expect(mutants).toMatchObject([
      {
        outcome: "found",
        foundBy: "hard-linked-copy",
        cost: "1 program",
      },
      { outcome: "survived", states: 0, seeds: 0 },
      { outcome: "broken" },
    ]);
  }, 300_000);
});
