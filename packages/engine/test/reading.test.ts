import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  Engine,
  KayaError,
  type KeyValue,
  type PageOptions,
  type RangeOptions,
  type Reader,
  type Turns,
} from "../src/index.js";
import { bytes, latin1, pagesOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

/** Tables of a few blocks, and nothing of them in memory: readings of several entries go to the disk. */
const COLD = { memory: { cacheBytes: 0 }, tables: { blockBytes: 512, autoFlush: false, autoCompact: false } };

/** Three operations a turn, so that small readings take several. */
const shortTurns: Turns = {
  operations: 3,
  next: () => new Promise((resolve) => setImmediate(resolve)),
};

const open = (disk = new SimDisk()) => Engine.open(COLD, disk, { turns: shortTurns });

async function withKeys(keys: readonly string[]): Promise<Engine> {
  const db = await open();
  await db.batch(keys.map((key) => ({ type: "put", key: bytes(key), value: bytes(`of ${key}`) })));
  return db;
}

const LETTERS = ["a", "b", "c", "d", "e"];

type Pair = [key: string, value: string];

const pairOf = ({ key, value }: KeyValue): Pair => [latin1(key), latin1(value)];

async function arrayOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function pageThrough(
  db: Reader,
  range: Omit<RangeOptions, "limit">,
  size: number,
  between: () => Promise<void> = async () => undefined,
): Promise<KeyValue[][]> {
  const pages: KeyValue[][] = [];
  let cursor: string | undefined;
  do {
    const page = await db.page(range, { size, cursor });
    pages.push(page.entries);
    expect(pages.length).toBeLessThan(100); // a page that begins where the last one began never ends
    cursor = page.cursor;
    await between();
  } while (cursor !== undefined);
  return pages;
}

describe("every form of reading a range", () => {
  const keyText = fc
    .array(fc.constantFrom("\x00", "a", "b", "\xff"), { maxLength: 4 })
    .map((letters) => letters.join(""));
  const bound = fc.option(keyText, { nil: undefined });
  const ranges = fc.record({
    ...{ prefix: bound, gt: bound, gte: bound, lt: bound, lte: bound },
    reverse: fc.boolean(),
    limit: fc.option(fc.nat(8), { nil: undefined }),
  });
  const layers = fc.constantFrom("table", "memtable", "both", "deleted", "deleted from a table");

  function expectedOf(
    model: ReadonlyMap<string, string>,
    range: typeof ranges extends fc.Arbitrary<infer R> ? R : never,
  ) {
    const { prefix = "", gt, gte = "", lt, lte, reverse, limit } = range;
    const pairs = [...model]
      .filter(([key]) => key.startsWith(prefix) && key >= gte && (gt === undefined || key > gt))
      .filter(([key]) => (lt === undefined || key < lt) && (lte === undefined || key <= lte))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return { all: pairs, inOrder: (reverse ? pairs.toReversed() : pairs).slice(0, limit) };
  }

  it("gives what a sorted list has, out of tables, memtables and both, for an engine and for a snapshot", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(keyText, layers), { maxLength: 30 }),
        fc.array(ranges, { minLength: 3, maxLength: 6 }),
        fc.nat(7),
        async (entries, given, number) => {
          const db = await open();
          const model = new Map<string, string>();
          const put = async (key: string, value: string) => {
            await db.put(bytes(key), bytes(value), { durability: "relaxed" });
            model.set(key, value);
          };
          for (const [key, layer] of entries)
            if (layer !== "memtable" && layer !== "deleted") await put(key, `old ${key}`);
          await db.flush();
          for (const [key, layer] of entries) {
            if (layer === "memtable" || layer === "both") await put(key, `new ${key}`);
            if (layer.startsWith("deleted") && (await db.delete(bytes(key)))) model.delete(key);
          }
          const snapshot = db.snapshot();
          const check = async (reader: Reader) => {
            for (const range of given) await checkAll(reader, model, range, number);
          };
          await check(db);
          await db.clear();
          await check(snapshot);
          snapshot.close();
          expect(db.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
          await db.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  async function checkAll(
    db: Reader,
    model: ReadonlyMap<string, string>,
    range: typeof ranges extends fc.Arbitrary<infer R> ? R : never,
    number: number,
  ): Promise<void> {
    const { all, inOrder } = expectedOf(model, range);
    const { reverse, limit, ...texts } = range;
    const bounds: Record<string, Uint8Array> = {};
    for (const [name, value] of Object.entries(texts)) if (value !== undefined) bounds[name] = bytes(value);
    const options: RangeOptions = { ...bounds, reverse, ...(limit === undefined ? {} : { limit }) };
    const [keys, values] = [inOrder.map(([key]) => key), inOrder.map(([, value]) => value)];

    expect(await db.count(options)).toBe(inOrder.length);
    expect((await arrayOf(db.scan(options))).map(pairOf)).toEqual(inOrder);
    expect((await arrayOf(db.keys(options))).map(latin1)).toEqual(keys);
    expect((await arrayOf(db.values(options))).map(latin1)).toEqual(values);
    expect((await arrayOf(db.entries(options))).map((pair) => pair.map(latin1))).toEqual(inOrder);
    expect((await db.scan(options).toArray()).map(pairOf)).toEqual(inOrder);
    expect((await db.keys(options).toArray({ limit: number })).map(latin1)).toEqual(keys.slice(0, number));
    expect((await pagesOf(db.values(options).pages(number + 1))).flat().map(latin1)).toEqual(values);

    expect([...db.scanSync(options)].map(pairOf)).toEqual(inOrder);
    expect(db.scanSync(options).toArray({ limit: number }).map(pairOf)).toEqual(inOrder.slice(0, number));
    expect([...db.scanSync(options).keys()].map(latin1)).toEqual(keys);
    expect(db.scanSync(options).values().toArray().map(latin1)).toEqual(values);
    expect([...db.scanSync(options).entries()].map((pair) => pair.map(latin1))).toEqual(inOrder);

    const [first, last] = [await db.first(bounds), await db.last(bounds)];
    expect(first && pairOf(first)).toEqual(all[0]);
    expect(last && pairOf(last)).toEqual(all.at(-1));

    const pages = await pageThrough(db, { ...bounds, reverse }, number + 1);
    expect(pages.flat().map(pairOf)).toEqual(reverse ? all.toReversed() : all);
    expect(pages.slice(0, -1).every((page) => page.length === number + 1)).toBe(true);
    expect(pages.length).toBe(Math.max(1, Math.ceil(all.length / (number + 1))));
  }

  it("is of the time of its call", async () => {
    const db = await withKeys(LETTERS);
    const made = [db.keys(), db.values(), db.entries(), db.scan()];
    const sync = db.scanSync();
    await db.clear();
    for (const rows of made) expect((await rows.toArray()).length).toBe(5);
    expect(sync.toArray().length).toBe(5);
    expect([await db.count(), await db.first(), await db.last()]).toEqual([0, undefined, undefined]);
    expect(db.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
    await db.close();
  });

  it("gives bytes that are the caller's", async () => {
    const db = await withKeys(LETTERS);
    await db.flush();
    const first = (await db.first()) as KeyValue;
    const [pair] = db.scanSync().entries();
    const [key] = await db.keys().toArray({ limit: 1 });
    const { entries } = await db.page({}, { size: 1 });
    for (const given of [first.key, first.value, ...(pair ?? []), key, entries[0]?.key]) given?.fill(0);
    expect(db.scanSync({ limit: 1 }).toArray().map(pairOf)).toEqual([["a", "of a"]]);
    await db.close();
  });

  it("refuses what is no range or no option before it pins anything", async () => {
    const db = await withKeys(LETTERS);
    const wrong = { prefx: "a" } as RangeOptions;
    for (const read of [
      () => db.keys(wrong),
      () => db.values(wrong),
      () => db.entries(wrong),
      () => db.scanSync(wrong),
      () => db.scanSync().toArray({ limit: -1 }),
      () => db.scanSync().toArray({ most: 1 } as object),
    ])
      expect(read).toThrow(expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }));
    for (const read of [
      db.first(wrong),
      db.first({ limit: 1 } as object),
      db.last({ reverse: true } as object),
      db.count(wrong),
      db.page(wrong, { size: 1 }),
      db.page({ limit: 5 } as object, { size: 1 }),
      db.page({}, { size: 0 }),
      db.page({}, undefined as unknown as PageOptions),
      db.page({}, { size: 1, curser: "x" } as PageOptions),
      db.keys().toArray({ limit: 1.5 }),
    ])
      await rejection("KAYA_INVALID_ARGUMENT", read);
    await db.close();
  });
});

describe("a synchronous scan", () => {
  it("reads what is only on the disk, in one turn, and beside it writes go on", async () => {
    const db = await withKeys(LETTERS);
    await db.flush();
    const seen: string[] = [];
    for (const { key, value } of db.scanSync({ gte: "b" })) {
      seen.push(latin1(key));
      db.putSync(key, `${text(value)}, seen`);
      db.deleteSync("e");
    }
    expect(seen).toEqual(["b", "c", "d", "e"]);
    expect(db.scanSync().toArray().map(pairOf)).toEqual(
      [["a", "of a"], ...["b", "c", "d"].map((key) => [key, `of ${key}, seen`]), ["e", "of e, seen"]].slice(
        0,
        4,
      ),
    );
    await db.close();
  });

  it("lets go where the loop is left, by break, by an error, and at its end", async () => {
    const db = await withKeys(LETTERS);
    const open = () => db.stats().memtable.snapshots.open;
    for (const { key } of db.scanSync()) if (latin1(key) === "b") break;
    expect(open()).toBe(0);
    const failing = () => {
      for (const key of db.scanSync().keys()) throw new Error(latin1(key));
    };
    expect(failing).toThrow("a");
    expect(open()).toBe(0);
    const [one] = db.scanSync();
    expect([latin1(one?.key ?? bytes("")), open()]).toEqual(["a", 0]);
    const scan = db.scanSync({ limit: 1 });
    expect(open()).toBe(1);
    const iterator = scan[Symbol.iterator]();
    expect(iterator.next().done).toBe(false);
    expect(open()).toBe(0); // there can be no more
    expect(iterator.next()).toEqual({ done: true, value: undefined });
    expect(() => [...scan]).toThrow("was read or closed already");
    {
      using _unread = db.scanSync();
      expect(open()).toBe(1);
    }
    expect(open()).toBe(0);
    await db.close();
  });

  it("is over once the engine or its snapshot is closed", async () => {
    const db = await withKeys(LETTERS);
    await db.flush();
    const snapshot = db.snapshot();
    const [ofSnapshot, ofEngine] = [snapshot.scanSync()[Symbol.iterator](), db.scanSync()[Symbol.iterator]()];
    expect([ofSnapshot.next().done, ofEngine.next().done]).toEqual([false, false]);
    snapshot.close();
    expect(() => ofSnapshot.next()).toThrow("the snapshot is closed");
    expect(ofSnapshot.next()).toEqual({ done: true, value: undefined });
    const closing = db.close();
    expect(() => ofEngine.next()).toThrow("the engine is closed");
    expect(() => db.scanSync()).toThrow("the engine is closed");
    await closing;
  });

  it("throws what reading the disk says, and pins nothing then", async () => {
    const disk = new SimDisk();
    const db = await open(disk);
    for (let i = 0; i < 50; i++) await db.put(`key ${10 + i}`, "x".repeat(100), { durability: "relaxed" });
    await db.flush();
    const iterator = db.scanSync()[Symbol.iterator]();
    for (let i = 0; i < 3; i++) iterator.next();
    disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
    const rest = () => {
      for (;;) if (iterator.next().done === true) return;
    };
    expect(rest).toThrow(expect.objectContaining({ code: "KAYA_IO" }));
    expect(iterator.next().done).toBe(true);
    expect(db.stats().memtable.snapshots.open).toBe(0);
    expect(db.scanSync().toArray().length).toBe(50);
    await db.close();
  });
});

describe("rows", () => {
  it("let go where the loop is left, and where reading fails", async () => {
    const disk = new SimDisk();
    const db = await open(disk);
    for (let i = 0; i < 50; i++) await db.put(`key ${10 + i}`, "x".repeat(100), { durability: "relaxed" });
    await db.flush();
    const readings = [
      async () => {
        for await (const _ of db.keys()) break;
      },
      async () => {
        for await (const _ of db.values().pages(2)) break;
      },
      async () => {
        disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
        await rejection("KAYA_IO", db.entries().toArray());
      },
      async () => {
        disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
        await rejection("KAYA_IO", db.page({}, { size: 20 }));
      },
      async () => {
        disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
        await rejection("KAYA_IO", db.last());
      },
      async () => {
        disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
        await rejection("KAYA_IO", db.count());
      },
    ];
    for (const read of readings) {
      await read();
      expect(db.stats().memtable.snapshots.open).toBe(0);
    }
    expect((await db.keys().toArray()).length).toBe(50);
    await db.close();
  });

  it("are over once the engine is closed in the middle", async () => {
    const db = await withKeys(LETTERS);
    const snapshot = db.snapshot();
    const pending = [db.keys().toArray(), snapshot.values().toArray(), db.count(), db.page({}, { size: 5 })];
    const settled = Promise.allSettled(pending);
    await db.close();
    for (const result of await settled)
      expect(result.status === "rejected" && KayaError.is(result.reason, "KAYA_CLOSED")).toBe(true);
    for (const read of [() => db.keys(), () => snapshot.entries(), () => snapshot.scanSync()])
      expect(read).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
    await rejection("KAYA_CLOSED", db.first());
    await rejection("KAYA_CLOSED", snapshot.page({}, { size: 1 }));
  });
});

describe("pages by cursor", () => {
  it("go on behind the last key, whatever was written in between, in both directions", async () => {
    const forward = await withKeys(["b", "d", "f", "h"]);
    const edit = (db: Engine) => async () => {
      await db.batch(["a", "e", "i"].map((key) => ({ type: "put", key, value: "later" })));
      await db.batch(["b", "d", "f"].map((key) => ({ type: "delete", key })));
    };
    const pages = await pageThrough(forward, {}, 2, edit(forward));
    expect(pages.map((page) => page.map(({ key }) => latin1(key)))).toEqual([["b", "d"], ["e", "h"], ["i"]]);
    await forward.close();

    const backward = await withKeys(["b", "d", "f", "h"]);
    const reversed = await pageThrough(backward, { reverse: true }, 2, edit(backward));
    expect(reversed.map((page) => page.map(({ key }) => latin1(key)))).toEqual([
      ["h", "f"],
      ["e", "a"],
    ]);
    await backward.close();
  });

  it("survive a restart, and are the same for the same range said otherwise", async () => {
    const disk = new SimDisk();
    const db = await Engine.open({}, disk);
    for (const key of ["a1", "a2", "a3", "b"]) await db.put(key, "x");
    const { cursor } = await db.page({ prefix: "a" }, { size: 2 });
    expect(cursor).toBeTypeOf("string");
    await db.close();
    const again = await Engine.open({}, disk);
    for (const range of [{ prefix: "a" }, { gte: "a", lt: "b" }, { prefix: "a", gt: "", lte: "b" }]) {
      const page = await again.page(range, { size: 2, cursor });
      expect(page.entries.map(({ key }) => latin1(key))).toEqual(["a3"]);
      expect(page.cursor).toBe(undefined);
    }
    await again.close();
  });

  it("are refused for another range, another direction, and where they were changed", async () => {
    const db = await withKeys(LETTERS);
    const { cursor = "" } = await db.page({ gte: "a" }, { size: 2 });
    const others: Omit<RangeOptions, "limit">[] = [
      {},
      { gt: "a" },
      { gte: "" },
      { gte: "a", lt: "e" },
      { gte: "a", reverse: true },
      { prefix: "a" },
    ];
    for (const range of others) await rejection("KAYA_INVALID_ARGUMENT", db.page(range, { size: 2, cursor }));
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (let at = 0; at < cursor.length; at++) {
      const letter = letters[(letters.indexOf(cursor[at] ?? "") + 4) % 64];
      const changed = cursor.slice(0, at) + letter + cursor.slice(at + 1);
      await rejection("KAYA_INVALID_ARGUMENT", db.page({ gte: "a" }, { size: 2, cursor: changed }));
    }
    for (const wrong of ["", "x", `${cursor}=`, `${cursor}A`, `${cursor} `, 7, null, {}])
      await rejection("KAYA_INVALID_ARGUMENT", db.page({ gte: "a" }, { size: 2, cursor: wrong as string }));
    expect((await db.page({ gte: "a" }, { size: 2, cursor })).entries.map(({ key }) => latin1(key))).toEqual([
      "c",
      "d",
    ]);
    await db.close();
  });

  it("have keys of any bytes, the empty one too", async () => {
    const keys = ["", "\x00", "\x00\x00", "\x00\xff", "\xff", "\xff\xff"];
    const db = await withKeys(keys);
    expect((await pageThrough(db, {}, 1)).flat().map(({ key }) => latin1(key))).toEqual(keys);
    expect((await pageThrough(db, { reverse: true }, 1)).flat().map(({ key }) => latin1(key))).toEqual(
      keys.toReversed(),
    );
    await db.close();
  });
});
