import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bytesBelow } from "../src/disk-use.js";
import { QUICK } from "../src/scale.js";
import { SYSTEMS } from "../src/systems/all.js";
import type { Workload } from "../src/workload.js";
import { checkpointing } from "../src/workloads/checkpointing.js";
import { openingCheckpoint } from "../src/workloads/opening-checkpoint.js";

const SCALE = { ...QUICK, warmUpMs: 1, measureMs: 1, entries: 2000 };

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-life-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs it here, and gives its figures by row. */
async function figuresOf(workload: Workload): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const [kaya] = SYSTEMS;
  if (kaya === undefined) throw new Error("there is no system");
  const job = {
    system: kaya,
    scale: SCALE,
    dir: join(root, workload.name),
    fixtureDir: join(root, "fixture"),
    wants: () => true,
    report: (row: string, value: number) => void figures.set(row, value),
  };
  await workload.fixture?.fill(job);
  await workload.run(job);
  return figures;
}

describe("workloads over checkpoints", () => {
  test.each([checkpointing, openingCheckpoint])(
    "$name has a figure for each of its rows",
    async (workload) => {
      const figures = await figuresOf(workload);
      expect([...figures.keys()].sort()).toEqual(
        workload
          .rows(SCALE)
          .map(({ id }) => id)
          .sort(),
      );
      for (const [row, value] of figures) expect(value, row).toBeGreaterThanOrEqual(0);
    },
  );
});

test("the bytes below a directory are those of all its files", async () => {
  const dir = join(root, "bytes");
  await mkdir(join(dir, "inner"), { recursive: true });
  await writeFile(join(dir, "a"), "12345");
  await writeFile(join(dir, "inner", "b"), "123");
  expect(bytesBelow(dir)).toBe(8);
});
