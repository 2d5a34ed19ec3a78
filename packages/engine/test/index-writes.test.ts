import { setImmediate as nextTurn } from "node:timers/promises";
import { type Disk, SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { Engine, json, type PartialEngineConfig } from "../src/index.js";
import { ENTRIES, entriesIn, type Row, rowsOf } from "./support/indexed-rows.js";
import { holdUp } from "./support/intercepted-disk.js";
import { latin1, rejection } from "./support/text.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(disk: Disk = new SimDisk(), config: PartialEngineConfig = {}): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed", ...config }, disk);
  engines.push(engine);
  return engine;
}

describe("every way to write rows keeps their indexes", () => {
  it("a batch, whose operations keep their sequences", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("1", { u: "x", m: ["a"] });
    const { sequence } = await rows.batch([
      { type: "put", key: "1", value: { u: "y", m: ["b"] } },
      { type: "put", key: "2", value: { u: "x", m: ["b"] } },
      { type: "delete", key: "1" },
    ]);
    expect((await rows.getEntry("2")).sequence).toBe(sequence + 1);
    expect(await entriesIn(engine)).toEqual(["m b 2", "u x 2"]);
    await rows.batch([
      { type: "put", key: "3", value: { u: "z" } },
      { type: "clear", range: {} },
      { type: "put", key: "4", value: { u: "x" } },
    ]);
    expect(await entriesIn(engine)).toEqual(["u x 4"]);
  });

  it("a batch of the engine, over several views, and of more operations than are kept one by one", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    const others = engine.view({
      prefix: "o:",
      key: "utf8",
      value: json<string>(),
      indexes: { byValue: { of: (v) => v } },
    });
    await engine.batch([rows.op.put("1", { u: "x" }), others.op.put("1", "v")]);
    expect((await others.index("byValue").get("v")).map(({ key }) => key)).toEqual(["1"]);
    const many = Array.from({ length: 1500 }, (_, i) =>
      rows.op.put(`many ${i}`, { u: `${i}`, m: [`${i % 2}`] }),
    );
    await engine.batch(many);
    expect(await rows.index("m").count({ prefix: "1" })).toBe(750);
    expect((await rows.index("u").get("1499"))?.key).toBe("many 1499");
  });

  it("whatever was written before the first index was declared, by a program with a view", async () => {
    const engine = await open();
    const plain = engine.view({ prefix: "r:", key: "utf8", value: json<Row>() });
    await plain.put("1", { u: "x" });
    plain.putSync("2", { u: "y" });
    const rows = rowsOf(engine);
    await engine.put("r:3", JSON.stringify({ u: "z" }));
    await plain.update("1", (row) => ({ ...row, u: "w" }));
    expect((await rows.index("u").get("w"))?.key).toBe("1");
    expect(await entriesIn(engine)).toEqual(["u w 1", "u y 2", "u z 3"]);
    await rejection("KAYA_NOT_UNIQUE", plain.put("4", { u: "y" }));
  });

  it("a view without indexes over the same rows, one inside of it, and the engine itself", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    const same = engine.view({ prefix: "r:", key: "utf8", value: json<Row>() });
    const inside = rows.view({ prefix: "in:", key: "utf8", value: json<Row>() });
    await same.put("1", { u: "x" });
    await inside.put("2", { u: "y" });
    await engine.put("r:3", JSON.stringify({ u: "z" }));
    expect(await entriesIn(engine)).toEqual(["u x 1", "u y in:2", "u z 3"]);
    await rejection("KAYA_NOT_UNIQUE", engine.put("r:4", JSON.stringify({ u: "z" })));
    await engine.delete("r:3");
    await inside.clear();
    expect(await entriesIn(engine)).toEqual(["u x 1"]);
  });

  it("update, whose function sees each value once", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    let calls = 0;
    await Promise.all(
      Array.from({ length: 20 }, () =>
        rows.update("1", (row) => {
          calls++;
          return { n: (row?.n ?? 0) + 1, m: [`${row?.n ?? 0}`] };
        }),
      ),
    );
    expect(calls).toBe(20);
    expect(await entriesIn(engine)).toEqual(["m 19 1"]);
    await rejection(
      "KAYA_NOT_UNIQUE",
      rows.put("2", { u: "x" }).then(() => rows.update("1", () => ({ u: "x" }))),
    );
    await rows.update("1", () => undefined);
    expect(await entriesIn(engine)).toEqual(["u x 2"]);
  });

  it("synchronous writes", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    const earlier = rows.put("1", { u: "x" });
    rows.putSync("1", { u: "y", m: ["a"] });
    await earlier;
    expect(await entriesIn(engine)).toEqual(["m a 1", "u y 1"]);
    expect(() => rows.putSync("2", { u: "y" })).toThrow(expect.objectContaining({ code: "KAYA_NOT_UNIQUE" }));
    rows.batchSync([
      { type: "delete", key: "1" },
      { type: "put", key: "2", value: { u: "y" } },
    ]);
    expect(await entriesIn(engine)).toEqual(["u y 2"]);
    rows.deleteSync("2");
    expect(await entriesIn(engine)).toEqual([]);
  });

  it("a clear of all rows, of a range of them, of the first of them, and of everything", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    const fill = () =>
      rows.batch([..."12345"].map((key) => ({ type: "put", key, value: { u: key, m: ["a"] } }) as const));
    await fill();
    const later = [rows.clear({ gte: "2", lt: "4" }), rows.put("2", { u: "2" })];
    await Promise.all(later);
    expect(await entriesIn(engine)).toEqual(["m a 1", "m a 4", "m a 5", "u 1 1", "u 2 2", "u 4 4", "u 5 5"]);
    await rows.clear({ limit: 2, reverse: true });
    expect(await entriesIn(engine)).toEqual(["m a 1", "u 1 1", "u 2 2"]);
    await engine.clear({ gte: "r:2", lt: "s" });
    expect(await entriesIn(engine)).toEqual(["m a 1", "u 1 1"]);
    await rows.clear();
    expect(await entriesIn(engine)).toEqual([]);
    await fill();
    await engine.clear();
    expect(await engine.count({ prefix: ENTRIES })).toBe(0);
    await rows.put("9", { u: "1" });
    expect(await entriesIn(engine)).toEqual(["u 1 9"]);
    await rejection("KAYA_INVALID_ARGUMENT", rows.batch([{ type: "clear", range: { gt: "1" } }]));
  });
});

describe("writes that are called together", () => {
  it("count in the order of their calls, also where the rows must be read from the disk first", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, { memory: { memtableBytes: 64 * 1024, cacheBytes: 0 } });
    const rows = rowsOf(engine);
    const keys = Array.from({ length: 100 }, (_, i) => `${i}`);
    for (const key of keys) await rows.put(key, { u: `old ${key}`, m: ["old"] });
    await engine.flush();
    await Promise.all(
      keys.flatMap((key) => [
        rows.put(key, { u: `first ${key}`, m: ["first"] }),
        rows.put(key, { u: `last ${key}`, m: ["last"] }),
      ]),
    );
    for (const key of keys) expect((await rows.get(key))?.u).toBe(`last ${key}`);
    expect(await rows.index("m").count({ prefix: "last" })).toBe(100);
    expect(await engine.count({ prefix: ENTRIES })).toBe(200);
    await engine.flush();
    let calls = 0;
    await rows.update("7", (row) => {
      calls++;
      return { ...row, u: "updated" };
    });
    expect(calls).toBe(1);
    expect((await rows.index("u").get("updated"))?.key).toBe("7");
  });

  it("hold nothing up where one is refused", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    const outcomes = await Promise.allSettled([
      rows.put("1", { u: "x" }),
      rows.put("2", { u: "x" }),
      rows.put("3", { u: "y" }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("are told of a row that was not durable yet only once it is", async () => {
    const disk = new SimDisk();
    let holds = false;
    const held = holdUp(disk, ({ kind }) => holds && kind === "sync");
    const engine = await open(held.disk, { durability: "strict" });
    const rows = rowsOf(engine);
    await rows.put("0", {});
    await rows.ready();
    holds = true;
    const first = rows.put("1", { u: "x" });
    const second = rows.put("2", { u: "x" });
    let isTold = false;
    second.catch(() => {
      isTold = true;
    });
    await held.held;
    for (let i = 0; i < 5; i++) await nextTurn();
    expect(isTold).toBe(false);
    held.release();
    await first;
    await rejection("KAYA_NOT_UNIQUE", second);
  });

  it("that are taken back take their entries and definitions with them", async () => {
    const disk = new SimDisk();
    const engine = await open(disk, { durability: "strict" });
    await engine.put("a", "1");
    const rows = rowsOf(engine);
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    await rejection("KAYA_DISK_FULL", rows.put("1", { u: "x" }));
    expect(await entriesIn(engine)).toEqual([]);
    await rows.put("2", { u: "x" });
    expect(await entriesIn(engine)).toEqual(["u x 2"]);
    expect((await rows.index("u").get("x"))?.key).toBe("2");
  });
});

describe("a write is refused, and nothing is written,", () => {
  it("where a condition does not hold", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("1", { u: "x" });
    const entry = await rows.getEntry("1");
    await rows.put("1", { u: "y" });
    const write = rows.batch([{ type: "put", key: "2", value: { u: "x" } }], { conditions: [entry] });
    await rejection("KAYA_CONFLICT", write);
    expect(await entriesIn(engine)).toEqual(["u y 1"]);
  });

  it("where the function or the codec of an index throws", async () => {
    const engine = await open();
    const boom = new Error("boom");
    const broken = engine.view({
      prefix: "b:",
      key: "utf8",
      value: json<string>(),
      indexes: {
        bad: {
          of: (value) => {
            if (value === "boom") throw boom;
            return value === "number" ? (5 as unknown as string) : value;
          },
        },
      },
    });
    const error = await rejection("KAYA_INVALID_ARGUMENT", broken.put("1", "boom"));
    expect(error.message).toBe('the index "bad" has no key for the row "1" in the view "b:": boom');
    expect(error.cause).toBe(boom);
    await rejection("KAYA_INVALID_ARGUMENT", broken.put("1", "number"));
    expect(await broken.count()).toBe(0);
  });

  it("where the key of an entry would be too long", async () => {
    const rows = rowsOf(await open());
    const error = await rejection("KAYA_INVALID_ARGUMENT", rows.put("1", { u: "x".repeat(4096) }));
    expect(error.message).toContain("limits.maxKeyBytes");
    expect(await rows.count()).toBe(0);
  });

  it("where the store has an index that no view of the program declares, until it is dropped", async () => {
    const disk = new SimDisk();
    const first = await Engine.open({}, disk);
    await rowsOf(first).put("1", { u: "x", m: ["a"] });
    await first.close();
    const engine = await open(disk);
    const rows = engine.view({
      prefix: "r:",
      key: "utf8",
      value: json<Row>(),
      indexes: { u: { of: (row) => row.u, unique: true } },
    });
    const error = await rejection("KAYA_INVALID_ARGUMENT", rows.put("2", {}));
    expect(error.message).toBe(
      'nothing was written: rows of "r:" have the index "m", which no view of this program declares, so it cannot be kept. Declare it (indexes: { m: … }), or drop it: view.dropIndex("m")',
    );
    expect(() => rows.deleteSync("1")).toThrow(expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }));
    expect(await rows.get("1")).toEqual({ u: "x", m: ["a"] });
    await rejection("KAYA_INVALID_ARGUMENT", rows.dropIndex("u"));
    expect(await rows.dropIndex("m")).toBe(true);
    expect(await rows.dropIndex("m")).toBe(false);
    await rows.put("2", {});
    expect(await entriesIn(engine)).toEqual(["u x 1"]);
  });
});

it("a store without indexes pays nothing for what it does not use: no key is added, and no read is done", async () => {
  const disk = new SimDisk();
  const engine = await open(disk);
  const plain = engine.view({ prefix: "p:", key: "utf8", value: "utf8" });
  await plain.put("1", "x");
  const keys: string[] = [];
  for await (const { key } of engine.scan()) keys.push(latin1(key));
  expect(keys).toEqual(["p:1"]);
});
