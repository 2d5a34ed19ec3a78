import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { FULL, type Scale } from "../src/scale.js";
import { kaya } from "../src/systems/kaya.js";
import { expiry } from "../src/workloads/expiry.js";

const SCALE: Scale = { ...FULL, entries: 2500, warmUpMs: 0, measureMs: 5 };

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-expiry-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

// The bench's own processes run with --expose-gc.
vi.stubGlobal("gc", () => undefined);

test("a lifetime has the rows of entries that stay, and each has its figure", async () => {
  const figures = new Map<string, number>();
  await expiry.run({
    system: kaya,
    scale: SCALE,
    dir: root,
    fixtureDir: root,
    wants: () => true,
    report: (row, value) => void figures.set(row, value),
    measure: async (row, work) => void figures.set(row, await work()),
  });
  const rows = expiry.rows(SCALE).map(({ id }) => id);
  expect([...figures.keys()].sort()).toEqual([...rows].sort());
  for (const [row, value] of figures) expect(value, row).toBeGreaterThan(0);
  for (const row of rows.filter((id) => !id.includes("-ttl")))
    expect(rows).toContain(row.endsWith("-p99") ? row.replace("-p99", "-ttl-p99") : `${row}-ttl`);
});
