import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { FULL, type Scale } from "../src/scale.js";
import { PeerMissing, type System } from "../src/system.js";
import { SYSTEMS } from "../src/systems/all.js";
import { person, personKey, tupleKey, tupleValue } from "../src/typed-data.js";
import {
  hasTyping,
  STRING_JSON,
  STRING_MSGPACK,
  TUPLE_BYTES,
  type Tuple,
  type Typing,
} from "../src/typed-system.js";
import type { Job, Workload } from "../src/workload.js";
import { tupleScans } from "../src/workloads/tuple-scans.js";
import { typedGets } from "../src/workloads/typed-gets.js";
import { typedPuts } from "../src/workloads/typed-puts.js";

const SCALE: Scale = { ...FULL, entries: 1000, warmUpMs: 0, measureMs: 5 };
const ENTRIES = 250;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kaya-bench-typed-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

// The bench's own processes run with --expose-gc.
vi.stubGlobal("gc", () => undefined);

async function isMissing(system: System): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), "kaya-bench-probe-"));
  try {
    await (await system.open(join(dir, "data"), "relaxed")).close();
    return false;
  } catch (error) {
    if (error instanceof PeerMissing) return true;
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const typed = [];
for (const system of SYSTEMS)
  if (system.typed !== undefined && !(await isMissing(system))) typed.push(system);

const open = (system: System, name: string, typing: Typing) => {
  const store = system.typed?.open(join(root, `${system.name}-${name}`), "durable", typing);
  if (store === undefined) throw new Error(`${system.name} has no types`);
  return store;
};

describe.each(typed.map((system) => [system.name, system] as const))("%s", (_name, system) => {
  test.each([STRING_JSON, STRING_MSGPACK].filter((typing) => hasTyping(system.typed, typing)))(
    "objects in $value are read back",
    async (typing) => {
      const store = await open(system, typing.value, typing);
      await store.put(personKey(0), person(0));
      await store.batch([1, 2].map((i) => ({ key: personKey(i), value: person(i) })));
      for (const i of [0, 1, 2]) {
        expect(await store.get(personKey(i))).toEqual(person(i));
        if (store.getSync) expect(store.getSync(personKey(i))).toEqual(person(i));
      }
      expect(await store.get(personKey(3))).toBeUndefined();
      await store.close();
    },
  );

  test.skipIf(!hasTyping(system.typed, TUPLE_BYTES))("tuples are scanned in their order", async () => {
    const store = await open(system, "tuples", TUPLE_BYTES);
    const indexes = Array.from({ length: ENTRIES }, (_, i) => (i * 7) % ENTRIES);
    await store.batch(indexes.map((i) => ({ key: tupleKey(i), value: tupleValue(i) })));
    const keysOf = async (range?: { from: Tuple; to: Tuple }) => {
      const keys: Tuple[] = [];
      await store.scan?.((key) => keys.push(key), range);
      return keys;
    };
    const all = Array.from({ length: ENTRIES }, (_, i) => tupleKey(i));
    expect(await keysOf()).toEqual(all);
    expect(await keysOf({ from: ["visits", 1], to: ["visits", 2] })).toEqual(all.slice(100, 200));
    await store.close();
  });

  test.each([typedPuts, typedGets, tupleScans])(
    "$name has a figure for each row that it can have",
    async (workload) => {
      if (!workload.runsOn(system)) return;
      const figures = new Map<string, number>();
      const jobDir = join(root, `${system.name}-${workload.name}`);
      await runIn(workload, system, jobDir, figures);
      const rows = workload.rows(SCALE).map(({ id }) => id);
      const possible = hasTyping(system.typed, STRING_MSGPACK)
        ? rows
        : rows.filter((id) => !id.includes("/msgpack"));
      expect([...figures.keys()]).toEqual(possible);
      for (const [row, value] of figures) expect(value, row).toBeGreaterThan(0);
    },
  );
});

async function runIn(
  workload: Workload,
  system: System,
  dir: string,
  figures: Map<string, number>,
): Promise<void> {
  const job: Job = {
    system,
    scale: SCALE,
    dir: join(dir, "job"),
    fixtureDir: join(dir, "fixture"),
    wants: () => true,
    report: (row, value) => void figures.set(row, value),
    measure: async (row, work) => void figures.set(row, await work()),
  };
  await workload.fixture?.fill(job);
  await workload.run(job);
}
