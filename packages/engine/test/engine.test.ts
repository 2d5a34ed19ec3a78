import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { type BatchOperation, Engine, type RangeOptions } from "../src/index.js";
import { holdUp, InterceptedDisk } from "./support/intercepted-disk.js";
import { bytes, entriesOf, keysOf, latin1, pagesOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const open = (config = {}, disk = new SimDisk()) => Engine.open(config, disk);

describe("put, get, delete", () => {
  it("reads a write back once it was awaited, in both modes", async () => {
    const engine = await open();
    for (const durability of ["strict", "relaxed"] as const) {
      await engine.put("key", durability, { durability });
      expect(text(await engine.get("key"))).toBe(durability);
      expect(text(engine.getSync("key"))).toBe(durability);
      expect(await engine.has("key")).toBe(true);
      await engine.delete("key", { durability });
      expect(await engine.get("key")).toBe(undefined);
      expect(await engine.has("key")).toBe(false);
    }
    await engine.close();
  });

  it("takes text as UTF-8 and bytes as they are, for the same keys", async () => {
    const engine = await open();
    await engine.put("Grüße", "ÄÖÜ €");
    expect(await engine.get(new TextEncoder().encode("Grüße"))).toEqual(new TextEncoder().encode("ÄÖÜ €"));
    await engine.put(Buffer.from([0xff, 0x00]), new Uint8Array([1, 2]));
    expect(engine.getSync(new Uint8Array([0xff, 0x00]))).toEqual(new Uint8Array([1, 2]));
    await engine.close();
  });

  it("has an empty key and empty values", async () => {
    const engine = await open();
    await engine.put("", "of nothing");
    await engine.put("nothing", "");
    expect(text(await engine.get(""))).toBe("of nothing");
    expect(await engine.get("nothing")).toEqual(new Uint8Array(0));
    expect(await engine.has("nothing")).toBe(true);
    expect(await keysOf(engine.scan())).toEqual(["", "nothing"]);
    await engine.delete("");
    expect(await engine.has("")).toBe(false);
    await engine.close();
  });

  it("gives the values of several keys in the keys' order", async () => {
    const engine = await open();
    await engine.batch([
      { type: "put", key: "a", value: "1" },
      { type: "put", key: "b", value: "2" },
    ]);
    expect((await engine.getMany(["b", "x", "a", "b"])).map(text)).toEqual(["2", undefined, "1", "2"]);
    expect(await engine.getMany([])).toEqual([]);
    await engine.close();
  });

  it("says exactly where a write stands", async () => {
    const engine = await open();
    expect(await engine.put("a", "1")).toStrictEqual({ lsn: 1, sequence: 1, durable: true });
    expect(await engine.put("b", "2", { durability: "relaxed" })).toStrictEqual({
      lsn: 2,
      sequence: 2,
      durable: false,
    });
    expect(await engine.delete("absent")).toStrictEqual({ lsn: 3, sequence: 3, durable: true });
    const batch: BatchOperation[] = [
      { type: "put", key: "c", value: "3" },
      { type: "delete", key: "a" },
      { type: "put", key: "d", value: "4" },
    ];
    expect(await engine.batch(batch)).toStrictEqual({ lsn: 4, sequence: 4, durable: true });
    expect(await engine.put("e", "5")).toStrictEqual({ lsn: 5, sequence: 7, durable: true });
    expect(await engine.clear({ gte: "c", lt: "e" })).toStrictEqual({ lsn: 6, sequence: 8, durable: true });
    expect(await engine.clear({ prefix: "none" })).toStrictEqual({ lsn: 7, sequence: 9, durable: true });
    await engine.close();
  });

  it("uses the durability of its configuration where a write does not say", async () => {
    const engine = await open({ durability: "relaxed" });
    expect((await engine.put("a", "1")).durable).toBe(false);
    expect((await engine.put("a", "2", { durability: "strict" })).durable).toBe(true);
    expect((await engine.put("a", "3", {})).durable).toBe(false);
    await engine.close();
  });

  it("numbers writes in the order of their calls, whoever is awaited first", async () => {
    const engine = await open({ wal: { maxBatchBytes: 100 } });
    const writes = Array.from({ length: 50 }, (_, i) =>
      engine.put("key", `${i}`, { durability: i % 3 === 0 ? "strict" : "relaxed" }),
    );
    expect((await Promise.all(writes)).map(({ lsn }) => lsn)).toEqual(writes.map((_, i) => i + 1));
    expect(text(await engine.get("key"))).toBe("49");
    await engine.close();
  });
});

describe("bytes in, bytes out", () => {
  it("has read all it was given when the call returns", async () => {
    const engine = await open();
    const key = bytes("key");
    const value = bytes("value");
    const bound = bytes("key");
    const writes = [
      engine.put(key, value),
      engine.batch([{ type: "put", key: bytes("other"), value }]),
      engine.put("doomed", "x"),
    ];
    const doomed = bytes("doomed");
    writes.push(engine.delete(doomed));
    doomed.fill(0);
    key.fill(0);
    value.fill(0);
    const scan = engine.scan({ gte: bound });
    bound.fill(0xff);
    await Promise.all(writes);
    expect(await entriesOf(engine.scan())).toEqual([
      ["key", "value"],
      ["other", "value"],
    ]);
    expect(await entriesOf(scan)).toEqual([]); // as of its call, before any of the writes
    await engine.close();
  });

  it("gives plain Uint8Arrays that are the caller's: changing them changes nothing", async () => {
    const engine = await open();
    await engine.put(Buffer.from("key"), Buffer.from("value"));
    const snapshot = engine.snapshot();
    const pages = await pagesOf(engine.scan().pages(10));
    const given = [
      await engine.get("key"),
      engine.getSync("key"),
      (await engine.getMany(["key"]))[0],
      snapshot.getSync("key"),
      ...pages.flat().flatMap(({ key, value }) => [key, value]),
    ] as Uint8Array[];
    for (const each of given) {
      expect(Object.getPrototypeOf(each)).toBe(Uint8Array.prototype);
      each.fill(0);
    }
    expect(await entriesOf(engine.scan())).toEqual([["key", "value"]]);
    expect(text(snapshot.getSync("key"))).toBe("value");
    await engine.close();
  });

  it("gives bytes that later writes do not change", async () => {
    const engine = await open();
    await engine.put("key", "one");
    const one = await engine.get("key");
    await engine.put("key", "two");
    await engine.delete("key");
    expect(text(one)).toBe("one");
    await engine.close();
  });
});

describe("batch", () => {
  it("applies its operations in order, the last of a key counts", async () => {
    const engine = await open();
    await engine.batch([
      { type: "put", key: "a", value: "1" },
      { type: "delete", key: "a" },
      { type: "put", key: "b", value: "1" },
      { type: "put", key: "b", value: "2" },
    ]);
    expect(await entriesOf(engine.scan())).toEqual([["b", "2"]]);
    await engine.close();
  });

  it("is dropped whole where the crash tore its record, at every length", async () => {
    const disk = new SimDisk();
    const engine = await open({}, disk);
    await engine.put("before", "1");
    await engine.batch(["a", "b", "c"].map((key) => ({ type: "put", key, value: "x" })));
    await engine.close();
    const segment = "wal/0000000000000001.wal";
    const whole = disk.readFile(segment) as Uint8Array;
    for (let length = 40 + 8 + 7; length < whole.length; length++) {
      const torn = new SimDisk();
      torn.writeFile(segment, whole.subarray(0, length));
      const reopened = await open({}, torn);
      expect(await keysOf(reopened.scan()), `cut at ${length}`).toEqual(["before"]);
      expect((await reopened.put("next", "1")).lsn).toBe(2);
      await reopened.close();
    }
  });

  it("shows readers all of it or nothing", async () => {
    const engine = await open();
    const write = engine.batch(["a", "b", "c"].map((key) => ({ type: "put", key, value: "x" })));
    let isDone = false;
    const done = write.then(() => {
      isDone = true;
    });
    const seen = new Set<string>();
    while (!isDone) {
      seen.add((await keysOf(engine.scan())).join(""));
      await Promise.resolve();
    }
    await done;
    expect([...seen].every((keys) => keys === "" || keys === "abc")).toBe(true);
    await engine.close();
  });
});

describe("scan", () => {
  const KEYS = ["", "a", "ab", "abc", "b", "b\x00", "b\xff", "ba", "c", "\xff", "\xff\xff"];

  async function filled(): Promise<Engine> {
    const engine = await open();
    await engine.batch(KEYS.map((key) => ({ type: "put", key: bytes(key), value: bytes(key) })));
    return engine;
  }

  it.each<[RangeOptions, string[]]>([
    [{}, ["", "a", "ab", "abc", "b", "b\x00", "ba", "b\xff", "c", "\xff", "\xff\xff"]],
    [{ prefix: "b" }, ["b", "b\x00", "ba", "b\xff"]],
    [{ prefix: "" }, ["", "a", "ab", "abc", "b", "b\x00", "ba", "b\xff", "c", "\xff", "\xff\xff"]],
    [{ prefix: bytes("\xff") }, ["\xff", "\xff\xff"]],
    [{ prefix: bytes("b\xff") }, ["b\xff"]],
    [{ gt: "ab", lt: "ba" }, ["abc", "b", "b\x00"]],
    [{ gte: "ab", lte: "ba" }, ["ab", "abc", "b", "b\x00", "ba"]],
    [{ prefix: "a", gt: "a" }, ["ab", "abc"]],
    [{ prefix: "a", lte: "ab", reverse: true }, ["ab", "a"]],
    [{ prefix: "a", gte: "b" }, []],
    [{ gt: "a", gte: "a", lt: "b", lte: "b" }, ["ab", "abc"]],
    [{ gt: "c", lt: "a" }, []],
    [{ gte: "a", lte: "a" }, ["a"]],
    [{ gt: "a", lte: "a" }, []],
    [{ gt: "", limit: 2 }, ["a", "ab"]],
    [{ reverse: true, limit: 2 }, ["\xff\xff", "\xff"]],
    [{ limit: 0 }, []],
  ])("%o", async (range, expected) => {
    const engine = await filled();
    expect(await keysOf(engine.scan(range))).toEqual(expected);
    expect(await keysOf(engine.snapshot().scan(range))).toEqual(expected);
    await engine.close();
  });

  it("answers every range as a sorted list would", async () => {
    const keyText = fc
      .array(fc.constantFrom("\x00", "a", "b", "\xff"), { maxLength: 4 })
      .map((letters) => letters.join(""));
    const bound = fc.option(keyText, { nil: undefined });
    const range = fc.record({
      ...{ prefix: bound, gt: bound, gte: bound, lt: bound, lte: bound },
      reverse: fc.boolean(),
      limit: fc.option(fc.nat(8), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(keyText, { maxLength: 40 }),
        fc.array(range, { minLength: 5 }),
        async (keys, ranges) => {
          const engine = await open({ durability: "relaxed" });
          for (const key of keys) await engine.put(bytes(key), bytes(key));
          const sorted = [...new Set(keys)].sort((a, b) => (a < b ? -1 : 1));
          for (const given of ranges) {
            const { reverse, limit, ...bounds } = given;
            const options: Record<string, unknown> = { reverse };
            if (limit !== undefined) options.limit = limit;
            for (const [name, value] of Object.entries(bounds)) {
              if (value !== undefined) options[name] = bytes(value);
            }
            expect(await keysOf(engine.scan(options))).toEqual(expectedKeys(sorted, given));
          }
          await engine.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives pages of the size that was asked for, and the same entries", async () => {
    const engine = await filled();
    for (const size of [1, 2, 5, KEYS.length, 1000]) {
      const pages = await pagesOf(engine.scan().pages(size));
      expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
      expect(pages.flat().map(({ key }) => latin1(key))).toEqual(await keysOf(engine.scan()));
    }
    expect(await pagesOf(engine.scan({ prefix: "none" }).pages(3))).toEqual([]);
    await engine.close();
  });

  it("gives pages of the keys alone, which are the keys of its entries, and lets go at their end", async () => {
    const engine = await filled();
    for (const range of [{}, { gt: KEYS[0] as string, limit: 3 }, { reverse: true }, { prefix: "none" }]) {
      const pages = await pagesOf(engine.scan(range).keyPages(2));
      expect(pages.slice(0, -1).every((page) => page.length === 2)).toBe(true);
      expect(pages.flat().map(latin1)).toEqual(await keysOf(engine.scan(range)));
    }
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    await engine.close();
  });

  it("is of the time of its call, whatever is written while it is read; then it is over and pins nothing", async () => {
    const engine = await open();
    const keys = Array.from({ length: 1000 }, (_, i) => `key ${String(i).padStart(4, "0")}`);
    await engine.batch(keys.map((key) => ({ type: "put", key, value: "old" })));
    const scan = engine.scan();
    let seen = 0;
    for await (const { key, value } of scan) {
      expect([latin1(key), latin1(value)]).toEqual([keys[seen++], "old"]);
      if (seen % 100 === 1) {
        await engine.batch([
          { type: "put", key: keys[(seen * 7) % 1000] ?? "", value: "new" },
          { type: "delete", key: keys[(seen + 150) % 1000] ?? "" },
          { type: "put", key: `key ${seen} more`, value: "new" },
        ]);
      }
    }
    expect(seen).toBe(1000);
    expect(engine.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
    await rejection("KAYA_CLOSED", keysOf(scan));
    expect(await keysOf(engine.scan())).not.toEqual(keys);
    await engine.close();
  });

  it("may be left early, and two readers of one scan do not disturb each other", async () => {
    const engine = await filled();
    for await (const { key } of engine.scan()) {
      expect(latin1(key)).toBe("");
      break;
    }
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    const scan = engine.scan();
    const [one, two] = [scan[Symbol.asyncIterator](), scan[Symbol.asyncIterator]()];
    expect(latin1(((await one.next()).value as { key: Uint8Array }).key)).toBe("");
    expect(latin1(((await one.next()).value as { key: Uint8Array }).key)).toBe("a");
    expect(latin1(((await two.next()).value as { key: Uint8Array }).key)).toBe("");
    await one.return?.();
    await engine.put("later", "x");
    expect(latin1(((await two.next()).value as { key: Uint8Array }).key)).toBe("a");
    await two.return?.();
    expect(engine.stats().memtable.snapshots).toEqual({ open: 0, bytes: 0 });
    expect(await two.next()).toEqual({ done: true, value: undefined });
    expect(await keysOf(engine.scan({ prefix: "later" }))).toEqual(["later"]);
    await engine.close();
  });

  it("pins nothing once it is closed without being read", async () => {
    const engine = await filled();
    {
      using scan = engine.scan();
      expect(engine.stats().memtable.snapshots.open).toBe(1);
      scan.pages(5);
    }
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    await engine.close();
  });

  it("gives each entry once, in order, to a reader who does not wait for one before asking for the next", async () => {
    const engine = await open();
    const keys = Array.from({ length: 1000 }, (_, i) => `key ${String(i).padStart(4, "0")}`);
    await engine.batch(keys.map((key) => ({ type: "put", key, value: "" })));
    const entries = engine.scan()[Symbol.asyncIterator]();
    const found = await Promise.all(Array.from({ length: 1100 }, () => entries.next()));
    expect(found.slice(0, 1000).map(({ value }) => latin1((value as { key: Uint8Array }).key))).toEqual(keys);
    expect(found.slice(1000).every(({ done }) => done)).toBe(true);
    const pages = engine.scan().pages(300)[Symbol.asyncIterator]();
    const sizes = await Promise.all(Array.from({ length: 6 }, () => pages.next()));
    expect(sizes.map(({ value }) => (value as unknown[] | undefined)?.length)).toEqual([
      300,
      300,
      300,
      100,
      undefined,
      undefined,
    ]);
    await engine.close();
  });

  it("lets other work have its turn between pages", async () => {
    const engine = await filled();
    let turns = 0;
    for await (const page of engine.scan().pages(1)) {
      expect(page.length).toBe(1);
      setImmediate(() => turns++);
    }
    expect(turns).toBeGreaterThanOrEqual(KEYS.length - 1);
    await engine.close();
  });
});

describe("a scan taken one by one", () => {
  it("copies no more ahead than some bytes, however large the values are", async () => {
    const engine = await open({ wal: { segmentMaxBytes: 2 ** 26 } });
    const value = new Uint8Array(100_000);
    for (let i = 0; i < 300; i++)
      await engine.put(`${i}`, i % 3 === 0 ? value : "small", { durability: "relaxed" });
    const iterator = engine.scan()[Symbol.asyncIterator]();
    const lengths: number[] = [];
    let peak = 0;
    // What was copied ahead is what a step of the iterator added.
    const copied = () => process.memoryUsage().arrayBuffers;
    for (;;) {
      const before = copied();
      const next = await iterator.next();
      peak = Math.max(peak, copied() - before);
      if (next.done) break;
      lengths.push(next.value.value.length);
    }
    expect(lengths.filter((length) => length === 100_000)).toHaveLength(100);
    expect(lengths).toHaveLength(300);
    expect(peak).toBeLessThan(1_000_000);
    await engine.close();
  });

  it("gives each entry once, whichever way and wherever its pages end", async () => {
    const engine = await open();
    const keys = Array.from({ length: 700 }, (_, i) => String(i).padStart(4, "0"));
    for (const [i, key] of keys.entries()) {
      await engine.put(key, new Uint8Array(i % 7 === 0 ? 60_000 : i % 50), { durability: "relaxed" });
    }
    expect(await keysOf(engine.scan())).toEqual(keys);
    expect(await keysOf(engine.scan({ reverse: true }))).toEqual(keys.toReversed());
    expect(await keysOf(engine.scan({ gt: "0100", limit: 300 }))).toEqual(keys.slice(101, 401));
    await engine.close();
  });
});

describe("snapshot", () => {
  it("reads what was there when it was made, until it is closed", async () => {
    const engine = await open();
    await engine.put("a", "old");
    const snapshot = engine.snapshot();
    await engine.put("a", "new");
    await engine.put("b", "new");
    expect(text(await snapshot.get("a"))).toBe("old");
    expect(snapshot.getSync("b")).toBe(undefined);
    expect([await snapshot.has("a"), await snapshot.has("b")]).toEqual([true, false]);
    expect(await entriesOf(snapshot.scan())).toEqual([["a", "old"]]);
    expect((await snapshot.getMany(["b", "a"])).map((value) => text(value))).toEqual([undefined, "old"]);
    expect(await snapshot.count()).toBe(1);
    const scan = snapshot.scan();
    snapshot.close();
    snapshot.close();
    expect(() => snapshot.getSync("a")).toThrow("the snapshot is closed");
    await rejection("KAYA_CLOSED", keysOf(scan));
    expect(text(await engine.get("a"))).toBe("new");
    await engine.close();
  });

  it("does not see a write that was under way when it was made", async () => {
    const engine = await open();
    const write = engine.put("a", "1");
    const snapshot = engine.snapshot();
    await write;
    expect(snapshot.getSync("a")).toBe(undefined);
    snapshot[Symbol.dispose]();
    await rejection("KAYA_CLOSED", snapshot.get("a"));
    await rejection("KAYA_CLOSED", snapshot.has("a"));
    await engine.close();
  });
});

describe("clear", () => {
  it("deletes what is in the range and nothing else", async () => {
    const engine = await open();
    await engine.batch(["a", "b", "b1", "b2", "c"].map((key) => ({ type: "put", key, value: "x" })));
    await engine.clear({ prefix: "b", gt: "b" });
    expect(await keysOf(engine.scan())).toEqual(["a", "b", "c"]);
    await engine.clear({ gt: "x" });
    expect(await keysOf(engine.scan())).toEqual(["a", "b", "c"]);
    await engine.clear();
    expect(await keysOf(engine.scan())).toEqual([]);
    await engine.close();
  });

  it("takes the first or the last keys of a range with limit and reverse", async () => {
    const engine = await open();
    await engine.batch(["a", "b", "c", "d", "e"].map((key) => ({ type: "put", key, value: "x" })));
    await engine.clear({ limit: 2 });
    expect(await keysOf(engine.scan())).toEqual(["c", "d", "e"]);
    await engine.clear({ limit: 1, reverse: true });
    expect(await keysOf(engine.scan())).toEqual(["c", "d"]);
    await engine.clear({ limit: 0 });
    expect(await keysOf(engine.scan())).toEqual(["c", "d"]);
    await engine.close();
  });

  it("counts the writes ahead of it that are still under way, and not those behind it", async () => {
    const engine = await open({ wal: { maxBatchBytes: 100 } });
    await engine.batch(["k1", "k2", "k3"].map((key) => ({ type: "put", key, value: "x" })));
    const writes = [
      engine.put("k0", "ahead"),
      engine.delete("k1"),
      engine.batch([
        { type: "put", key: "k4", value: "ahead" },
        { type: "delete", key: "k2" },
        { type: "put", key: "k2", value: "ahead" },
        { type: "put", key: "other", value: "ahead" },
      ]),
      engine.clear({ prefix: "k", limit: 3 }), // of k0, k2, k3, k4
      engine.put("k0", "behind"),
    ];
    await Promise.all(writes);
    expect(await entriesOf(engine.scan())).toEqual([
      ["k0", "behind"],
      ["k4", "ahead"],
      ["other", "ahead"],
    ]);
    await engine.close();
  });

  it("takes several records for more keys than fit one, and then gives the last one's place", async () => {
    const engine = await open({ wal: { maxRecordBytes: 128, segmentMaxBytes: 1024 } });
    const keys = Array.from({ length: 30 }, (_, i) => `key ${10 + i}`);
    for (const key of keys) await engine.put(key, "x", { durability: "relaxed" });
    const result = await engine.clear({ limit: 30 });
    expect(result.sequence).toBe(31);
    expect(result.lsn).toBeGreaterThan(32);
    expect(engine.stats()).toMatchObject({ entries: 0, lastSequence: 60, lastLsn: result.lsn });
    await engine.close();
  });

  it("can delete whatever could be put", async () => {
    const disk = new SimDisk();
    const config = { wal: { maxRecordBytes: 128, segmentMaxBytes: 1024 } };
    const engine = await open(config, disk);
    const longest = "k".repeat(128 - 40 - 8);
    await engine.put(longest, "");
    await engine.put("other", "");
    await engine.clear({ limit: 2 });
    expect(engine.stats().entries).toBe(0);
    await engine.close();
  });
});

describe("what readers see of a strict write", () => {
  it("is nothing until it is durable, and everything once it is acknowledged", async () => {
    const disk = new SimDisk();
    const engineBox: { engine?: Engine } = {};
    const seenBefore: string[] = [];
    const watching = new InterceptedDisk(disk, ({ kind }) => {
      for (const key of ["strict", "batch"]) {
        if (engineBox.engine?.getSync(key) !== undefined) seenBefore.push(`${key} before ${kind}`);
      }
      return undefined;
    });
    const engine = await Engine.open({}, watching);
    engineBox.engine = engine;
    await Promise.all([
      engine.put("relaxed", "1", { durability: "relaxed" }),
      engine.put("strict", "1"),
      engine.batch([{ type: "put", key: "batch", value: "1" }]),
    ]);
    expect(seenBefore).toEqual([]);
    expect(await keysOf(engine.scan())).toEqual(["batch", "relaxed", "strict"]);
    disk.crash();
    const reopened = await Engine.open({}, disk);
    expect(await keysOf(reopened.scan())).toEqual(["batch", "relaxed", "strict"]);
    await reopened.close();
  });

  it("is nothing while its fsync hangs, though a relaxed write ahead of it is there", async () => {
    const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "sync" && path.endsWith(".wal"));
    const engine = await Engine.open({}, gate.disk);
    const relaxed = engine.put("relaxed", "1", { durability: "relaxed" });
    const strict = engine.put("strict", "1");
    await gate.held;
    expect((await relaxed).durable).toBe(false);
    expect(await keysOf(engine.scan())).toEqual(["relaxed"]);
    expect(engine.stats()).toMatchObject({ lastLsn: 2, durableLsn: 0, entries: 1 });
    gate.release();
    await strict;
    expect(await keysOf(engine.scan())).toEqual(["relaxed", "strict"]);
    await engine.close();
  });
});

describe("sync, ready, stats, close", () => {
  it("makes relaxed writes durable with sync", async () => {
    const disk = new SimDisk();
    const engine = await open({ durability: "relaxed" }, disk);
    await engine.put("a", "1");
    void engine.put("b", "1");
    await engine.sync();
    await engine.put("c", "1");
    expect(engine.stats()).toMatchObject({ durableLsn: 2, lastLsn: 3 });
    disk.crash();
    const reopened = await open({}, disk);
    expect(await keysOf(reopened.scan())).toEqual(["a", "b"]);
    await reopened.close();
  });

  it("lets a writer who does not await each write wait for room", async () => {
    const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "append" && path.startsWith("wal/"));
    const engine = await Engine.open({ durability: "relaxed", wal: { maxBatchBytes: 1000 } }, gate.disk);
    await engine.ready();
    const writes = Array.from({ length: 20 }, (_, i) => engine.put(`${i}`, "x".repeat(200)));
    await gate.held;
    let hasRoom = false;
    const ready = engine.ready().then(() => {
      hasRoom = true;
    });
    await new Promise(setImmediate);
    expect(hasRoom).toBe(false);
    expect(engine.stats().pendingBytes).toBeGreaterThan(2000);
    gate.release();
    await ready;
    await Promise.all(writes);
    expect(engine.stats().pendingBytes).toBe(0);
    await engine.close();
  });

  it("counts entries and bytes, segments and log", async () => {
    const engine = await open({ wal: { segmentMaxBytes: 200, maxRecordBytes: 150 } });
    expect(engine.stats()).toMatchObject({
      state: "open",
      entries: 0,
      memtable: { bytes: expect.any(Number), entries: 0, tombstones: 0, snapshots: { open: 0, bytes: 0 } },
      tables: { tables: 0, bytes: 0 },
      lastLsn: 0,
      lastSequence: 0,
      durableLsn: 0,
      pendingBytes: 0,
      wal: { segments: 0, bytes: 0 },
      flush: { isRunning: false, finished: 0, failed: 0, heldUp: 0 },
      changes: { feeds: 0, consumers: 0, keptLogBytes: 0 },
      watches: 0,
    });
    await engine.put("key", "value");
    await engine.put("key", "longer value");
    await engine.batch([
      { type: "put", key: "other", value: "x" },
      { type: "delete", key: "absent" },
    ]);
    await engine.put("third", "y".repeat(80));
    expect(engine.stats()).toMatchObject({
      state: "open",
      entries: 3,
      memtable: { entries: 3, tombstones: 1, sealedBytes: 0, limitBytes: 64 * 2 ** 20 },
      lastLsn: 4,
      lastSequence: 5,
      durableLsn: 4,
      pendingBytes: 0,
      wal: { segments: 2, bytes: 40 * 4 + (8 + 8) + (8 + 15) + (4 + 9 + 6 + 5 + 6) + (8 + 85) },
      flush: { isRunning: false, finished: 0, failed: 0, heldUp: 0 },
      changes: { feeds: 0, consumers: 0, keptLogBytes: 0 },
      watches: 0,
    });
    await engine.close();
    expect(engine.stats().state).toBe("closed");
  });

  it("waits on close for what is under way, and makes relaxed writes durable", async () => {
    const disk = new SimDisk();
    const engine = await open({ durability: "relaxed" }, disk);
    const writes = [
      engine.put("a", "1"),
      engine.put("b", "2", { durability: "strict" }),
      engine.put("c", "3"),
    ];
    const closing = engine.close();
    expect(engine.state).toBe("closed");
    await closing;
    expect((await Promise.all(writes)).map(({ lsn }) => lsn)).toEqual([1, 2, 3]);
    disk.crash();
    const reopened = await open({}, disk);
    expect(await keysOf(reopened.scan())).toEqual(["a", "b", "c"]);
    await reopened.close();
  });

  it("closes at the end of an `await using` block", async () => {
    const disk = new SimDisk();
    let inside: Engine;
    {
      await using engine = await open({}, disk);
      await engine.put("a", "1");
      inside = engine;
    }
    expect(inside.state).toBe("closed");
    await (await open({}, disk)).close();
  });
});

interface TextRange {
  readonly prefix?: string | undefined;
  readonly gt?: string | undefined;
  readonly gte?: string | undefined;
  readonly lt?: string | undefined;
  readonly lte?: string | undefined;
  readonly reverse: boolean;
  readonly limit?: number | undefined;
}

function expectedKeys(sorted: readonly string[], range: TextRange): string[] {
  const within = sorted.filter(
    (key) =>
      key.startsWith(range.prefix ?? "") &&
      (range.gt === undefined || key > range.gt) &&
      (range.gte === undefined || key >= range.gte) &&
      (range.lt === undefined || key < range.lt) &&
      (range.lte === undefined || key <= range.lte),
  );
  return (range.reverse ? within.toReversed() : within).slice(0, range.limit);
}
