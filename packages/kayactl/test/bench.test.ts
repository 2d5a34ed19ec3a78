import { mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { benchLines, benchNotes } from "../src/disk-bench/bench-text.js";
import type { BenchResult, BenchRow } from "../src/disk-bench/run-bench.js";
import { latencyOf, spreadOf } from "../src/disk-bench/statistics.js";
import {
  absentDirectory,
  BIN,
  child,
  filledDirectory,
  kayactl,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";
import { mountTmpfs } from "./mounted-tmpfs.js";

const NAMES = [
  "write and fsync of 4 KiB",
  "durable puts, 1 at a time",
  "durable puts, 16 in flight",
  "durable puts, 256 in flight",
  "relaxed puts, 1 at a time",
  "gets of random keys",
  "a scan, in entries",
  "opening after a close",
];

describe("bench", () => {
  test("measures beside the data directory, which it leaves alone, and removes what it made", async () => {
    const data = await filledDirectory(2);
    const before = await snapshot(dirname(data));
    const { code, stdout, stderr } = await kayactl(["bench", "--seconds", "0.4", "--data", data]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(Object.keys(await snapshot(dirname(data)))).toEqual(Object.keys(before));
    const [head, how, empty, titles, ...rows] = stdout.split("\n");
    expect(head).toMatch(new RegExp(`^${dirname(data)} \\(\\w+\\), Node v[\\d.]+, values of 100 B$`));
    expect(how).toMatch(/^median of 5 rounds of .+ each, and the lowest and highest round$/);
    expect(empty).toBe("");
    expect(titles?.split(/ +/)).toEqual(["", "median", "rounds", "p50", "p99", "most"]);
    expect(rows.slice(0, NAMES.length).map((row) => NAMES.find((name) => row.startsWith(name)))).toEqual(
      NAMES,
    );
  });

  test("gives the figures as JSON, and takes --dir, --seconds and --value-bytes", async () => {
    const dir = await temporaryDirectory();
    const argv = [
      "bench",
      "--json",
      "--dir",
      dir,
      "--seconds",
      "0.3",
      "--value-bytes",
      "5000",
      "--data",
      await absentDirectory(),
    ];
    const { code, stdout } = await kayactl(argv);
    expect(code).toBe(0);
    expect(await readdir(dir)).toEqual([]);
    const result = JSON.parse(stdout) as BenchResult & { dir: string; valueBytes: number };
    expect(result).toMatchObject({ ok: true, dir, valueBytes: 5000, rounds: 5, node: process.version });
    expect(result.rows.map(({ name }) => name)).toEqual(NAMES);
    for (const { name, min, median, max } of result.rows) {
      expect(min, name).toBeGreaterThan(0);
      expect(median, name).toBeGreaterThanOrEqual(min);
      expect(max, name).toBeGreaterThanOrEqual(median);
    }
    expect(result.entries).toBeGreaterThan(0);
  });

  test("Ctrl-C ends it with 130 and removes what it made", async () => {
    const directory = await temporaryDirectory();
    const begun = async () =>
      (await readdir(directory, { recursive: true })).some((name) => name.endsWith("LOCK"));
    const { code } = await child(process.execPath, [BIN, "bench", "--seconds", "3000", "--dir", directory], {
      afterStart: (bench) =>
        void (async () => {
          while (!(await begun())) await sleep(5);
          await sleep(200); // somewhere in the middle
          bench.kill("SIGINT");
        })(),
    });
    expect(code).toBe(130);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a full disk ends it with 1, and is as empty as before", async (context) => {
    const disk = mountTmpfs("3m");
    if (disk === undefined) return context.skip("mounting a tmpfs is not permitted");
    const { code, stderr } = await kayactl(["bench", "--dir", disk, "--value-bytes", "100000"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error KAYA_(DISK_FULL|IO): /);
    expect(await readdir(disk)).toEqual([]);
  });

  test("a disk that is full already is told as such", async (context) => {
    const disk = mountTmpfs("64k");
    if (disk === undefined) return context.skip("mounting a tmpfs is not permitted");
    const { code, stderr } = await kayactl(["bench", "--dir", disk]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error KAYA_DISK_FULL: cannot write .*ENOSPC/);
    expect(await readdir(disk)).toEqual([]);
  });

  test("a wrong call is refused", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "file"), "x");
    await mkdir(join(directory, "dir"));
    for (const argv of [
      ["--dir", join(directory, "nowhere")],
      ["--dir", join(directory, "file")],
      ["--seconds", "0"],
      ["--value-bytes", "20000000"],
    ])
      expect((await kayactl(["bench", ...argv])).code, argv.join(" ")).toBe(4);
  });
});

describe("figures", () => {
  test("a median with its spread, and percentiles", () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    const times = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(latencyOf(times)).toEqual({ p50: 100, p99: 198, max: 200 });
    expect(latencyOf([])).toBe(undefined);
  });

  const row = (name: string, min: number, max: number): BenchRow => ({
    name,
    unit: "per second",
    median: (min + max) / 2,
    min,
    max,
    latency: { p50: 0.25, p99: 20, max: 1500 },
  });
  const result = (...rows: BenchRow[]): BenchResult => ({ rows, rounds: 5, roundMs: 200, entries: 12_345 });

  test("have three digits, and times the unit that fits them", () => {
    const [, line] = benchLines(result(row("puts", 123_456, 234_567)));
    expect(line?.split(/ {2,}/)).toEqual([
      "puts",
      "179,000/s",
      "123,000 to 235,000",
      "0.250 ms",
      "20 ms",
      "1.5 s",
    ]);
  });

  test("rounds that differ much are told", () => {
    expect(benchNotes(result(row("puts", 100, 150))).join("\n")).not.toContain("differ");
    expect(benchNotes(result(row("puts", 100, 250))).join("\n")).toContain(
      'The rounds of "puts" differ by more than a factor of 2',
    );
    const all = ["a", "b", "c", "d"].map((name) => row(name, 1, 9));
    expect(benchNotes(result(...all)).join("\n")).toContain("The rounds of most measures differ");
  });
});
