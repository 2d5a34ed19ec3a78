import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { Engine, type PartialEngineConfig } from "../src/index.js";
import { entriesIn, rowsOf } from "./support/indexed-rows.js";
import { rejection } from "./support/text.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(config: PartialEngineConfig = {}): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed", ...config }, new SimDisk());
  engines.push(engine);
  return engine;
}

describe("a transaction", () => {
  it("keeps the indexes of the rows that it writes, all or nothing", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("1", { u: "x", m: ["a"] });
    await engine.transact((tx) => {
      tx.batch([rows.op.put("1", { u: "y", m: ["a", "b"] }), rows.op.put("2", { u: "x" })]);
    });
    expect(await entriesIn(engine)).toEqual(["m a 1", "m b 1", "u x 2", "u y 1"]);
    let calls = 0;
    const refused = engine.transact((tx) => {
      calls++;
      tx.batch([rows.op.delete("1"), rows.op.put("3", { u: "x" })]);
    });
    await rejection("KAYA_NOT_UNIQUE", refused);
    expect(calls).toBe(1);
    expect(await entriesIn(engine)).toEqual(["m a 1", "m b 1", "u x 2", "u y 1"]);
    await engine.transact((tx) => {
      tx.batch([rows.op.clear({}), rows.op.put("4", { u: "x" })]);
    });
    expect(await entriesIn(engine)).toEqual(["u x 4"]);
  });

  it("reads an index with its own writes in it", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    for (const key of ["1", "3", "5"]) await rows.put(key, { u: `u${key}`, m: ["a", `m${key}`] });
    await rows.ready();
    await engine.transact(async (tx) => {
      const mine = rows.in(tx);
      const keys = async (range: object = {}) => {
        const found = await mine.index("m").scan(range).toArray();
        return found.map(({ key, indexKey }) => `${indexKey} ${key}`);
      };
      tx.batch([
        rows.op.put("3", { u: "moved", m: ["a"] }),
        rows.op.put("4", { m: ["a", "m4"] }),
        rows.op.delete("1"),
      ]);
      expect(await keys()).toEqual(["a 3", "a 4", "a 5", "m4 4", "m5 5"]);
      expect(await keys({ reverse: true, limit: 3 })).toEqual(["m5 5", "m4 4", "a 5"]);
      expect(await keys({ prefix: "m", limit: 1 })).toEqual(["m4 4"]);
      expect(await mine.index("m").count()).toBe(5);
      expect((await mine.index("u").get("moved"))?.key).toBe("3");
      expect(await mine.index("u").get("u1")).toBeUndefined();
      expect((await mine.index("u").get("u5"))?.value.u).toBe("u5");
      tx.batch([rows.op.clear({}), rows.op.put("9", { m: ["z"] })]);
      expect(await keys()).toEqual(["z 9"]);
    });
    expect(await entriesIn(engine)).toEqual(["m z 9"]);
  });

  it("is tried again where another one changed what its index had", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("0", {});
    await rows.ready();
    let calls = 0;
    const claims = ["1", "2", "3"].map((key) =>
      engine.transact(async (tx) => {
        calls++;
        const taken = await rows.in(tx).index("u").get("name");
        tx.batch([rows.op.put(key, taken === undefined ? { u: "name" } : { m: [`after ${taken.key}`] })]);
      }),
    );
    await Promise.all(claims);
    expect(calls).toBeGreaterThan(3);
    expect(await rows.index("u").count()).toBe(1);
    expect(await rows.index("m").count()).toBe(2);
  });

  it("calls its function once where rows must be read from the disk", async () => {
    const engine = await open({ memory: { cacheBytes: 0 } });
    const rows = rowsOf(engine);
    for (let i = 0; i < 50; i++) await rows.put(`${i}`, { u: `${i}`, m: ["a"] });
    await engine.flush();
    let calls = 0;
    await engine.transact((tx) => {
      calls++;
      tx.batch(Array.from({ length: 50 }, (_, i) => rows.op.put(`${i}`, { u: `new ${i}` })));
    });
    expect(calls).toBe(1);
    expect((await rows.verifyIndexes()).problems).toEqual([]);
    expect((await entriesIn(engine)).length).toBe(50);
  });
});

it("an update of a row on the disk keeps its index, and calls its function once", async () => {
  const engine = await open({ memory: { cacheBytes: 0 } });
  const rows = rowsOf(engine);
  await rows.put("1", { u: "x", m: ["a"] });
  await engine.flush();
  let calls = 0;
  await rows.update("1", (row) => {
    calls++;
    return { ...row, u: "y" };
  });
  expect(calls).toBe(1);
  expect(await entriesIn(engine)).toEqual(["m a 1", "u y 1"]);
});

it("entries expire with their rows, and another row may have the key then", async () => {
  let now = 1000;
  const clock = { wall: () => now, elapsed: () => now };
  const engine = await Engine.open({ durability: "relaxed" }, new SimDisk(), { clock });
  engines.push(engine);
  const rows = rowsOf(engine);
  await rows.put("1", { u: "x", m: ["a"] }, { ttlMs: 50 });
  await rejection("KAYA_NOT_UNIQUE", rows.put("2", { u: "x" }));
  now = 1051;
  expect(await rows.index("u").get("x")).toBeUndefined();
  expect(await rows.index("m").count()).toBe(0);
  await rows.put("2", { u: "x" });
  await rows.put("1", { u: "y" });
  expect((await rows.index("u").get("x"))?.key).toBe("2");
  await rows.put("1", { u: "y" }, { ttlMs: 10 });
  now = 1100;
  expect(await entriesIn(engine)).toEqual(["u x 2"]);
  expect((await rows.verifyIndexes()).problems).toEqual([]);
});

it("an entry whose row is gone keeps its unique key from no other row where it expires, and from all where it does not", async () => {
  let now = 1000;
  const clock = { wall: () => now, elapsed: () => now };
  const disk = new SimDisk();
  const open = () => Engine.open({ durability: "relaxed" }, disk, { clock });
  const first = await open();
  await rowsOf(first).batch([
    { type: "put", key: "1", value: { u: "x" }, ttlMs: 50 },
    { type: "put", key: "2", value: { u: "y" } },
    { type: "put", key: "3", value: { u: "z" }, ttlMs: 50 },
  ]);
  await first.close();
  // As compaction leaves them where it takes a row that has expired, and its entry later.
  const plain = await open();
  await plain.delete("r:1");
  await plain.delete("r:2");
  await plain.flush();
  await plain.close();
  now = 1010;
  const engine = await open();
  engines.push(engine);
  const rows = rowsOf(engine);
  await rejection("KAYA_NOT_UNIQUE", rows.put("4", { u: "z" }));
  await rejection("KAYA_NOT_UNIQUE", rows.put("4", { u: "y" }));
  await rows.put("4", { u: "x" });
  await rejection("KAYA_NOT_UNIQUE", rows.put("1", { u: "x" }));
  expect((await rows.index("u").get("x"))?.key).toBe("4");
});
