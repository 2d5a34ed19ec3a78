import { setImmediate as nextTurn } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { Engine, json, type PartialEngineConfig } from "../src/index.js";
import { definitionKey } from "../src/indexes/definition.js";
import { entriesIn, type Row, rowsOf } from "./support/indexed-rows.js";
import { holdUp } from "./support/intercepted-disk.js";
import { putReserved } from "./support/reserved.js";
import { rejection, text } from "./support/text.js";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(disk: SimDisk, config: PartialEngineConfig = {}): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed", ...config }, disk);
  engines.push(engine);
  return engine;
}

/** A store with rows and without indexes. */
async function filled(count: number, rowOf: (i: number) => Row): Promise<SimDisk> {
  const disk = new SimDisk();
  const engine = await Engine.open({ durability: "relaxed" }, disk);
  const rows = engine.view({ prefix: "r:", key: "utf8", value: json<Row>() });
  await rows.batch(
    Array.from({ length: count }, (_, i) => ({ type: "put", key: keyOf(i), value: rowOf(i) })),
  );
  await engine.flush();
  await engine.close();
  return disk;
}

const keyOf = (i: number) => `${i}`.padStart(4, "0");

const stateOf = async (engine: Engine, name = "m") =>
  JSON.parse(text(await engine.get(definitionKey(Buffer.from("r:"), name))) ?? "null");

describe("an index over rows that are there already", () => {
  it("is read once its last entries are applied, also by those who did not ask for the build", async () => {
    let holds = false;
    const { disk, release, held } = holdUp(
      await filled(3, () => ({ m: ["x"] })),
      ({ kind }) => holds && kind === "sync",
    );
    const engine = await Engine.open({ durability: "relaxed" }, disk);
    engines.push(engine);
    const index = rowsOf(engine).index("m");
    holds = true; // the last page is strict
    const building = rowsOf(engine).ready();
    await held;
    const found = index.get("x");
    for (let i = 0; i < 20; i++) await nextTurn();
    release();
    expect((await found).map(({ key }) => key)).toEqual(["0000", "0001", "0002"]);
    await building;
  });

  it("is built at the first use, and ready from then on, also in the next process", async () => {
    const disk = await filled(700, (i) => ({ u: `${i}`, m: [`${i % 7}`] }));
    const engine = await open(disk);
    const rows = rowsOf(engine);
    expect(await stateOf(engine)).toBeNull();
    expect(await rows.index("m").count({ prefix: "3" })).toBe(100);
    expect((await rows.index("u").get("699"))?.key).toBe("0699");
    expect(await stateOf(engine)).toEqual({
      format: 1,
      id: 1,
      unique: false,
      codec: "utf8",
      version: 1,
      state: "ready",
    });
    await engine.close();
    const again = await open(disk);
    const before = again.stats().lastLsn;
    await rowsOf(again).ready();
    expect(await rowsOf(again).index("m").count()).toBe(700);
    expect(again.stats().lastLsn).toBe(before);
  });

  it("is built while writes go on, which it neither misses nor undoes", async () => {
    const disk = await filled(1500, (i) => ({ u: `${i}`, m: ["old"] }));
    const engine = await open(disk);
    const rows = rowsOf(engine);
    const building = rows.ready();
    let isDone = false;
    void building.then(() => {
      isDone = true;
    });
    let written = 0;
    for (let i = 0; !isDone; i = (i + 37) % 1500) {
      if (i % 3 === 0) await rows.delete(keyOf(i));
      else await rows.put(keyOf(i), { u: `new ${written}`, m: ["new"] });
      written++;
      await nextTurn();
    }
    await building;
    expect(written).toBeGreaterThan(5);
    const expected: string[] = [];
    for await (const { key, value } of rows.scan()) {
      expected.push(`u ${value.u} ${key}`, ...(value.m ?? []).map((m) => `m ${m} ${key}`));
    }
    expect(await entriesIn(engine)).toEqual(expected.sort());
  });

  it("goes on where it was broken off", async () => {
    const disk = await filled(700, (i) => ({ m: [`${i}`] }));
    const first = await Engine.open({ durability: "relaxed" }, disk);
    const broken = rowsOf(first).ready();
    for (let cursor: unknown; cursor === undefined; cursor = (await stateOf(first))?.cursor) await nextTurn();
    await first.close();
    await rejection("KAYA_CLOSED", broken);
    const engine = await open(disk);
    const { cursor } = await stateOf(engine);
    expect(Buffer.from(cursor, "hex").toString()).toBe("0255");
    let calls = 0;
    const counted = engine.view({
      prefix: "r:",
      key: "utf8",
      value: json<Row>(),
      indexes: {
        u: { of: (row) => row.u, unique: true },
        m: {
          each: (row) => {
            calls++;
            return row.m ?? [];
          },
        },
      },
    });
    expect(await counted.index("m").count()).toBe(700);
    expect(calls).toBe(700 - 256);
  });

  it("is read from the disk page by page: rows of any size fit", async () => {
    const disk = await filled(40, (i) => ({ u: `${i}`, m: ["x".repeat(100)], n: i }));
    const engine = await open(disk, { memory: { cacheBytes: 0 } });
    const large = engine.view({ prefix: "r:", key: "utf8", value: "utf8" });
    for (let i = 0; i < 8; i++)
      await large.put(`large ${i}`, JSON.stringify({ u: `l${i}`, m: ["y".repeat(100_000).slice(0, 10)] }));
    await rowsOf(engine).ready();
    expect(await rowsOf(engine).index("u").count()).toBe(48);
  });

  it("is built anew where its version, its codec or unique is another one", async () => {
    const disk = await filled(3, (i) => ({ u: `${i}`, m: ["a"] }));
    const declare = (engine: Engine, options: object) =>
      engine.view({
        prefix: "r:",
        key: "utf8",
        value: json<Row>(),
        indexes: { m: { each: (row: Row) => row.m ?? [], ...options } },
      });
    const first = await Engine.open({}, disk);
    await declare(first, {}).ready();
    await first.close();
    const second = await Engine.open({}, disk);
    const upper = declare(second, {
      version: 2,
      each: (row: Row) => (row.m ?? []).map((m) => m.toUpperCase()),
    });
    expect(await upper.index("m").count({ prefix: "A" })).toBe(3);
    expect(await stateOf(second)).toMatchObject({ id: 2, version: 2, state: "ready" });
    expect(await entriesIn(second)).toEqual(["m A 0000", "m A 0001", "m A 0002"]);
    await second.close();
    const third = await Engine.open({}, disk);
    const tuples = declare(third, { key: "tuple", each: (row: Row) => (row.m ?? []).map((m) => [m, 1]) });
    await tuples.put("9", { m: ["b"] }); // a write defines it, too
    await tuples.ready();
    expect((await entriesIn(third)).length).toBe(4);
    await third.close();
    const fourth = await open(disk);
    const unique = declare(fourth, { unique: true });
    await rejection("KAYA_NOT_UNIQUE", unique.index("m").get("a"));
  });
});

describe("rows with one key in a unique index", () => {
  it("fail its build, which names both, and goes on once they are mended", async () => {
    const disk = await filled(600, (i) => ({ u: i === 500 ? "3" : `${i}`, m: ["a"] }));
    const engine = await open(disk);
    const rows = rowsOf(engine);
    const error = await rejection("KAYA_NOT_UNIQUE", rows.ready());
    expect(error.message).toBe(
      'the index "u" cannot be built: the row "r:0500" has the key "3" in the index "u", which is unique, and the row "r:0003" has it already. Change or delete one of them, and ask for the index again.',
    );
    expect(text(error.key)).toBe("r:0003");
    await rejection("KAYA_NOT_UNIQUE", rows.index("u").get("3"));
    expect((await rows.index("m").get("a")).length).toBe(600);
    await rejection("KAYA_NOT_UNIQUE", rows.put("new", { u: "3" })); // it is kept all the same
    await rows.delete("0500");
    expect((await rows.index("u").get("3"))?.key).toBe("0003");
    expect(await rows.index("u").count()).toBe(599);
  });

  it("keep what the other one has, whichever of them goes", async () => {
    const disk = await filled(300, (i) => ({ u: i === 299 ? "new" : `${i}` }));
    const engine = await open(disk);
    const rows = rowsOf(engine);
    // The first write defines the index: the row 0299 has no entry yet.
    await rows.put("first", { u: "new" });
    await rows.delete("0299");
    expect((await rows.index("u").get("new"))?.key).toBe("first");
  });
});

describe("a row that the function of an index cannot take, or the codec of the view,", () => {
  const bad = { "the function": '{"m":5}', "the codec": "{" };

  it("fails the build of an index, and can be replaced, deleted or cleared, which lets the build go on", async () => {
    for (const value of Object.values(bad)) {
      for (const way of [
        "put",
        "delete",
        "delete of the engine",
        "clear",
        "transaction",
        "deleteSync",
      ] as const) {
        const engine = await open(new SimDisk());
        await engine.batch([
          { type: "put", key: "r:1", value: JSON.stringify({ u: "a" }) },
          { type: "put", key: "r:2", value },
          { type: "put", key: "r:3", value: JSON.stringify({ u: "b" }) },
        ]);
        const rows = rowsOf(engine);
        await expect(rows.ready()).rejects.toThrow(/"2"|r:2/);
        await rows.put("4", { u: "c" });
        if (way === "put") await rows.put("2", { u: "new" });
        else if (way === "delete") await rows.delete("2");
        else if (way === "delete of the engine") await engine.delete("r:2");
        else if (way === "clear") await rows.clear({ gte: "2", lt: "3" });
        else if (way === "transaction") await engine.transact((tx) => rows.in(tx).delete("2"));
        else rows.deleteSync("2");
        await rows.ready();
        const entries = ["u a 1", "u b 3", "u c 4"];
        expect(await entriesIn(engine)).toEqual(way === "put" ? [...entries, "u new 2"] : entries);
      }
    }
  });

  it("is refused where the index is built, and says that another version lets it be written", async () => {
    for (const value of Object.values(bad)) {
      const disk = new SimDisk();
      const first = await open(disk);
      const entries = ["u a 1"];
      await rowsOf(first).put("1", { u: "a" });
      await rowsOf(first).ready();
      await first.close();
      const past = await open(disk);
      await past.put("r:2", value);
      await past.close();
      const engine = await open(disk);
      const error = await rowsOf(engine)
        .delete("2")
        .catch((error) => error);
      expect(error.message).toContain("Count up the `version`");
      expect(error.key).toEqual(new Uint8Array(Buffer.from("r:2")));
      expect(await engine.get("r:2")).toBeDefined();
      await engine.close();
      const next = await open(disk);
      const rows = next.view({
        prefix: "r:",
        key: "utf8",
        value: json<Row>(),
        indexes: {
          u: { of: (row) => row.u, unique: true, version: 2 },
          m: { each: (row) => row.m ?? [], version: 2 },
        },
      });
      await rows.delete("2");
      await rows.ready();
      expect(await entriesIn(next)).toEqual(entries);
    }
  });
});

describe("an index that cannot be read says why", () => {
  it("in an engine that only looks, and in a snapshot from before it was built", async () => {
    const disk = await filled(3, (i) => ({ u: `${i}`, m: ["a"] }));
    const looking = await open(disk, { readOnly: true });
    const error = await rejection("KAYA_READ_ONLY", rowsOf(looking).index("u").get("1"));
    expect(error.message).toContain("without `readOnly`");
    const engine = await open(disk);
    const rows = rowsOf(engine);
    const before = engine.snapshot();
    await rows.ready();
    const during = rows.snapshot();
    await rows.put("0001", { u: "other" });
    await rejection("KAYA_INVALID_ARGUMENT", rows.in(before).index("u").get("1"));
    expect((await during.index("u").get("1"))?.value).toEqual({ u: "1", m: ["a"] });
    expect(await rows.index("u").get("1")).toBeUndefined();
    before.close();
    during.close();
    await engine.sync();
    await looking.refresh();
    expect((await rowsOf(looking).index("u").get("other"))?.key).toBe("0001");
  });

  it("where its definition is damaged or too new, and rows are read as ever", async () => {
    const disk = await filled(1, () => ({ u: "x" }));
    const engine = await open(disk);
    const key = definitionKey(Buffer.from("r:"), "u");
    await putReserved(engine, key, "{");
    const error = await rejection("KAYA_CORRUPTION", rowsOf(engine).index("u").get("x"));
    expect(error.key).toEqual(new Uint8Array(key));
    await rejection("KAYA_CORRUPTION", rowsOf(engine).put("2", {}));
    expect(await rowsOf(engine).get("0000")).toEqual({ u: "x" });
    await engine.put("elsewhere", "x");
    const others = engine.view({
      prefix: "others:",
      key: "utf8",
      value: "utf8",
      indexes: { byValue: { of: (value) => value } },
    });
    await others.put("1", "x");
    expect((await others.index("byValue").get("x")).length).toBe(1);
    expect(error.message).toContain("dropIndex");
    expect(await rowsOf(engine).dropIndex("u")).toBe(true);
    expect((await rowsOf(engine).index("u").get("x"))?.key).toBe("0000");
    // One that says the id of another takes no entries of that.
    const { id } = await stateOf(engine);
    await putReserved(engine, key, JSON.stringify({ format: 1, id }));
    await engine.close();
    const again = await open(disk);
    await rowsOf(again).dropIndex("u");
    expect((await rowsOf(again).verifyIndexes()).problemCount).toBe(0);
    await putReserved(again, key, JSON.stringify({ format: 2, id: 7 }));
    await again.close();
    const old = await open(disk);
    await rejection("KAYA_UNSUPPORTED_VERSION", rowsOf(old).put("2", {}));
    await rejection("KAYA_UNSUPPORTED_VERSION", rowsOf(old).dropIndex("u"));
  });
});
