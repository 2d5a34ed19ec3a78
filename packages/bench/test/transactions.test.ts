import { describe, expect, test } from "vitest";
import { FULL, type Scale } from "../src/scale.js";
import type { Change, Durability, Store, System } from "../src/system.js";
import type { Job, Workload } from "../src/workload.js";
import { addOne } from "../src/workloads/counters.js";
import { transactions, updates } from "../src/workloads/transactions.js";

const SCALE: Scale = { ...FULL, warmUpMs: 0, measureMs: 5 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

interface Seen {
  readonly durability: Durability;
  readonly calls: Set<string>;
  /** Keys of all transactions. */
  readonly keys: Set<string>;
  mostInFlight: number;
  /** A key was in two transactions at once. */
  wasShared: boolean;
}

/** @param isCareless it awaits between reading and writing, and keeps nobody else out */
function fakeSystem({ isCareless = false, canUpdate = false } = {}) {
  const opened: Seen[] = [];
  const system: System = {
    name: "fake",
    kind: "peer",
    onDisk: true,
    setup: { durable: "yes", relaxed: "yes", transactions: "yes" },
    async open(_dir, durability) {
      const seen: Seen = {
        durability,
        calls: new Set(),
        keys: new Set(),
        mostInFlight: 0,
        wasShared: false,
      };
      opened.push(seen);
      return fakeStore(seen, isCareless, canUpdate);
    },
  };
  return { system, opened };
}

function fakeStore(seen: Seen, isCareless: boolean, canUpdate: boolean): Store {
  const values = new Map<string, Uint8Array>();
  const busy = new Set<string>();
  let inFlight = 0;
  const transact = async (keys: readonly Uint8Array[], change: Change) => {
    const names = keys.map(hex);
    if (names.some((name) => busy.has(name))) seen.wasShared = true;
    for (const name of names) {
      seen.keys.add(name);
      busy.add(name);
    }
    seen.mostInFlight = Math.max(seen.mostInFlight, ++inFlight);
    const next = () => names.map((name) => [name, change(values.get(name))] as const);
    const early = next();
    await new Promise(setImmediate);
    for (const [name, value] of isCareless ? early : next()) values.set(name, value);
    for (const name of names) busy.delete(name);
    inFlight--;
  };
  return {
    put: () => undefined,
    batch(entries) {
      for (const { key, value } of entries) values.set(hex(key), value);
    },
    transact(keys, change) {
      seen.calls.add(`transact of ${keys.length}`);
      return transact(keys, change);
    },
    ...(canUpdate && {
      update(key: Uint8Array, change: Change) {
        seen.calls.add("update");
        return transact([key], change);
      },
    }),
    getSync: (key) => values.get(hex(key)),
    close: async () => undefined,
  };
}

async function figuresOf(workload: Workload, system: System, only?: string): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const job: Job = {
    system,
    scale: SCALE,
    dir: "/nowhere",
    fixtureDir: "/nowhere",
    wants: (row) => only === undefined || row === only,
    report: (row, value) => void figures.set(row, value),
    measure: async () => undefined,
  };
  await workload.run(job);
  return figures;
}

describe("transactions", () => {
  test.each([transactions, updates])("$name has a rate and a 99th percentile a row", async (workload) => {
    const { system, opened } = fakeSystem();
    const figures = await figuresOf(workload, system);
    const rows = workload.rows(SCALE).map(({ id }) => id);
    expect([...figures.keys()]).toEqual(rows);
    for (const [row, value] of figures) expect(value, row).toBeGreaterThan(0);
    const rates = rows.filter((row) => !row.endsWith("-p99"));
    expect(opened.map(({ mostInFlight }) => mostInFlight)).toEqual(
      rates.map((row) => Number(/\d+$/.exec(row))),
    );
    expect(opened.map(({ durability }) => durability === "relaxed")).toEqual(
      rates.map((row) => row.includes("/relaxed")),
    );
  });

  test("are of two keys each, which are shared where the row says so, and nowhere else", async () => {
    for (const [row, isShared] of [
      ["transactions/durable-256", false],
      ["transactions/hot-256", true],
    ] as const) {
      const { system, opened } = fakeSystem();
      await figuresOf(transactions, system, row);
      expect(opened.map(({ calls, wasShared }) => [...calls, wasShared])).toEqual([
        ["transact of 2", isShared],
      ]);
      if (isShared) expect(opened[0]?.keys.size).toBe(8);
    }
  });

  test("an update is a transaction of one key where the store has no other way", async () => {
    const [with_, without] = [fakeSystem({ canUpdate: true }), fakeSystem()];
    await figuresOf(updates, with_.system);
    await figuresOf(updates, without.system);
    expect(with_.opened.map(({ calls, keys }) => [...calls, keys.size])).toEqual(
      Array(3).fill(["update", 1]),
    );
    expect(without.opened.map(({ calls }) => [...calls])).toEqual(Array(3).fill(["transact of 1"]));
  });

  test("a store that loses an update has no figure", async () => {
    const { system } = fakeSystem({ isCareless: true });
    await expect(figuresOf(transactions, system, "transactions/hot-16")).rejects.toThrow(
      /^\d+ changes of counters were acknowledged, and their sum is \d+$/,
    );
    await expect(figuresOf(updates, system, "updates/durable-256")).rejects.toThrow(/acknowledged/);
    // Nothing is lost where one does not meet another.
    expect((await figuresOf(updates, system, "updates/durable-1")).size).toBe(2);
  });

  test("a counter that is not there is a mistake, not a zero", () => {
    expect(() => addOne(undefined)).toThrow("a counter is gone");
    expect(Buffer.from(addOne(addOne(new Uint8Array(100)))).readDoubleBE()).toBe(2);
  });
});
