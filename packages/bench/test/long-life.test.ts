import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesBelow } from "../src/disk-use.js";
import { QUICK, type Scale } from "../src/scale.js";
import { SYSTEMS } from "../src/systems/all.js";
import type { Workload } from "../src/workload.js";
import { flushing } from "../src/workloads/flushing.js";
import { limited } from "../src/workloads/limited.js";
import { overwrites } from "../src/workloads/overwrites.js";
import { reads } from "../src/workloads/reads.js";
import { coldReopening, reopening } from "../src/workloads/reopening.js";
import { resident } from "../src/workloads/resident.js";
import { rewriting } from "../src/workloads/rewriting.js";
import { waves } from "../src/workloads/waves.js";
import { ycsbA } from "../src/workloads/ycsb.js";

const PACE = { warmUpMs: 1, measureMs: 1, entries: 2000 };
const SCALE: Scale = {
  ...QUICK,
  ...PACE,
  overwrites: 20_000,
  waves: 1000,
  limited: [{ ...PACE, memoryBytes: 192 << 20, deadlineMs: 60_000 }],
};

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-life-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs it here, and gives its figures by row. */
async function figuresOf(workload: Workload, scale = SCALE): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const [kaya] = SYSTEMS;
  if (kaya === undefined) throw new Error("there is no system");
  const report = (row: string, value: number) => void figures.set(row, value);
  const job = {
    system: kaya,
    scale,
    dir: join(root, workload.name),
    fixtureDir: join(root, `${workload.name}-fixture`),
    wants: () => true,
    report,
    measure: async (row: string, work: () => Promise<number>) => report(row, await work()),
  };
  await workload.fixture?.fill(job);
  await workload.prepare?.(job);
  await workload.run(job);
  return figures;
}

describe("workloads over a longer life", () => {
  beforeAll(() => {
    // As the processes of the bench have it.
    setFlagsFromString("--expose-gc");
    globalThis.gc ??= runInNewContext("gc");
  });

  test.each([
    coldReopening,
    flushing,
    limited,
    overwrites,
    reads,
    reopening,
    resident,
    rewriting,
    waves,
    ycsbA,
  ])("$name has a figure for each of its rows", async (workload) => {
    const figures = await figuresOf(workload);
    expect([...figures.keys()].sort()).toEqual(
      workload
        .rows(SCALE)
        .map(({ id }) => id)
        .sort(),
    );
    for (const [row, value] of figures) expect(value, row).toBeGreaterThanOrEqual(0);
  });

  test("a load that is not done in its time says how far it came", async () => {
    const late = SCALE.limited.map((scale) => ({ ...scale, deadlineMs: -1 }));
    await expect(figuresOf(limited, { ...SCALE, limited: late })).rejects.toThrow(
      /^0 of 2000 entries were loaded in /,
    );
  });
});

test("the bytes below a directory are those of all its files", async () => {
  const dir = join(root, "bytes");
  await mkdir(join(dir, "inner"), { recursive: true });
  await writeFile(join(dir, "a"), "12345");
  await writeFile(join(dir, "inner", "b"), "123");
  expect(bytesBelow(dir)).toBe(8);
});
