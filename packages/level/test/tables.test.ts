import { SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it } from "vitest";
import { KayaLevel } from "../src/index.js";
import { rejection } from "./support/rejection.js";

const opened: KayaLevel[] = [];

afterEach(async () => {
  for (const db of opened.splice(0)) await db.close();
});

/** A database with `count` keys in tables: "0000", "0001" … */
async function withTables(count: number): Promise<KayaLevel> {
  const db = new KayaLevel("x", { disk: new SimDisk(), tables: { quietMs: 0, autoCompact: false } });
  opened.push(db);
  for (let from = 0; from < count; from += 100) {
    const keys = Array.from({ length: 100 }, (_, i) => keyOf(from + i));
    await db.batch(keys.map((key) => ({ type: "put", key, value: `value of ${key} `.repeat(10) })));
    await db.engine.flush();
  }
  return db;
}

const keyOf = (i: number) => String(i).padStart(4, "0");

describe("data in tables", () => {
  it("is read by all methods, in both directions, and at the time of a snapshot", async () => {
    const db = await withTables(500);
    expect(db.engine.stats().tables.tables).toBe(5);
    const snapshot = db.snapshot();
    await db.put("0123", "new");
    await db.engine.flush();
    const keys = Array.from({ length: 500 }, (_, i) => keyOf(i));
    expect(await db.keys().all()).toEqual(keys);
    expect(await db.keys({ reverse: true }).all()).toEqual(keys.toReversed());
    expect(await db.getMany(["0123", "none", "0499"])).toEqual([
      "new",
      undefined,
      "value of 0499 ".repeat(10),
    ]);
    expect(await db.get("0123", { snapshot })).toBe("value of 0123 ".repeat(10));
    expect(await db.getMany(["0123"], { snapshot })).toEqual(["value of 0123 ".repeat(10)]);
    expect(db.getSync("0123")).toBe("new");
    expect(await db.hasMany(["0123", "none"])).toEqual([true, false]);
    expect(await db.hasMany(["0123", "none"], { snapshot })).toEqual([true, false]);
    await snapshot.close();
    expect(db.engine.stats().memtable.snapshots.open).toBe(0);
  });

  it("is cleared by one record, whatever its size, and by a snapshot key by key", async () => {
    const db = await withTables(500);
    const before = db.engine.stats().lastSequence;
    await db.clear({ gte: "0100", lt: "0400" });
    expect(db.engine.stats().lastSequence).toBe(before + 1);
    expect(await db.keys().all()).toHaveLength(200);
    const snapshot = db.snapshot();
    await db.put("0450a", "later");
    await db.clear({ gte: "0400", snapshot });
    expect(await db.keys({ gte: "0300" }).all()).toEqual(["0450a"]);
    await snapshot.close();
  });

  it("is read by an iterator that is at its place while the tables under it are merged", async () => {
    const db = await withTables(500);
    const iterator = db.keys();
    expect(await iterator.nextv(50)).toHaveLength(50);
    await db.clear();
    await db.compactRange("", "\uffff");
    expect(db.engine.stats().tables.tables).toBe(0);
    expect(await iterator.nextv(1000)).toHaveLength(450);
    await iterator.close();
    expect(await db.keys().all()).toEqual([]);
  });
});

describe("approximateSize and compactRange", () => {
  it("tell and change the bytes of a range, as in classic-level", async () => {
    const db = await withTables(400);
    const all = await db.approximateSize("0000", "9999");
    expect(all).toBeGreaterThan(10_000);
    const half = await db.approximateSize("0000", "0200");
    expect(half / all).toBeCloseTo(0.5, 1);
    expect(await db.approximateSize("a", "b")).toBe(0);
    expect(await db.approximateSize("0200", "0100")).toBe(0);
    await db.clear({ lt: "0200" });
    await db.compactRange("0000", "0399");
    expect(await db.approximateSize("0000", "0200")).toBeLessThan(half / 2);
    expect(await db.keys().all()).toHaveLength(200);
  });

  it("take keys in an encoding, wait for a database that opens, and say where it is closed", async () => {
    const db = new KayaLevel<number, string>("x", { keyEncoding: "json", disk: new SimDisk() });
    expect(await db.approximateSize(1, 2)).toBe(0); // it opens by itself
    expect(db.supports.additionalMethods).toEqual({ approximateSize: true, compactRange: true });
    await db.put(1, "one");
    await db.engine.flush();
    expect(await db.approximateSize(0, 2)).toBeGreaterThan(0);
    expect(await db.approximateSize("1", "2", { keyEncoding: "utf8" })).toBeGreaterThan(0);
    expect(await db.approximateSize("a", "b", { keyEncoding: "utf8" })).toBe(0);
    await db.compactRange(0, 2);
    for (const missing of [undefined, null]) {
      await expect(db.approximateSize(1, missing as unknown as number)).rejects.toThrow(TypeError);
      await expect(db.compactRange(missing as unknown as number, 1)).rejects.toThrow(TypeError);
    }
    await db.close();
    await rejection(["LEVEL_DATABASE_NOT_OPEN"], db.approximateSize(1, 2));
    await rejection(["LEVEL_DATABASE_NOT_OPEN"], db.compactRange(1, 2));
  });

  it("is cleared in all ways without the keys of an index, which go with their rows", async () => {
    const db = await withTables(100);
    const rows = db.engine.view({
      prefix: "row:",
      key: "utf8",
      value: "utf8",
      indexes: { byValue: { of: (value) => value } },
    });
    await rows.ready();
    for (const options of [{}, { gte: "row:2" }, { reverse: true, limit: 2 }]) {
      for (const isOfSnapshot of [false, true]) {
        await rows.batch([..."123"].map((key) => ({ type: "put", key, value: "x" }) as const));
        const snapshot = isOfSnapshot ? db.snapshot() : undefined;
        await db.clear({ ...options, ...(snapshot && { snapshot }) });
        await snapshot?.close();
        const left = "gte" in options || "limit" in options ? ["1"] : [];
        expect(await rows.keys().toArray()).toEqual(left);
        expect((await rows.index("byValue").get("x")).map(({ key }) => key)).toEqual(left);
        expect((await rows.verifyIndexes()).problems).toEqual([]);
      }
    }
  });
});
