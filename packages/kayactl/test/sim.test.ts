import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Disk } from "@kaya/io";
import { generateTrace, saveTrace } from "@kaya/sim";
import { afterEach, describe, expect, test, vi } from "vitest";
import { run } from "../src/index.js";
import { BIN, child, kayactl, Sink, temporaryDirectory } from "./helpers.js";

const bug = vi.hoisted(() => ({ isPlanted: false }));
const simulations = vi.hoisted(() => ({ onStart: () => {} }));

vi.mock("@kaya/sim", async (importOriginal) => {
  const sim = await importOriginal<typeof import("@kaya/sim")>();
  const target = () => ({ wrapDisk: (disk: Disk) => (bug.isPlanted ? withoutSync(disk) : disk) });
  const mocked: Partial<typeof sim> = {
    runSimulation: (options) => {
      simulations.onStart();
      return sim.runSimulation({ ...options, target: target() });
    },
    runTrace: (trace) => sim.runTrace(trace, target()),
    shrinkTrace: (trace, options) => sim.shrinkTrace(trace, { ...options, target: target() }),
  };
  return { ...sim, ...mocked };
});

/** A disk that says that it has synced a file, and has not. */
function withoutSync(disk: Disk): Disk {
  const overriding = <T extends object>(inner: T, own: Partial<T>): T =>
    new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(name in own ? own : target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return overriding<Disk>(disk, {
    open: async (path, options) =>
      overriding(await disk.open(path, options), { sync: async () => undefined }),
  });
}

afterEach(() => {
  bug.isPlanted = false;
  simulations.onStart = () => {};
});

const FAST = ["--ops", "60"];

describe("sim run", () => {
  test("runs one simulation a seed and sums them up", async () => {
    const { code, stdout, stderr } = await kayactl(["sim", "run", "--seed", "5..9", ...FAST]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^OK seeds 5 to 9, 60 steps each\nruns +5\nsteps +[3-5]\d\d\n/);
    for (const name of [
      "disk operations",
      "acknowledged",
      "crashes",
      "kills",
      "faults +fsync-failed",
      "failures +0",
    ]) {
      expect(stdout).toMatch(new RegExp(`^${name}\\b`, "m"));
    }
  });

  test("does the same for the same seed, whoever asks and how", async () => {
    const summary = async (...argv: string[]) => {
      const { stdout } = await kayactl(["sim", "run", "--json", ...FAST, ...argv]);
      const { durationMs, ...rest } = JSON.parse(stdout);
      expect(durationMs).toBeGreaterThanOrEqual(0);
      return rest;
    };
    const once = await summary("--seed", "3", "--runs", "4");
    expect(once).toMatchObject({
      ok: true,
      seeds: { from: 3, to: 6 },
      operations: 60,
      runs: 4,
      failures: [],
    });
    expect(await summary("--seed", "3..6")).toEqual(once);
    expect(await summary("--seed", "3", "--runs", "3")).not.toEqual(once);
  });

  test.each([
    [["--seed", "x"], /whole number, or two as A\.\.B/],
    [["--seed", "9..2"], /must not be less/],
    [["--seed", "1..9", "--runs", "3"], /leave --runs out/],
    [["--runs", "0"], /at least 1/],
    [["--ops", "-1"], /whole number/],
    [["--seed", "9007199254740991", "--runs", "2"], /2\^53/],
  ])("%j is a mistake", async (argv, message) => {
    const { code, stdout, stderr } = await kayactl(["sim", "run", ...argv]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test("an interruption gives the summary so far, and 130", async () => {
    for (const json of [[], ["--json"]]) {
      const interruption = new AbortController();
      const stdout = new Sink();
      simulations.onStart = () => interruption.abort();
      const argv = ["sim", "run", "--runs", "1000000", ...FAST, ...json];
      expect(await run(argv, { stdout, stderr: new Sink(), signal: interruption.signal })).toBe(130);
      const text = stdout.bytes.toString();
      if (json.length === 0) expect(text).toMatch(/^INTERRUPTED seeds? 1\b.*\nruns +\d+\n/);
      else expect(JSON.parse(text)).toMatchObject({ ok: false, interrupted: true });
    }
  });

  test("SIGINT does that in a process of its own", async () => {
    const { code, stdout } = await child(process.execPath, [BIN, "sim", "run", "--runs", "1000000"], {
      // It tells how far it is every five seconds.
      afterStart: (simulation) => simulation.stderr.once("data", () => simulation.kill("SIGINT")),
    });
    expect({ code, first: stdout.split(" ")[0] }).toEqual({ code: 130, first: "INTERRUPTED" });
  });
});

describe("a broken promise", () => {
  test("is told with its seed, shrunk, saved, and breaks again in a replay", async () => {
    bug.isPlanted = true;
    const file = join(await temporaryDirectory(), "trace.jsonl");
    const { code, stdout, stderr } = await kayactl([
      "sim",
      "run",
      "--runs",
      "20",
      "--ops",
      "100",
      "--save",
      file,
    ]);
    expect(code).toBe(5);
    const [, seed, rule] = /^seed (\d+), step \d+: ([a-z-]+)/m.exec(stdout) ?? [];
    expect(stdout).toMatch(/^FAILED seeds 1 to 20/);
    expect(stdout).toContain(`  again: kayactl sim run --seed ${seed} --ops 100 --runs 1\n  shrunk to `);
    expect(stdout).toContain(`kayactl sim replay ${file}`);
    expect(stderr).toMatch(/^error KAYA_INVARIANT_VIOLATION: \d+ of 20 runs broke a promise/m);

    const steps = (await readFile(file, "utf8")).trim().split("\n").length - 1;
    expect(steps).toBeLessThan(15);
    const replayed = await kayactl(["sim", "replay", file]);
    expect(replayed.code).toBe(5);
    expect(replayed.stdout).toMatch(new RegExp(`^FAILED .*\nsteps +${steps}\n`));
    expect(replayed.stderr).toMatch(
      new RegExp(`^error KAYA_INVARIANT_VIOLATION: seed \\d+, step \\d+: ${rule}`),
    );

    const json = await kayactl(["sim", "replay", file, "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, violation: { rule } });
    expect(JSON.parse(json.stderr.split("\n")[1] ?? "")).toMatchObject({ code: "KAYA_INVARIANT_VIOLATION" });

    bug.isPlanted = false;
    expect(await kayactl(["sim", "replay", file])).toMatchObject({ code: 0, stderr: "" });
  });

  test("stands in the JSON, and a file that cannot be written is told", async () => {
    bug.isPlanted = true;
    const directory = await temporaryDirectory();
    const file = join(directory, "trace.jsonl");
    const argv = ["sim", "run", "--runs", "10", "--ops", "100", "--json", "--save"];
    const { code, stdout, stderr } = await kayactl([...argv, file]);
    const { ok, failures, trace, traceSteps } = JSON.parse(stdout);
    expect({ code, ok, trace }).toEqual({ code: 5, ok: false, trace: file });
    expect(failures[0].again).toBe(`kayactl sim run --seed ${failures[0].seed} --ops 100 --runs 1`);
    // A disk that syncs nothing may break a promise at the first opening already.
    expect(traceSteps).toBe((await readFile(file, "utf8")).trim().split("\n").length - 1);
    expect(stderr).toMatch(/^error KAYA_INVARIANT_VIOLATION/);
    const nowhere = await kayactl([...argv, join(directory, "none", "trace.jsonl")]);
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toMatch(/^error KAYA_IO: cannot save the trace of seed \d+ as .*ENOENT/);
  });
});

describe("sim replay", () => {
  test("carries out a saved trace, always in the same way", async () => {
    const file = join(await temporaryDirectory(), "trace.jsonl");
    await writeFile(file, saveTrace(generateTrace({ seed: 12, operations: 80, indexes: 0 })));
    const first = await kayactl(["sim", "replay", file]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toMatch(/^OK .*\nsteps +80\n[\s\S]*\ndigest +\S+\n$/);
    expect((await kayactl(["sim", "replay", file])).stdout).toBe(first.stdout);
    const { stdout } = await kayactl(["sim", "replay", file, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, seed: 12, steps: 80 });
  });

  test("says what is wrong with a trace", async () => {
    const file = join(await temporaryDirectory(), "trace.jsonl");
    expect(await kayactl(["sim", "replay", file])).toMatchObject({
      code: 2,
      stderr: `error KAYA_NOT_FOUND: there is no trace file ${file}\n`,
    });
    await writeFile(file, "{}\n");
    const { code, stderr } = await kayactl(["sim", "replay", file]);
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: "error KAYA_INVALID_ARGUMENT: trace, line 1: this is no trace of a simulation\n",
    });
    expect(existsSync(file)).toBe(true);
  });
});

test("help sim", async () => {
  const { code, stdout } = await kayactl(["help", "sim"]);
  expect(code).toBe(0);
  for (const word of ["run", "replay TRACE"]) expect(stdout).toContain(word);
  expect((await kayactl(["sim"])).stderr).toContain('"sim" needs a subcommand: see "kayactl help sim"');
  expect((await kayactl(["--help"])).stdout).toMatch(/^ {2}sim run\|replay /m);
});
