import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Engine, type KeyBounds, verifyIndexEntries } from "../src/index.js";
import { definitionKey, definitionsPrefix } from "../src/indexes/definition.js";
import { entryKey } from "../src/indexes/entry-key.js";
import { hasPrefix, RESERVED_PREFIX } from "../src/indexes/reserved.js";
import { entriesIn, rowsOf } from "./support/indexed-rows.js";
import { bytes, keysOf, latin1, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

async function open(disk = new SimDisk()): Promise<Engine> {
  const engine = await Engine.open({ durability: "relaxed", tables: { autoFlush: false } }, disk);
  engines.push(engine);
  return engine;
}

const DEFINITION = definitionKey(Buffer.from("r:"), "u");
const ENTRY = entryKey(1, Buffer.from("1"));
const refused = { code: "KAYA_INVALID_ARGUMENT" };
const outside = (keys: string[]) => keys.filter((key) => !hasPrefix(bytes(key), RESERVED_PREFIX));

describe("a key of the engine's own", () => {
  it("is refused in every way to write, before anything is written", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("1", { u: "1" });
    await rows.ready();
    const before = engine.stats().lastLsn;
    const everything = engine.view({ key: "bytes", value: "bytes" });
    const many = Array.from({ length: 2000 }, () => ({ type: "delete", key: "a" }) as const);
    for (const key of [DEFINITION, ENTRY, RESERVED_PREFIX]) {
      const value = new Uint8Array(1);
      const operations = [
        [{ type: "put", key, value }],
        [{ type: "delete", key }],
        [...many, { type: "put", key, value }],
      ] as const;
      const error = await rejection("KAYA_INVALID_ARGUMENT", engine.put(key, value));
      expect(error.message).toContain("is reserved for indexes");
      await expect(engine.delete(key)).rejects.toMatchObject(refused);
      await expect(engine.update(key, () => value)).rejects.toMatchObject(refused);
      await expect(everything.put(key, value)).rejects.toMatchObject(refused);
      expect(() => engine.putSync(key, value)).toThrow(expect.objectContaining(refused));
      expect(() => engine.deleteSync(key)).toThrow(expect.objectContaining(refused));
      for (const batch of operations) {
        await expect(engine.batch(batch)).rejects.toMatchObject(refused);
        expect(() => engine.batchSync(batch)).toThrow(expect.objectContaining(refused));
        await expect(engine.transact((tx) => tx.batch(batch))).rejects.toMatchObject(refused);
      }
      await expect(engine.transact((tx) => tx.put(key, value))).rejects.toMatchObject(refused);
      await expect(engine.transact((tx) => tx.delete(key))).rejects.toMatchObject(refused);
    }
    expect(engine.stats().lastLsn).toBe(before);
    for (const key of [[0xff], [0xff, 0x6b, 0x61, 0x79, 0x61], [0xff, 0x6b, 0x61, 0x79, 0x61, 1]])
      await engine.put(new Uint8Array(key), "x");
    expect(await entriesIn(engine)).toEqual(["u 1 1"]);
  });
});

const KEYS = ["", "a", "r:1", "r:2", "r:3", "z", "\xff", "\xffkaya", "\xffkaya\x01", "\xff\xff"];
const anyBound = fc.constantFrom(
  ...[...KEYS, "r:", "r;", "\xffkaya\0", "\xffkaya\0d", "\xffkaya\0e", "\xffkaya\0i\0\0\0\x01"].map(bytes),
  DEFINITION,
  ENTRY,
);
const anyRange = fc.record(
  { gt: anyBound, gte: anyBound, lt: anyBound, lte: anyBound },
  { requiredKeys: [] },
);
const anyClear = fc.record({
  range: fc.oneof({ weight: 4, arbitrary: anyRange }, fc.constant({})),
  way: fc.constantFrom("clear", "limited", "batch", "batchSync", "transaction"),
  limit: fc.nat(12),
  reverse: fc.boolean(),
  isFlushed: fc.boolean(),
  isUnderWay: fc.boolean(),
});
type Clear = typeof anyClear extends fc.Arbitrary<infer T> ? T : never;

function isIn(key: string, { gt, gte, lt, lte }: KeyBounds): boolean {
  const order = (bound: unknown) => Buffer.compare(bytes(key), bound as Uint8Array);
  return (
    (gt === undefined || order(gt) > 0) &&
    (gte === undefined || order(gte) >= 0) &&
    (lt === undefined || order(lt) < 0) &&
    (lte === undefined || order(lte) <= 0)
  );
}

async function clearIn(engine: Engine, { range, way, limit, reverse }: Clear): Promise<string[]> {
  const found = KEYS.filter((key) => isIn(key, range));
  const rows = KEYS.filter((key) => key.startsWith("r:"));
  const isPart = rows.some((key) => found.includes(key)) && !rows.every((key) => found.includes(key));
  const clear = { type: "clear", range } as const;
  // All rows or none, but a bound among them that takes no row of these is a part, too.
  const done = {
    clear: () => engine.clear(range),
    limited: () => engine.clear({ ...range, limit, reverse }),
    batch: () => engine.batch([clear]),
    batchSync: async () => engine.batchSync([clear]),
    transaction: () => engine.transact((tx) => tx.clear(range)),
  }[way]();
  const isRefused = await done.then(
    () => false,
    (error) => {
      if (error.code === "KAYA_BUSY") return true;
      expect(error.message).toContain("a batch clears all rows");
      return true;
    },
  );
  if (isPart && way !== "clear" && way !== "limited") expect(isRefused).toBe(true);
  if (isRefused) return KEYS;
  const order = reverse ? found.toReversed() : found;
  const gone = way === "limited" ? order.slice(0, limit) : found;
  return KEYS.filter((key) => !gone.includes(key));
}

describe("a cleared range", () => {
  it("of any bounds and in any way leaves the engine's own keys, and no entry without its row", async () => {
    const property = fc.asyncProperty(anyClear, async (clear) => {
      const disk = new SimDisk();
      const engine = await open(disk);
      const rows = rowsOf(engine);
      await rows.ready();
      for (const key of KEYS) if (!key.startsWith("r:")) await engine.put(bytes(key), "x");
      const written = ["1", "2", "3"].map((key) => rows.put(key, { u: key, m: ["a"] }));
      if (!clear.isUnderWay) await Promise.all(written);
      if (clear.isFlushed) await engine.flush();
      const left = await clearIn(engine, clear);
      await Promise.all(written);
      const entries = [..."123"].flatMap((key) =>
        left.includes(`r:${key}`) ? [`m a ${key}`, `u ${key} ${key}`] : [],
      );
      expect(outside(await keysOf(engine.scan()))).toEqual(left);
      expect(await engine.count({ prefix: definitionsPrefix() })).toBe(2);
      expect(await entriesIn(engine)).toEqual(entries.sort());
      await rejection(
        "KAYA_NOT_UNIQUE",
        rows.put("8", { u: "x" }).then(() => rows.put("9", { u: "x" })),
      );
      await engine.close();
      const again = await open(disk);
      expect((await rowsOf(again).verifyIndexes()).problems).toEqual([]);
      expect((await verifyIndexEntries(again)).problems).toEqual([]);
      await again.close();
      engines.length = 0;
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it("is one operation where there is no index, and goes around the engine's own keys where there are any", async () => {
    const engine = await open();
    await engine.put("a", "1");
    expect((await engine.clear()).sequence).toBe(2);
    expect((await engine.put("a", "1")).sequence).toBe(3);
    const rows = rowsOf(engine);
    await rows.put("1", { u: "x" });
    await rows.ready();
    const { lsn } = await engine.clear({ gt: "s" });
    await engine.sync();
    for await (const change of engine.changes()) {
      if (change.lsn < lsn) continue;
      const ranges = change.operations.map((one) =>
        one.type === "deleteRange" ? [latin1(one.start), one.end && latin1(one.end)] : one,
      );
      expect(ranges).toEqual([
        ["s\0", "\xffkaya\0"],
        ["\xffkaya\x01", undefined],
      ]);
      break;
    }
  });

  it("leaves an index to be read in the transaction that clears it", async () => {
    const engine = await open();
    const rows = rowsOf(engine);
    await rows.put("1", { u: "x" });
    await rows.ready();
    await engine.transact(async (tx) => {
      tx.clear({ gte: "s" });
      expect((await rows.in(tx).index("u").get("x"))?.key).toBe("1");
      tx.clear();
      expect(await rows.in(tx).index("u").get("x")).toBeUndefined();
      rows.in(tx).put("2", { u: "x" });
      expect((await rows.in(tx).index("u").get("x"))?.key).toBe("2");
    });
    expect(await entriesIn(engine)).toEqual(["u x 2"]);
  });

  it("of everything behind a row, under way when the first view is made, leaves no index that disagrees", async () => {
    for (const range of [{ gt: "r:1" }, {}]) {
      const disk = new SimDisk();
      const first = await open(disk);
      for (const key of ["1", "2"]) await rowsOf(first).put(key, { u: key });
      await rowsOf(first).ready();
      await first.close();
      const engine = await open(disk);
      const cleared = engine.clear(range, { durability: "strict" });
      const rows = rowsOf(engine);
      await rows.put("3", { u: "3" });
      await cleared;
      await rows.ready();
      expect((await rows.verifyIndexes()).problems).toEqual([]);
      expect(await entriesIn(engine)).toEqual("gt" in range ? ["u 1 1", "u 3 3"] : ["u 3 3"]);
      await engine.close();
      expect(await entriesIn(await open(disk))).toEqual("gt" in range ? ["u 1 1", "u 3 3"] : ["u 3 3"]);
    }
  });
});
