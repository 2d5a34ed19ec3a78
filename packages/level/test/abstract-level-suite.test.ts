import suite from "abstract-level/test/index.js";
import type { TestCase } from "tape";
import { describe, expect, test } from "vitest";
import { type DatabaseOptions, KayaLevel } from "../src/index.js";
import { failOnBad, runTape } from "./support/tape-run.js";
import { temporaryLocations } from "./support/temporary-directory.js";

// What abstract-level 3.1.1 has for a database with everything that its manifest can name.
const TESTS = 1509;
const ASSERTIONS = 5168;

describe("abstract-level's own suite", () => {
  const newLocation = temporaryLocations();
  let tests = 0;
  let assertions = 0;

  suite({
    factory: (options?: DatabaseOptions<string, string>) => new KayaLevel(newLocation(), options),
    test(name: string, body: TestCase) {
      tests++;
      test(name, async () => {
        const made = await runTape(name, body);
        assertions += made.length;
        failOnBad(made);
      });
    },
  });

  test("was run whole", () => {
    expect(tests).toBeGreaterThanOrEqual(TESTS);
    expect(assertions).toBeGreaterThanOrEqual(ASSERTIONS);
  });
});

describe("the wrapper around tape", () => {
  test("fails where an assertion does, and says which", async () => {
    const made = await runTape("two", (t) => {
      t.ok(true, "right");
      t.equal(1, 2, "wrong");
      t.end();
    });
    expect(made.length).toBe(2);
    expect(() => failOnBad(made)).toThrow("wrong (equal): got 1, expected 2");
  });

  test("fails where a test rejects, keeps short of its plan, or leaves something out", async () => {
    const rejected = await runTape("rejected", async () => {
      throw new Error("no");
    });
    expect(() => failOnBad(rejected)).toThrow("Error: no");
    const short = await runTape("short", (t) => {
      t.plan(2);
      t.pass("the first");
      t.end();
    });
    expect(() => failOnBad(short)).toThrow("plan != count");
    const skipped = await runTape("skipped", async (t) => t.equal(1, 2, "not now", { skip: true }));
    expect(() => failOnBad(skipped)).toThrow("not now (equal): skipped");
  });
});
