import { setImmediate as nextTurn } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { type Change, Engine, json, type PartialEngineConfig } from "../src/index.js";
import { entriesIn, rowsOf } from "./support/indexed-rows.js";
import { latin1, rejection } from "./support/text.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(config: PartialEngineConfig = {}): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed", ...config }, new SimDisk());
  engines.push(engine);
  return engine;
}

const keysTo = (count: number) => Array.from({ length: count }, (_, i) => `${i}`.padStart(4, "0"));

async function fill(engine: Engine, keys: readonly string[]) {
  const rows = rowsOf(engine);
  await rows.batch(keys.map((key) => ({ type: "put", key, value: { u: key, m: ["a"] } }) as const));
  await rows.ready();
  return rows;
}

/** The rows that each record deletes. */
async function deletedAfter(engine: Engine, lsn: number): Promise<{ change: Change; rows: string[] }[]> {
  await engine.sync(); // the feed gives what is durable
  const changes: { change: Change; rows: string[] }[] = [];
  for await (const change of engine.changes()) {
    const rows = [...change.operations].flatMap((one) => {
      const key = one.type === "delete" ? latin1(one.key) : "";
      return key.startsWith("r:") ? [key.slice(2)] : [];
    });
    if (change.lsn > lsn) changes.push({ change, rows });
    if (change.lsn === engine.stats().lastLsn) return changes;
  }
  return changes;
}

describe("a clear of a part of indexed rows", () => {
  it("is one record a page, in the order of the keys, and its result is of the first deletion and the last record", async () => {
    for (const reverse of [false, true]) {
      const engine = await open();
      const keys = keysTo(700);
      const rows = await fill(engine, keys);
      const { lastLsn } = engine.stats();
      const result = await rows.clear(reverse ? { limit: 600, reverse } : { lt: "0600" });
      const changes = await deletedAfter(engine, lastLsn);
      expect(changes.map(({ rows }) => rows.length)).toEqual([256, 256, 88]);
      const inOrder = reverse ? keys.toReversed() : keys;
      expect(changes.flatMap(({ rows }) => rows)).toEqual(inOrder.slice(0, 600));
      const [first, last] = [changes[0], changes.at(-1)];
      expect(result).toMatchObject({ sequence: first?.change.sequence, lsn: last?.change.lsn });
      expect(await rows.keys().toArray()).toEqual(inOrder.slice(600).sort());
      expect((await rows.verifyIndexes()).problemCount).toBe(0);
      expect((await rows.clear({ lt: "0000" })).lsn).toBe((last?.change.lsn as number) + 1); // of nothing
    }
  });

  it("fits any limit of a record that single deletions fit", async () => {
    const engine = await open({
      limits: { maxKeyBytes: 200, maxValueBytes: 1000 },
      wal: { maxRecordBytes: 2000 },
    });
    const tags = Array.from({ length: 12 }, (_, i) => `a tag that takes some bytes ${i}`);
    const rows = engine.view({
      prefix: "r:",
      key: "utf8",
      value: json<{ t: string[] }>(),
      indexes: { t: { each: ({ t }) => t } },
    });
    const keys = keysTo(300);
    await rows.ready();
    await Promise.all(keys.map((key, i) => rows.put(key, { t: i < 250 ? ["a"] : tags })));
    await rows.clear({ gte: "0001" });
    expect(await rows.keys().toArray()).toEqual(["0000"]);
    expect(await rows.index("t").count()).toBe(1);
  });

  it("leaves what was written after its call, on whichever page, also where that waits for a place", async () => {
    const engine = await open({ memory: { cacheBytes: 0 } });
    const keys = keysTo(600);
    const rows = await fill(engine, keys);
    await engine.flush();
    const clear = rows.clear({ gte: "0001" });
    const puts = [rows.put("0002", { u: "first" })];
    await nextTurn();
    puts.push(rows.put("0599", { u: "last" }), rows.put("0300", { u: "middle" }));
    await Promise.all([clear, ...puts]);
    expect(await entriesIn(engine)).toEqual([
      "m a 0000",
      "u 0000 0000",
      "u first 0002",
      "u last 0599",
      "u middle 0300",
    ]);
    expect(await rows.keys().toArray()).toEqual(["0000", "0002", "0300", "0599"]);
  });

  it("deletes what was written before its call, also where that waits for the disk", async () => {
    const engine = await open({ memory: { cacheBytes: 0 } });
    const rows = await fill(engine, keysTo(10));
    await engine.flush();
    const puts = ["0003", "0012"].map((key) => rows.put(key, { u: `new ${key}` }));
    const clear = rows.clear({ gte: "0001" });
    await Promise.all([...puts, clear, rows.put("0013", { u: "later" })]);
    expect(await rows.keys().toArray()).toEqual(["0000", "0013"]);
  });

  it("counts for a clear with a limit that is called behind it", async () => {
    const engine = await open({ memory: { cacheBytes: 0 } });
    const rows = await fill(engine, keysTo(600));
    await engine.flush();
    await Promise.all([rows.clear({ limit: 300 }), rows.clear({ limit: 280 })]);
    expect(await rows.keys().toArray()).toEqual(keysTo(600).slice(580));
  });

  it("that is refused has deleted the pages before, and their entries", async () => {
    const engine = await open();
    const rows = await fill(engine, keysTo(600));
    let isStrict = false;
    const strict = engine.view({
      prefix: "s:",
      key: "utf8",
      value: json<number>(),
      indexes: {
        n: {
          of: (n) => {
            if (isStrict && n === 400) throw new Error("not this one");
            return `${n}`;
          },
        },
      },
    });
    await strict.batch(keysTo(600).map((key, n) => ({ type: "put", key, value: n }) as const));
    await strict.ready();
    isStrict = true;
    await rejection("KAYA_INVALID_ARGUMENT", strict.clear({ lt: "0500" }));
    isStrict = false;
    expect(await strict.keys().toArray()).toEqual(keysTo(600).slice(256));
    expect((await strict.verifyIndexes()).problemCount).toBe(0);
    expect(await rows.count()).toBe(600);
  });
});
