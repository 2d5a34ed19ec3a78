import { describe, expect, test } from "vitest";
import { parseOptions } from "../src/options.js";

const parse = (...argv: string[]) => parseOptions(argv, () => undefined);

describe("options", () => {
  test("without any, everything is measured in the quick mode", () => {
    const options = parse();
    expect(options.scale.mode).toBe("quick");
    expect(options.systems).toContain("raw loop");
    expect(options.checkDurable).toBe(false);
  });

  test("modes", () => {
    expect(parse("--full").scale).toMatchObject({ mode: "full", rounds: 3, entries: 1_000_000 });
    expect(parse("--large").scale.growth).toEqual([1_000_000, 5_000_000, 20_000_000]);
    expect(() => parse("--quick", "--full")).toThrow(/cannot be used with/);
  });

  test("systems by name, with a dash for a space", () => {
    expect(parse("--systems", "kaya,raw-loop").systems).toEqual(["kaya", "raw loop"]);
    expect(() => parse("--systems", "leveldown")).toThrow(/leveldown is none of kaya, raw-loop/);
  });

  test("what is wrong is told", () => {
    expect(() => parse("--only", "(")).toThrow(/[Ii]nvalid regular expression/);
    expect(() => parse("--rounds", "0")).toThrow(/whole number/);
    expect(() => parse("--fast")).toThrow(/unknown option/);
  });

  test("the dashes that pnpm hands on are no argument", () => {
    expect(parse("--", "--full", "--rounds", "2").scale).toMatchObject({ mode: "full", rounds: 2 });
  });

  test("rounds that are asked for are those of every workload", () => {
    expect(parse("--full").scale.roundsOf).not.toEqual({});
    expect(parse("--full", "--rounds", "2").scale.roundsOf).toEqual({});
  });

  test("documents that the report goes into, and the plan", () => {
    expect(parse()).toMatchObject({ into: [], plan: false });
    expect(parse("--into", "a.md", "b.md", "--plan")).toMatchObject({ into: ["a.md", "b.md"], plan: true });
  });
});
