import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("../torture/main.mjs", import.meta.url));
const NOTHING = ["states", "kills", "month", "cluster", "mutants"]
  .flatMap((what) => [`--${what}`, "0"])
  .concat("--seeds", "1..0");

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-sim-torture-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs it, and SIGINT as soon as it says how far it is, where that is wanted. */
function torture(argv: readonly string[], { interrupt = false } = {}) {
  const child = spawn(process.execPath, [MAIN, ...NOTHING, ...argv], { cwd: root });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
    if (interrupt) child.kill("SIGINT");
  });
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe("torture", () => {
  it("prints the figures of what was run, and writes them as JSON", async () => {
    const file = join(root, "figures.json");
    const { code, stdout } = await torture([
      "--seeds",
      "1..3",
      "--ops",
      "50",
      "--kills",
      "2",
      "--month",
      "2000",
      "--json",
      file,
    ]);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("3 seeds, 150 steps"),
    });
    expect(stdout).toMatch(/^SIGKILLs +2 of a real writer: 0 violations$/m);
    expect(stdout).toMatch(/^a month +2,\d{3} writes in \d+ lives, \d+ of them killed: 0 violations$/m);
    expect(stdout).toMatch(/^on +\d{4}-\d\d-\d\d, commit .*Node v/m);
    const figures = JSON.parse(await readFile(file, "utf8"));
    expect(figures).toMatchObject({ isInterrupted: false, kills: { kills: 2 }, month: { violations: [] } });
  });

  it("begins nothing more once its time is up, tells what it left out, and does not fail for that", async () => {
    const file = join(root, "cut.json");
    const few = ["--states", "1000", "--seeds", "1..20", "--minutes", "0"];
    const { code, stdout } = await torture([...few, "--json", file]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^CUT +the time was up .*: not begun are \d+ scenarios, 20 seeds, 1,000 of the states/m,
    );
    const { cut } = JSON.parse(await readFile(file, "utf8"));
    expect(cut.scenarios).toContain("engine: open, write, close");
    expect(cut.scenarios).toContain("engine: two faults: a flush");
  });

  it("prints what was done so far when it is interrupted, and ends with 130", async () => {
    const { code, stdout } = await torture(["--seeds", "1..1000000", "--ops", "50"], { interrupt: true });
    expect({ code, stdout }).toMatchObject({
      code: 130,
      stdout: expect.stringContaining("then interrupted"),
    });
  });

  it("says what is wrong with its options", async () => {
    for (const argv of [["--states", "many"], ["--seeds", "a..b"], ["--nothing"]]) {
      const { code, stderr } = await torture(argv);
      expect({ argv, code }).toEqual({ argv, code: 4 });
      expect(stderr).toContain(argv[0]);
    }
    expect((await torture(["--help"])).stdout).toContain("--processes N");
  });
});
