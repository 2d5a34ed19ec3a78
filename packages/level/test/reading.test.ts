import { SimDisk } from "@kaya/io";
import type { AbstractLevel } from "abstract-level";
import fc from "fast-check";
import { MemoryLevel } from "memory-level";
import { describe, expect, it, vi } from "vitest";
import { KayaLevel } from "../src/index.js";
import { rejection } from "./support/rejection.js";

const open = async (entries: readonly (readonly [string, string])[] = [], options: object = {}) => {
  const db = new KayaLevel("x", { ...options, disk: new SimDisk(), durability: "relaxed" });
  await db.batch(entries.map(([key, value]) => ({ type: "put", key, value })));
  return db;
};

const numbered = (count: number): [string, string][] =>
  Array.from({ length: count }, (_, i) => [`${i}`.padStart(6, "0"), `value ${i}`]);

type Step = { kind: "next" } | { kind: "nextv"; size: number } | { kind: "seek"; target: string };

interface AnyIterator {
  next(): Promise<unknown>;
  nextv(size: number): Promise<unknown[]>;
  all(): Promise<unknown[]>;
  seek(target: string): void;
}

type AnyLevel = AbstractLevel<string | Uint8Array, string, string>;

function iteratorOf(level: AnyLevel, how: "iterator" | "keys" | "values", options: object): AnyIterator {
  if (how === "iterator") return level.iterator(options);
  return how === "keys" ? level.keys(options) : level.values(options);
}

/** What each step gives, and then all that is left. */
async function seenBy(iterator: AnyIterator, steps: readonly Step[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (const step of steps) {
    if (step.kind === "seek") iterator.seek(step.target);
    else seen.push(step.kind === "next" ? await iterator.next() : await iterator.nextv(step.size));
  }
  return [...seen, await iterator.all()];
}

async function collected<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

describe("an iterator", () => {
  it("answers every range, page, seek and limit as memory-level does", async () => {
    const key = fc.string({ unit: fc.constantFrom("a", "b", "é", "\u{1f600}"), maxLength: 3 });
    const bound = fc.option(key, { nil: undefined });
    const range = fc.record({
      gt: bound,
      gte: bound,
      lt: bound,
      lte: bound,
      reverse: fc.boolean(),
      limit: fc.option(fc.nat(12), { nil: -1 }),
    });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ kind: fc.constant("next") }),
      fc.record({ kind: fc.constant("nextv"), size: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ kind: fc.constant("seek"), target: key }),
    );
    const mode = fc.constantFrom("iterator" as const, "keys" as const, "values" as const);
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 40 }),
        range,
        mode,
        fc.array(step, { maxLength: 8 }),
        async (keys, { gt, gte, lt, lte, ...rest }, how, steps) => {
          const bounds = Object.entries({ gt, gte, lt, lte }).filter(([, bound]) => bound !== undefined);
          const options = { ...rest, ...Object.fromEntries(bounds) };
          const entries = keys.map((name, i) => [name, `value ${i}`] as const);
          const memory = new MemoryLevel();
          await memory.batch(entries.map(([name, value]) => ({ type: "put", key: name, value })));
          const db = await open(entries);
          const seen = (level: AnyLevel) => seenBy(iteratorOf(level, how, options), steps);
          expect(await seen(db)).toEqual(await seen(memory));
          expect(db.engine.stats().memtable.snapshots.open).toBe(0);
          await db.close();
        },
      ),
      { numRuns: 200 },
    );
  });

  it("gives all of many entries, whatever way they are taken", async () => {
    const entries = numbered(5000);
    const db = await open(entries);
    expect(await db.iterator().all()).toEqual(entries);
    expect(await db.iterator({ reverse: true }).all()).toEqual(entries.toReversed());
    expect(await collected(db.iterator())).toEqual(entries);
    const iterator = db.iterator({ limit: 4000 });
    const mixed = [await iterator.next(), ...(await iterator.nextv(3))];
    for (let page = await iterator.nextv(700); page.length > 0; page = await iterator.nextv(700))
      mixed.push(...page);
    expect(mixed).toEqual(entries.slice(0, 4000));
    expect(await iterator.next()).toBe(undefined);
    await iterator.close();
    expect(db.engine.stats().memtable.snapshots.open).toBe(0);
    await db.close();
  });

  it("is of the time it was made, whatever is written while it is read, also after a seek", async () => {
    const entries = numbered(1000);
    const db = await open(entries);
    const iterator = db.iterator();
    expect(await iterator.nextv(10)).toEqual(entries.slice(0, 10));
    await db.clear();
    await db.put("000500x", "new");
    expect(await iterator.nextv(1000)).toEqual(entries.slice(10));
    iterator.seek("000500");
    expect(await iterator.nextv(2)).toEqual(entries.slice(500, 502));
    await iterator.close();
    expect(await db.keys().all()).toEqual(["000500x"]);
    await db.close();
  });

  it("copies no more than is asked for: few entries at first, fewer of large ones, and no values for keys", async () => {
    const db = await open([
      ...numbered(500),
      ...numbered(40).map(([key]) => [`x${key}`, "v".repeat(50_000)] as const),
    ]);
    const scan = db.engine.scan();
    const prototype = Object.getPrototypeOf(scan) as typeof scan;
    scan.close();
    const pages = vi.spyOn(prototype, "pages");
    const keyPages = vi.spyOn(prototype, "keyPages");
    const sizesOf = (spy: typeof pages | typeof keyPages) => spy.mock.calls.splice(0).map(([size]) => size);
    try {
      const iterator = db.iterator();
      await iterator.next();
      await iterator.close();
      expect(sizesOf(pages)).toEqual([1]);

      await collected(db.iterator({ lt: "x", limit: 400 }));
      expect(sizesOf(pages)).toEqual([1, 4, 16, 64, 256, 59]);

      await collected(db.iterator({ gte: "x", limit: 7 }));
      expect(Math.max(...sizesOf(pages))).toBeLessThanOrEqual(2);

      expect((await db.keys({ gte: "x" }).all()).length).toBe(40);
      expect((await db.iterator({ gte: "x", values: false }).all())[0]).toEqual(["x000000", undefined]);
      expect(sizesOf(pages)).toEqual([]);
      expect(sizesOf(keyPages)).toEqual([1000, 1000]);
    } finally {
      pages.mockRestore();
      keyPages.mockRestore();
    }
    await db.close();
  });

  it("lets other work have its turn", async () => {
    const db = await open(numbered(4000));
    let turns = 0;
    const count = () => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    for await (const _ of db.iterator());
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(3);
    await db.close();
  });

  it("gives nothing more once its signal was aborted, and lets go", async () => {
    const db = await open(numbered(3000));
    const controller = new AbortController();
    const iterator = db.iterator({ signal: controller.signal });
    await iterator.next();
    controller.abort(new Error("enough"));
    await rejection(["LEVEL_ABORTED"], iterator.next());
    await iterator.close();

    const later = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const key of db.keys({ signal: later.signal })) if (seen.push(key) === 2) later.abort();
    })();
    await rejection(["LEVEL_ABORTED"], reading);
    expect(seen.length).toBe(2);

    const during = new AbortController();
    const page = db.values({ signal: during.signal }).nextv(10);
    during.abort(new Error("enough"));
    const error = await page.catch((reason: Error) => reason);
    expect(error).toMatchObject({ name: "AbortError", code: "LEVEL_ABORTED", cause: { message: "enough" } });
    await db.close();
  });

  it("reads the bytes of bounds and targets at the call: they may be changed afterwards, as may keys that it gave", async () => {
    const db = await open(numbered(600));
    const bound = Buffer.from("000100");
    const target = Buffer.from("000300");
    const iterator = db.keys<Buffer>({ gte: bound, keyEncoding: "buffer" });
    bound.fill(0xff);
    expect(`${await iterator.next()}`).toBe("000100");
    iterator.seek(target);
    target.fill(0);
    const keys: string[] = [];
    for await (const key of iterator) {
      keys.push(key.toString());
      key.fill(0xff);
    }
    expect(keys).toEqual(
      numbered(600)
        .map(([key]) => key)
        .slice(300),
    );
    await db.close();
  });
});

describe("an explicit snapshot", () => {
  it("is what every kind of read sees, of the database and its sublevels, until it is closed", async () => {
    const db = await open(numbered(3));
    const sub = db.sublevel("s");
    await sub.put("a", "1");
    const snapshot = db.snapshot();
    await db.clear();
    await db.put("new", "1");
    const [first = ""] = numbered(3)[0] ?? [];
    expect([
      await db.get(first, { snapshot }),
      db.getSync(first, { snapshot }),
      db.getSync("new", { snapshot }),
    ]).toEqual(["value 0", "value 0", undefined]);
    expect(await db.getMany([first, "new"], { snapshot })).toEqual(["value 0", undefined]);
    expect([await db.has(first, { snapshot }), await db.has("new", { snapshot })]).toEqual([true, false]);
    expect(await db.hasMany([first, "new"], { snapshot })).toEqual([true, false]);
    expect(await db.values({ snapshot, lt: "1" }).all()).toEqual(["1", "value 0", "value 1", "value 2"]);
    expect(await sub.iterator({ snapshot }).all()).toEqual([["a", "1"]]);
    expect(await db.keys().all()).toEqual(["new"]);
    await snapshot.close();
    expect(db.engine.stats().memtable.snapshots.open).toBe(0);
    await rejection(["LEVEL_SNAPSHOT_NOT_OPEN"], db.get(first, { snapshot }));
    await db.close();
  });

  it("says which keys a clear deletes, in its direction and up to its limit", async () => {
    const db = await open(numbered(2500));
    const snapshot = db.snapshot();
    await db.put("0000001", "after the snapshot");
    await db.clear({ snapshot, gte: "000001", limit: 2000, reverse: true });
    const names = numbered(2500).map(([key]) => key);
    expect(await db.keys().all()).toEqual(["000000", "0000001", ...names.slice(1, 500)].sort());
    await db.clear({ snapshot });
    expect(await db.keys().all()).toEqual(["0000001"]);
    await db.close();
  });

  it("of another kind of database is refused", async () => {
    const [db, memory] = [await open(), new MemoryLevel()];
    await memory.open();
    const snapshot = memory.snapshot();
    await rejection(["KAYA_INVALID_ARGUMENT"], db.get("a", { snapshot }));
    expect(() => db.iterator({ snapshot })).toThrow("of another database");
    await db.close();
  });
});

describe("keys and values", () => {
  it("come back as they were, in every format", async () => {
    const db = new KayaLevel("x", { disk: new SimDisk() });
    const texts = ["", "a", "\ufeffwith a byte order mark", "Grüße ☃ \u{1f600}", "\0", "x".repeat(3000)];
    for (const text of texts) {
      await db.put(text, text);
      expect([await db.get(text), db.getSync(text)]).toEqual([text, text]);
    }
    expect(await db.keys().all()).toEqual(
      texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    const bytes = Uint8Array.of(0xff, 0, 0x80);
    await db.put<Uint8Array, Uint8Array>(bytes, bytes, { keyEncoding: "view", valueEncoding: "view" });
    const view = await db.get<Uint8Array, Uint8Array>(bytes, { keyEncoding: "view", valueEncoding: "view" });
    expect(Object.getPrototypeOf(view)).toBe(Uint8Array.prototype);
    expect(view).toEqual(bytes);
    const buffer = await db.get<Buffer, Buffer>(Buffer.from(bytes), {
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
    expect(Buffer.isBuffer(buffer) && buffer.equals(bytes)).toBe(true);
    await db.close();
  });

  it("that UTF-8 cannot store are refused, where LevelDB would make different keys equal", async () => {
    const db = await open();
    await rejection(["KAYA_INVALID_ARGUMENT"], db.put("half \ud800", "1"));
    await rejection(["KAYA_INVALID_ARGUMENT"], db.put("a", "half \udfff"));
    await rejection(["KAYA_INVALID_ARGUMENT"], db.keys({ gt: "\ud800" }).all());
    expect(await db.keys().all()).toEqual([]);
    await db.close();
  });
});
