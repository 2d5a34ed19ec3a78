import { setImmediate as nextTurn } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import {
  type BatchOperation,
  Engine,
  KayaError,
  type OpenEngineOptions,
  type PutOptions,
  recoverTo,
} from "../src/index.js";
import { TestClock } from "./support/test-clock.js";
import { entriesOf, keysOf, rejection, text } from "./support/text.js";

/** Nothing is flushed or compacted but by hand. */
const BY_HAND = { tables: { autoFlush: false, autoCompact: false, quietMs: 0 } } as const;

interface Opened {
  readonly engine: Engine;
  readonly disk: SimDisk;
  readonly clock: TestClock;
}

async function open(
  disk = new SimDisk(),
  clock = new TestClock(),
  options?: OpenEngineOptions,
): Promise<Opened> {
  return { engine: await Engine.open(BY_HAND, disk, { clock, ...options }), disk, clock };
}

const put = (key: string, value: string, expiry: PutOptions = {}): BatchOperation => ({
  type: "put",
  key,
  value,
  ...expiry,
});

/** What every way to read says of a key; they must say the same. */
async function readings(engine: Engine, key: string): Promise<string | undefined> {
  const snapshot = engine.snapshot();
  const [many] = await engine.getMany([key]);
  const [entry] = await entriesOf(engine.scan({ gte: key, lte: key }));
  const [inSnapshot] = await entriesOf(snapshot.scan({ prefix: key, reverse: true }));
  const counted = await engine.count({ gte: key, lte: key });
  const values = [
    text(await engine.get(key)),
    text(engine.getSync(key)),
    text(many),
    entry?.[1],
    text((await engine.getEntry(key)).value),
    text(engine.getEntrySync(key).value),
    inSnapshot?.[1],
    text(await snapshot.get(key)),
    text(snapshot.getEntrySync(key).value),
    text((await engine.first({ gte: key, lte: key }))?.value),
    text((await engine.last({ gte: key, lte: key }))?.value),
    text(engine.scanSync({ gte: key, lte: key }).toArray()[0]?.value),
    text((await engine.page({ gte: key, lte: key }, { size: 1 })).entries[0]?.value),
  ];
  snapshot.close();
  expect(new Set(values).size, JSON.stringify(values)).toBe(1);
  expect([await engine.has(key), counted]).toEqual(values[0] === undefined ? [false, 0] : [true, 1]);
  return values[0];
}

describe.each([
  ["in memory", async (_: Engine) => undefined],
  ["in a table", (engine: Engine) => engine.flush()],
])("a value that expires, %s", (_, settle) => {
  it("is told with its moment by scans, pages, first and last; what stays is told without one", async () => {
    const { engine, clock } = await open();
    await engine.batch([put("a", "1", { ttlMs: 5 }), put("b", "2")]);
    await settle(engine);
    const bytes = (value: string) => new TextEncoder().encode(value);
    const expiresAt = clock.time + 5;
    const readings = [
      await engine.scan().toArray(),
      engine.scanSync().toArray(),
      (await engine.page({}, { size: 2 })).entries,
      [await engine.first(), await engine.last()],
      await engine.transact((tx) => tx.scan().toArray()),
    ];
    for (const entries of readings) {
      expect(entries).toEqual([
        { key: bytes("a"), value: bytes("1"), expiresAt },
        { key: bytes("b"), value: bytes("2") },
      ]);
      expect(Object.hasOwn(entries[1] ?? {}, "expiresAt")).toBe(false);
    }
    await engine.close();
  });

  it("is there until its moment, and from then on no read sees it", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1", { ttlMs: 100 });
    await engine.put("ab", "2", { expiresAt: new Date(clock.time + 100) });
    await engine.put("b", "3", { expiresAt: clock.time + 101 });
    await engine.put("c", "4");
    await settle(engine);
    clock.pass(99);
    expect(await keysOf(engine.scan())).toEqual(["a", "ab", "b", "c"]);
    expect(await engine.getEntry("b")).toMatchObject({ sequence: 3, expiresAt: TestClock.START + 101 });
    expect(await engine.getEntry("c")).not.toHaveProperty("expiresAt");
    clock.pass(1);
    expect(await readings(engine, "ab")).toBe(undefined);
    expect(await readings(engine, "b")).toBe("3");
    expect(await engine.getEntry("ab")).toEqual({
      key: expect.anything(),
      value: undefined,
      sequence: undefined,
    });
    expect(await keysOf(engine.scan({ limit: 2 }))).toEqual(["b", "c"]);
    expect(await keysOf(engine.scan({ reverse: true }))).toEqual(["c", "b"]);
    expect(await engine.count()).toBe(2);
    await engine.close();
  });

  it("hides what the key had before, and a put without an expiry makes it stay", async () => {
    const { engine, clock } = await open();
    for (const key of ["a", "b", "c"]) await engine.put(key, "before");
    await settle(engine);
    for (const key of ["a", "b", "c"]) await engine.put(key, "1", { ttlMs: 5 });
    await engine.put("b", "2");
    await engine.batch([put("c", "3", { ttlMs: 1000 })]);
    await settle(engine);
    clock.pass(5);
    expect(await Promise.all(["a", "b", "c"].map((key) => readings(engine, key)))).toEqual([
      undefined,
      "2",
      "3",
    ]);
    await engine.compact();
    expect(await Promise.all(["a", "b", "c"].map((key) => readings(engine, key)))).toEqual([
      undefined,
      "2",
      "3",
    ]);
    expect(engine.stats().tables.levels.map(({ entries, expiring }) => [entries, expiring])).toEqual([
      [2, 1],
    ]);
    await engine.close();
  });

  it("is seen or not by a snapshot and a scan as it was when they were made", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1", { ttlMs: 10 });
    await settle(engine);
    const before = engine.snapshot();
    const scan = engine.scan();
    clock.pass(10);
    const after = engine.snapshot();
    expect(await readings(engine, "a")).toBe(undefined);
    await engine.compact();
    expect([text(await before.get("a")), text(before.getSync("a")), await before.count()]).toEqual([
      "1",
      "1",
      1,
    ]);
    expect(before.getEntrySync("a")).toMatchObject({ sequence: 1, expiresAt: TestClock.START + 10 });
    expect(await entriesOf(scan)).toEqual([["a", "1"]]);
    expect([await after.has("a"), await keysOf(after.scan())]).toEqual([false, []]);
    before.close();
    after.close();
    await engine.close();
  });

  it("does not come back when somebody sets the clock back, and one that was put since lives as long as was asked", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1", { ttlMs: 1000 });
    await settle(engine);
    clock.set(3600_000);
    expect(await readings(engine, "a")).toBe(undefined);
    clock.set(-7200_000);
    expect(await readings(engine, "a")).toBe(undefined);
    await engine.put("b", "2", { ttlMs: 1000 });
    await settle(engine);
    clock.pass(999);
    expect(await readings(engine, "b")).toBe("2");
    clock.pass(1);
    expect(await readings(engine, "b")).toBe(undefined);
    expect(await readings(engine, "a")).toBe(undefined);
    await engine.close();
  });

  it("is absent to a condition, also where its write is still under way", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1", { ttlMs: 10 });
    await settle(engine);
    const seen = await engine.getEntry("a");
    clock.pass(10);
    const error = await rejection("KAYA_CONFLICT", engine.batch([put("x", "1")], { conditions: [seen] }));
    expect(error.message).toContain("is absent");
    const created = await engine.batch([put("a", "2", { expiresAt: 1 })], {
      conditions: [{ key: "a", sequence: undefined }],
    });
    expect(created.durable).toBe(true);
    // Each of these finds the one before it in the log's queue.
    const conditions = [{ key: "a", sequence: undefined }];
    const writes = [
      engine.batch([put("a", "3", { expiresAt: 1 })], { conditions }),
      engine.batch([put("a", "4", { ttlMs: 1 })], { conditions }),
      engine.batch([put("a", "5")], { conditions }),
    ];
    const results = await Promise.allSettled(writes);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    clock.pass(1);
    expect(() => engine.batchSync([put("x", "1")], { conditions: [{ key: "a", sequence: 5 }] })).toThrow(
      KayaError,
    );
    engine.batchSync([put("a", "6")], { conditions });
    expect(await readings(engine, "a")).toBe("6");
    await engine.close();
  });

  it("is none of the keys that a clear with a limit counts", async () => {
    const { engine, clock } = await open();
    for (const key of ["a", "b"]) await engine.put(key, "1", { ttlMs: 5 });
    for (const key of ["c", "d", "e"]) await engine.put(key, "1");
    await settle(engine);
    clock.pass(5);
    const ahead = engine.put("bb", "1", { expiresAt: 5 });
    await engine.clear({ limit: 2 });
    await ahead;
    expect(await keysOf(engine.scan())).toEqual(["e"]);
    await engine.close();
  });

  it("is absent to update, and what that writes stays", async () => {
    const { engine, clock } = await open();
    const add = (value: Uint8Array | undefined) => `${Number(text(value) ?? 0) + 1}`;
    await engine.put("a", "7", { ttlMs: 5 });
    await settle(engine);
    clock.pass(5);
    const [first, second] = await Promise.all([
      engine.update("a", add),
      engine.put("b", "9", { expiresAt: 1 }).then(() => undefined),
    ]);
    expect([text(first.value), second]).toEqual(["1", undefined]);
    void engine.put("b", "9", { expiresAt: 1 });
    expect(text((await engine.update("b", add)).value)).toBe("1");
    expect(await engine.getEntry("a")).not.toHaveProperty("expiresAt");
    await engine.close();
  });
});

describe("an expiry", () => {
  it("lies in the past where it is said so: then the value is hidden at once, and hides what was there", async () => {
    const { engine } = await open();
    await engine.put("a", "before");
    const { sequence } = await engine.put("a", "1", { expiresAt: 1 });
    expect([sequence, await readings(engine, "a")]).toEqual([2, undefined]);
    await engine.close();
  });

  it("counts from the call of a batch, with one moment for all of it, whatever its size", async () => {
    const { engine, clock } = await open();
    for (const size of [2, 3000]) {
      const reads = clock.reads;
      const operations = Array.from({ length: size }, (_, i) => put(`${i}`, "1", { ttlMs: 10 }));
      const written = engine.batch(operations);
      expect(clock.reads - reads).toBe(1);
      clock.pass(9);
      await written;
      expect(await engine.count()).toBe(size);
      clock.pass(1);
      expect(await engine.count()).toBe(0);
    }
    await engine.close();
  });

  it("is refused where it is none, and nothing is written", async () => {
    const { engine } = await open();
    const wrong = [
      { ttlMs: 0 },
      { ttlMs: -1 },
      { ttlMs: 1.5 },
      { ttlMs: Number.NaN },
      { ttlMs: Number.POSITIVE_INFINITY },
      { ttlMs: Number.MAX_SAFE_INTEGER },
      { ttlMs: "10" },
      { ttlMs: null },
      { expiresAt: 0 },
      { expiresAt: -5 },
      { expiresAt: 0.5 },
      { expiresAt: 2 ** 53 },
      { expiresAt: new Date(Number.NaN) },
      { expiresAt: new Date(-1) },
      { expiresAt: "tomorrow" },
      { expiresAt: null },
      { ttlMs: 10, expiresAt: 10 },
    ] as PutOptions[];
    for (const expiry of wrong) {
      await rejection("KAYA_INVALID_ARGUMENT", engine.put("a", "1", expiry));
      await rejection("KAYA_INVALID_ARGUMENT", engine.batch([put("b", "1"), put("a", "1", expiry)]));
      expect(() => engine.putSync("a", "1", expiry)).toThrow(KayaError);
    }
    for (const options of [{ ttlMs: 1 }, { expiresAt: 1 }] as object[]) {
      await rejection("KAYA_INVALID_ARGUMENT", engine.delete("a", options));
      await rejection("KAYA_INVALID_ARGUMENT", engine.clear({}, options));
      await rejection("KAYA_INVALID_ARGUMENT", engine.batch([], options));
    }
    expect(engine.stats().lastLsn).toBe(0);
    await engine.put("a", "1", { ttlMs: undefined, expiresAt: undefined } as object);
    expect(await engine.getEntry("a")).not.toHaveProperty("expiresAt");
    await engine.close();
  });

  it("is none of a write that names none, whatever is in every object", async () => {
    const { engine } = await open();
    const everywhere = Object.prototype as { ttlMs?: number };
    everywhere.ttlMs = 1;
    try {
      await engine.batch([put("a", "1")]);
      await engine.put("b", "1", { durability: "relaxed" });
      await engine.put("c", "1");
    } finally {
      delete everywhere.ttlMs;
    }
    for (const key of ["a", "b", "c"]) expect(await engine.getEntry(key)).not.toHaveProperty("expiresAt");
    await engine.close();
  });

  it("costs a read of what does not expire no look at the clock", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1");
    await engine.put("b", "2", { ttlMs: 5 });
    await engine.flush();
    await engine.put("c", "3");
    const reads = clock.reads;
    for (const key of ["a", "c", "absent"]) {
      engine.getSync(key);
      await engine.get(key);
      await engine.getEntry(key);
    }
    await engine.getMany(["a", "c"]);
    expect(clock.reads).toBe(reads);
    expect(text(engine.getSync("b"))).toBe("2");
    expect(clock.reads).toBe(reads + 1);
    await engine.close();
  });

  it("is one moment for all keys of a getMany", async () => {
    const clock = new TestClock();
    const { engine } = await open(undefined, clock);
    await engine.batch([put("a", "1", { ttlMs: 10 }), put("b", "1", { ttlMs: 10 })]);
    await engine.flush();
    clock.pass(9);
    const wall = clock.wall.bind(clock);
    // The millisecond ends between two looks at the clock.
    clock.wall = () => {
      const time = wall();
      clock.pass(1);
      return time;
    };
    expect((await engine.getMany(["a", "b"])).map(text)).toEqual(["1", "1"]);
    expect((await engine.getMany(["a", "b"])).map(text)).toEqual([undefined, undefined]);
    await engine.close();
  });

  it("holds for values of any length, beside what a large batch changes, and while that is being applied", async () => {
    let isHeld = true;
    const held: (() => void)[] = [];
    const turns = {
      operations: 2,
      next: () =>
        isHeld ? new Promise<void>((resolve) => held.push(resolve)) : nextTurn().then(() => undefined),
    };
    const { engine, clock } = await open(undefined, undefined, { turns, largeValueBytes: 8 });
    const large = "x".repeat(20_000);
    await engine.put("a", large, { ttlMs: 10 });
    await engine.put("b", "12345678", { ttlMs: 20 });
    expect([await readings(engine, "a"), await readings(engine, "b")]).toEqual([large, "12345678"]);
    const batch = engine.batch(["k1", "k2", "k3", "a"].map((key) => put(key, "new", { ttlMs: 100 })));
    while (held.length === 0) await nextTurn();
    clock.pass(10);
    // Readers see what was there before the batch, as it is now.
    expect([engine.getSync("a"), text(engine.getSync("b")), engine.getSync("k1")]).toEqual([
      undefined,
      "12345678",
      undefined,
    ]);
    const snapshot = engine.snapshot();
    clock.pass(10);
    expect([engine.getSync("b"), text(snapshot.getSync("b"))]).toEqual([undefined, "12345678"]);
    snapshot.close();
    isHeld = false;
    for (const resolve of held) resolve();
    await batch;
    expect([await readings(engine, "a"), await readings(engine, "k1")]).toEqual(["new", "new"]);
    await engine.close();
  });

  it("survives crashes, replays, copies, and is seen by an engine that only looks", async () => {
    const { engine, disk, clock } = await open();
    const value = "y".repeat(20_000);
    await engine.put("table", "1", { ttlMs: 50 });
    await engine.flush();
    await engine.put("log", value, { ttlMs: 50 });
    await engine.batch([put("batch", "1", { ttlMs: 60 }), put("stays", "1")]);
    await engine.batch(
      Array.from({ length: 1500 }, (_, i) => put(`large:${i}`, "1", { ttlMs: i < 750 ? 50 : 60 })),
    );
    const copy = new SimDisk();
    await engine.backup(copy);
    const rebuilt = new SimDisk();
    await recoverTo(BY_HAND, { lsn: engine.stats().lastLsn, into: rebuilt }, disk);
    const looker = await Engine.open({ readOnly: true }, disk.fork(), { clock });
    disk.crash();
    const engines = [
      (await open(disk, clock)).engine,
      (await open(copy, clock)).engine,
      (await open(rebuilt, clock)).engine,
      looker,
    ];
    const seen = async () =>
      Promise.all(
        engines.map(async (each) => [
          await each.count({ prefix: "large:" }),
          (await keysOf(each.scan({ lt: "large" }))).join(),
          await each.count({ gt: "log" }),
        ]),
      );
    const all = (expected: unknown[]) => engines.map(() => expected);
    for (const each of engines) {
      expect(await each.getEntry("log")).toMatchObject({ expiresAt: TestClock.START + 50 });
      expect(await each.getEntry("batch")).toMatchObject({ expiresAt: TestClock.START + 60 });
      expect(await each.getEntry("table")).toMatchObject({ expiresAt: TestClock.START + 50 });
    }
    expect(await seen()).toEqual(all([1500, "batch", 2]));
    clock.pass(50);
    expect(await seen()).toEqual(all([750, "batch", 1]));
    clock.pass(10);
    expect(await seen()).toEqual(all([0, "", 1]));
    await looker.refresh();
    clock.set(-1000);
    expect(await seen()).toEqual(all([0, "", 1]));
    for (const each of engines) await each.close();
  });

  it("may be there again after a restart with a clock that was set back, and what it had replaced is not", async () => {
    const { engine, disk } = await open();
    for (const key of ["a", "b"]) await engine.put(key, "before");
    await engine.flush();
    await engine.put("a", "1", { ttlMs: 10 });
    await engine.close();
    const later = new TestClock();
    later.pass(10);
    const second = (await open(disk, later)).engine;
    expect(await keysOf(second.scan())).toEqual(["b"]);
    await second.close();
    const third = (await open(disk)).engine;
    expect(await readings(third, "a")).toBe("1");
    await third.flush();
    await third.close();
    const fourth = (await open(disk, later)).engine;
    await fourth.compact();
    await fourth.close();
    const fifth = (await open(disk)).engine;
    expect(await readings(fifth, "a")).toBe(undefined);
    await fifth.close();
  });

  it("is told in the change feed with its put, and by nothing when its moment comes", async () => {
    const { engine, clock } = await open();
    const expiresAt = clock.time + 10;
    await engine.put("a", "1", { ttlMs: 10 });
    await engine.batch([put("b", "2", { expiresAt: new Date(expiresAt) }), put("c", "3")]);
    clock.pass(10);
    await engine.put("d", "4");
    const feed = engine.changes();
    const told: unknown[] = [];
    for await (const { lsn, operations } of feed) {
      told.push(
        ...operations.map((operation) =>
          "value" in operation ? [text(operation.key), operation.expiresAt] : operation,
        ),
      );
      if (lsn === 3) break;
    }
    expect(told).toEqual([
      ["a", expiresAt],
      ["b", expiresAt],
      ["c", undefined],
      ["d", undefined],
    ]);
    await engine.close();
  });

  it("is counted until compaction has taken the value away", async () => {
    const { engine, clock } = await open();
    await engine.put("a", "1", { ttlMs: 10 });
    await engine.put("b", "1");
    const counts = () => {
      const { entries, memtable, tables } = engine.stats();
      return [entries, memtable.expiring, tables.levels.reduce((sum, { expiring }) => sum + expiring, 0)];
    };
    expect(counts()).toEqual([2, 1, 0]);
    await engine.flush();
    expect(counts()).toEqual([2, 0, 1]);
    clock.pass(10);
    expect(counts()).toEqual([2, 0, 1]);
    await engine.compact();
    expect(counts()).toEqual([1, 0, 0]);
    await engine.close();
  });
});
