import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { clusterBench } from "../src/cluster/cluster-bench.js";
import { clusterReport } from "../src/cluster/cluster-report.js";
import type { ClusterRun } from "../src/cluster/cluster-run.js";

const at = (median: number) => ({ median, min: median - 1, max: median + 1 });

const RUN: ClusterRun = {
  machine: {
    date: "2026-11-29",
    commit: "abc1234",
    node: "v20.20.2",
    system: "linux 6.18 x64",
    cpu: "2 x CPU",
    memoryGiB: 24,
    fileSystem: "ext4",
  },
  mode: "full",
  etcd: "etcd 3.4.23",
  rounds: 3,
  puts: [
    {
      inFlight: 1024,
      cluster: at(20_000),
      direct: at(800),
      ratio: at(25),
      clusterP99: at(60),
      directP99: at(1500),
    },
  ],
  takeoverMs: [1800, 2400, 2000],
  lag: {
    putsPerSecond: 20_000,
    visibleMs: { p50: 50, p99: 120 },
    acknowledgedMs: { p50: 40, p99: 80 },
    records: { p50: 1024, p99: 4096 },
  },
  joins: [{ entries: 100_000, from: "base and tail", ms: 2000, entriesPerSecond: 50_000, peakMiB: 150 }],
};

describe("the report of a cluster's bench", () => {
  test("has each figure, and says which goals are reached", () => {
    const report = clusterReport(RUN);
    expect(report).toContain("| 1,024 | 20,000 | 800 | 25.0x (24.0x to 26.0x) | 60.0 | 1,500 |");
    expect(report).toContain("at least 20x. Reached.");
    expect(report).toContain(
      "least 1,800 ms, median 2,000 ms, most 2,400 ms. Goal: at most 3,000 ms. Reached.",
    );
    expect(report).toContain(
      "| from the call of a put to its visibility at the follower (ms) | 50.0 | 120 |",
    );
    expect(report).toContain("| 100,000 | base and tail | 2,000 | 50,000 | 150 |");
  });

  test("says so where a goal is not reached, and leaves out what was not measured", () => {
    const report = clusterReport({ ...RUN, puts: [], lag: undefined, joins: [], takeoverMs: [2000, 3001] });
    expect(report).toContain("**Not reached.**");
    expect(report).not.toContain("|");
  });

  test("replaces its part of a document, and no other", async () => {
    const directory = await mkdtemp(join(tmpdir(), "kaya-cluster-report-"));
    const [from, document] = [join(directory, "run.json"), join(directory, "page.md")];
    await writeFile(from, JSON.stringify(RUN));
    const around = (text: string) =>
      `a\n<!-- bench:report -->\nother\n<!-- /bench -->\n<!-- bench:cluster -->\n${text}\n<!-- /bench -->\nb\n`;
    await writeFile(document, around("old"));
    const texts: string[] = [];
    const terminal = { out: (text: string) => texts.push(text), note: () => undefined, isTty: false };
    expect(await clusterBench(["--from", from, "--into", document], terminal)).toBe(0);
    expect(await readFile(document, "utf8")).toBe(around(`\n${clusterReport(RUN)}\n`));
    expect(texts).toEqual([`${clusterReport(RUN)}\n`]);
    await writeFile(document, "no marks");
    await expect(clusterBench(["--from", from, "--into", document], terminal)).rejects.toThrow(
      "has no <!-- bench:cluster -->",
    );
    await rm(directory, { recursive: true });
  });
});
