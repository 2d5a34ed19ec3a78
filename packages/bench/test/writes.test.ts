import { describe, expect, test } from "vitest";
import { VALUE_BYTES } from "../src/data.js";
import { FULL, type Scale } from "../src/scale.js";
import type { Durability, Entry, Store, StoreMemory, System } from "../src/system.js";
import type { Job, Workload } from "../src/workload.js";
import { putCpu } from "../src/workloads/put-cpu.js";
import {
  coalescedPuts,
  durableBatches,
  durablePuts,
  durableValues,
  relaxedBatches,
  relaxedPuts,
  synchronousPuts,
} from "../src/workloads/write-workloads.js";

const SCALE: Scale = { ...FULL, warmUpMs: 0, measureMs: 5, durableInFlight: [1, 16] };

/** What a store was asked for, from its opening to its end. */
interface Seen {
  readonly durability: Durability;
  readonly memory: StoreMemory | undefined;
  readonly calls: Set<string>;
  readonly batchSizes: Set<number>;
  readonly valueBytes: Set<number>;
  mostInFlight: number;
  flushes: number;
}

function fakeSystem(parts: Partial<System> = {}, isSynchronous = false) {
  const opened: Seen[] = [];
  const system: System = {
    name: "fake",
    kind: "peer",
    onDisk: true,
    setup: { durable: "yes", relaxed: "yes" },
    async open(_dir, durability, memory) {
      const seen: Seen = {
        durability,
        memory,
        calls: new Set(),
        batchSizes: new Set(),
        valueBytes: new Set(),
        mostInFlight: 0,
        flushes: 0,
      };
      opened.push(seen);
      return fakeStore(seen, isSynchronous);
    },
    ...parts,
  };
  return { system, opened };
}

function fakeStore(seen: Seen, isSynchronous: boolean): Store {
  let inFlight = 0;
  const wait = async () => {
    seen.mostInFlight = Math.max(seen.mostInFlight, ++inFlight);
    await new Promise(setImmediate);
    inFlight--;
  };
  return {
    put(_key, value) {
      seen.calls.add("put");
      seen.valueBytes.add(value.length);
      return wait();
    },
    batch(entries: readonly Entry[]) {
      seen.calls.add("batch");
      seen.batchSizes.add(entries.length);
      for (const { value } of entries) seen.valueBytes.add(value.length);
      return wait();
    },
    ...(isSynchronous && { putSync: () => void seen.calls.add("putSync") }),
    flush: async () => void seen.flushes++,
    close: async () => undefined,
  };
}

async function figuresOf(workload: Workload, system: System): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const job: Job = {
    system,
    scale: SCALE,
    dir: "/nowhere",
    fixtureDir: "/nowhere",
    wants: () => true,
    report: (row, value) => void figures.set(row, value),
    measure: async () => undefined,
  };
  await workload.run(job);
  return figures;
}

describe("workloads that write", () => {
  test.each([durablePuts, coalescedPuts, relaxedPuts, durableBatches, relaxedBatches, durableValues])(
    "$name has a rate and a 99th percentile for each of its rows",
    async (workload) => {
      const { system, opened } = fakeSystem();
      const figures = await figuresOf(workload, system);
      expect([...figures.keys()]).toEqual(workload.rows(SCALE).map(({ id }) => id));
      for (const [row, value] of figures) expect(value, row).toBeGreaterThan(0);
      const durability = workload.name.startsWith("relaxed") ? "relaxed" : "durable";
      for (const seen of opened) expect(seen.durability).toBe(durability);
    },
  );

  test("each row has its callers, in a fresh store with the memory that Kaya has by default", async () => {
    const { system, opened } = fakeSystem();
    await figuresOf(durablePuts, system);
    expect(opened.map(({ mostInFlight }) => mostInFlight)).toEqual([1, 16]);
    for (const { memory, valueBytes, calls } of opened) {
      expect(memory).toEqual({ cacheBytes: 64 << 20, writeBufferBytes: 64 << 20 });
      expect([...valueBytes]).toEqual([VALUE_BYTES]);
      expect([...calls]).toEqual(["put"]);
    }
  });

  test("batches have 100 entries, large values their size", async () => {
    const { system, opened } = fakeSystem();
    await figuresOf(durableBatches, system);
    expect(opened.map(({ batchSizes, mostInFlight }) => [...batchSizes, mostInFlight])).toEqual([
      [100, 1],
      [100, 16],
    ]);
    opened.length = 0;
    await figuresOf(durableValues, system);
    expect(opened.map(({ valueBytes, mostInFlight }) => [...valueBytes, mostInFlight])).toEqual(
      [1, 16, 256].map((kib) => [kib << 10, 64]),
    );
  });

  test("coalesced puts are batches of all callers, but for a store that gathers puts itself", async () => {
    const byHand = fakeSystem();
    await figuresOf(coalescedPuts, byHand.system);
    expect(byHand.opened.map(({ calls, batchSizes }) => [...calls, Math.max(...batchSizes)])).toEqual([
      ["batch", 16],
    ]);
    const byItself = fakeSystem({ gathersPuts: true });
    await figuresOf(coalescedPuts, byItself.system);
    expect(byItself.opened.map(({ calls }) => [...calls])).toEqual([["put"]]);
    expect(coalescedPuts.runsOn(fakeSystem({ kind: "kaya" }).system)).toBe(false);
  });

  test("synchronous puts are of stores that have them, and of no other", async () => {
    const withThem = fakeSystem({}, true);
    expect([...(await figuresOf(synchronousPuts, withThem.system)).keys()]).toEqual([
      "synchronous-puts/1",
      "synchronous-puts/1-p99",
    ]);
    expect(withThem.opened.map(({ calls }) => [...calls])).toEqual([["putSync"]]);
    expect(await figuresOf(synchronousPuts, fakeSystem().system)).toEqual(new Map());
  });

  test("CPU of a put includes the flush of what was put, and not of what was put before", async () => {
    const { system, opened } = fakeSystem();
    const figures = await figuresOf(putCpu, system);
    expect(figures.get("put-cpu/1024")).toBeGreaterThan(0);
    expect(opened[0]).toMatchObject({ durability: "durable", mostInFlight: 1024, flushes: 2 });
  });

  test("rows that nobody wants are not measured", async () => {
    const { system, opened } = fakeSystem();
    const reported: string[] = [];
    await durablePuts.run({
      system,
      scale: SCALE,
      dir: "/nowhere",
      fixtureDir: "/nowhere",
      wants: (row) => row === "durable-puts/16-p99",
      report: (row) => void reported.push(row),
      measure: async () => undefined,
    });
    expect(opened.map(({ mostInFlight }) => mostInFlight)).toEqual([16]);
    expect(reported).toContain("durable-puts/16-p99");
  });
});
