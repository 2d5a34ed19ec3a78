import { setImmediate as nextTurn } from "node:timers/promises";
import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Engine, KayaError, type KeyBounds, type Turns, type WatchChange } from "../src/index.js";
import { RangeWatch } from "../src/watch/range-watch.js";
import { holdUp } from "./support/intercepted-disk.js";
import { TestClock } from "./support/test-clock.js";
import { bytes, entriesOf, latin1, rejection } from "./support/text.js";
import { textOf, WatchReader } from "./support/watched.js";

vi.setConfig({ testTimeout: 120_000 });

const open = (disk = new SimDisk()) => Engine.open({}, disk);

/** Two operations a turn: most batches are applied in slices. */
const SHORT_TURNS: Turns = { operations: 2, next: () => nextTurn() };

describe("watching a key", () => {
  it("begins with what it has and tells each newer entry once, whatever wrote it", async () => {
    const db = await open();
    await db.put("a", "0");
    const reader = new WatchReader(db.watch("a"));
    expect(await reader.reaches(1)).toEqual(["a=0"]);
    const writes: (() => unknown)[] = [
      () => db.put("a", "1"),
      () => db.put("b", "other"),
      () => db.batch([{ type: "put", key: "a", value: "2" }]),
      () => db.putSync("a", "3"),
      () => db.update("a", () => "4"),
      () => db.delete("a"),
      () => db.put("a", "5", { durability: "relaxed" }),
      () => db.clear({ gte: "a", lt: "aa" }),
      () => db.put("a", "6"),
      () => db.clear({ gt: "a" }),
    ];
    for (const write of writes) {
      await write();
      await nextTurn();
    }
    expect(reader.texts).toEqual(["a=0", "a=1", "a=2", "a=3", "a=4", "-a", "a=5", "-a", "a=6"]);
    expect(reader.told.map(({ sequence }) => sequence)).toEqual([1, 2, 4, 5, 6, undefined, 8, undefined, 10]);
    await db.close();
  });

  it("gives entries that serve as conditions", async () => {
    const db = await open();
    const watch = db.watch("a");
    const absent = (await watch.next()).value;
    expect(absent).toEqual({ key: bytes("a"), value: undefined, sequence: undefined });
    await db.batch([{ type: "put", key: "a", value: "1" }], { conditions: absent ? [absent] : [] });
    const first = (await watch.next()).value;
    expect(first).toEqual(await db.getEntry("a"));
    await db.batch([{ type: "put", key: "a", value: "2" }], { conditions: first ? [first] : [] });
    await rejection("KAYA_CONFLICT", db.batch([], { conditions: first ? [first] : [] }));
    await watch.return();
    await db.close();
  });

  it("skips to the newest for who is slow, and does not tell that what was absent is absent", async () => {
    const db = await open();
    const watch = db.watch("a");
    const next = async () => textOf((await watch.next()).value as WatchChange);
    expect(await next()).toBe("-a");
    for (let i = 0; i < 100; i++) await db.put("a", `${i}`, { durability: "relaxed" });
    expect(await next()).toBe("a=99");
    await db.delete("a");
    expect(await next()).toBe("-a");
    await db.put("a", "there and gone");
    await db.delete("a");
    await db.clear();
    await db.delete("a");
    const last = next();
    await db.put("a", "last");
    expect(await last).toBe("a=last");
    await watch.return();
    await db.close();
  });

  it("begins with the first change where that is asked for", async () => {
    const db = await open();
    await db.put("a", "0");
    const reader = new WatchReader(db.watch("a", { initial: false }));
    await nextTurn();
    await db.put("a", "1");
    expect(await reader.reaches(1)).toEqual(["a=1"]);
    await db.close();
  });

  it("tells a value that is in a table, and what comes while that is read", async () => {
    let isHeld = false;
    const gate = holdUp(
      new SimDisk(),
      ({ kind, path }) => isHeld && kind === "readAt" && path.endsWith(".sst"),
    );
    const db = await Engine.open({ memory: { cacheBytes: 0 } }, gate.disk);
    await db.put("a", "in a table");
    await db.flush();
    isHeld = true;
    const watch = db.watch("a");
    const [first, second] = [watch.next(), watch.next()];
    await gate.held;
    await db.put("a", "newer");
    isHeld = false;
    gate.release();
    expect(textOf((await first).value as WatchChange)).toBe("a=newer");
    await db.put("a", "newest");
    expect(textOf((await second).value as WatchChange)).toBe("a=newest");
    await watch.return();
    await db.close();
  });

  it("tells a strict write once it is durable, and a relaxed one once it can be read", async () => {
    let isHeld = false;
    const gate = holdUp(
      new SimDisk(),
      ({ kind, path }) => isHeld && kind === "sync" && path.endsWith(".wal"),
    );
    const db = await Engine.open({}, gate.disk);
    await db.put("first", "makes the segment");
    const reader = new WatchReader(db.watch({}, { initial: false }));
    await nextTurn();
    isHeld = true;
    const strict = db.put("a", "strict");
    await gate.held;
    for (let i = 0; i < 5; i++) await nextTurn();
    expect(reader.texts).toEqual([]);
    isHeld = false;
    gate.release();
    await strict;
    await db.put("a", "relaxed", { durability: "relaxed" });
    expect(db.stats().durableLsn).toBeLessThan(db.stats().lastLsn);
    expect(await reader.reaches(2)).toEqual(["a=strict", "a=relaxed"]);
    await db.close();
  });
});

describe("watching a range", () => {
  it("begins with a put for each entry, and then tells what changes in it, and of a clear the part that is in it", async () => {
    const db = await open();
    for (const key of ["a", "b1", "b2", "c"]) await db.put(key, "0");
    const reader = new WatchReader(db.watch({ prefix: "b" }));
    expect(await reader.reaches(2)).toEqual(["b1=0", "b2=0"]);
    const writes = [
      () => db.put("a", "1"),
      () => db.put("b3", "1"),
      () => db.delete("b1"),
      () => db.clear({ lt: "b2" }),
      () => db.clear({ gte: "b2" }),
      () => db.clear({ gte: "c" }),
      () => db.clear(),
    ];
    for (const write of writes) {
      await write();
      await nextTurn();
    }
    expect(reader.texts).toEqual(["b1=0", "b2=0", "b3=1", "-b1", "-[b, b2)", "-[b2, c)", "-[b, c)"]);
    await db.close();
  });

  it("coalesces for who is slow: of each key the newest, and nothing that a later clear covers", async () => {
    const db = await open();
    const watch = db.watch({ prefix: "k" }, { initial: false });
    const first = watch.next();
    await nextTurn();
    await db.put("k0", "wakes it");
    await first;
    for (let i = 0; i < 10; i++) for (const key of ["k1", "k2", "k3"]) await db.put(key, `${i}`);
    await db.clear({ gte: "k2", lt: "k3" });
    await db.clear({ gte: "k2", lt: "k21" });
    await db.put("k2", "again");
    await db.delete("k1");
    const rest: string[] = [];
    for (let i = 0; i < 5; i++) rest.push(textOf((await watch.next()).value as WatchChange));
    expect(rest).toEqual(["-[k2, k3)", "-[k2, k21)", "-k1", "k3=9", "k2=again"]);
    await watch.return();
    await db.close();
  });

  it.each([
    {
      what: "clears",
      change: async (db: Engine) => {
        for (let i = 0; i < 100; i++) await db.clear({ prefix: `k${String(i).padStart(3, "0")}` });
      },
    },
    {
      what: "bytes",
      change: async (db: Engine) => {
        for (let i = 0; i < 20; i++)
          await db.put(`k${i}`, new Uint8Array(2 ** 20), { durability: "relaxed" });
        await db.clear({ gte: "k1" });
      },
    },
  ])("begins anew where more $what are pending than it keeps", async ({ change }) => {
    const db = await open();
    const watch = db.watch({ prefix: "k" });
    await db.put("k", "0");
    expect(textOf((await watch.next()).value as WatchChange)).toBe("k=0");
    await db.put("k9", "goes");
    await change(db);
    await db.put("k", "1");
    const told: string[] = [];
    for (let i = 0; i < 2; i++) told.push(textOf((await watch.next()).value as WatchChange));
    expect(told[0]).toBe("-[k, l)");
    expect(told[1]).toBe("k=1");
    await db.delete("k");
    const last = async () => {
      for (;;) {
        const text = textOf((await watch.next()).value as WatchChange);
        if (text === "-k") return text;
      }
    };
    expect(await last()).toBe("-k");
    await watch.return();
    await db.close();
  });

  const key = fc.constantFrom("a", "b", "b1", "b2", "b3", "b\xff", "c");
  const range = fc.constantFrom<KeyBounds>(
    {},
    { prefix: "b" },
    { gte: "b2" },
    { gt: "a", lt: "b2" },
    { lt: "b" },
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("clear" as const), range }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("batch" as const), keys: fc.array(key, { maxLength: 8 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("watch" as const), range }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), count: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.constant({ do: "flush" as const }) },
    { weight: 2, arbitrary: fc.constant({ do: "turn" as const }) },
  );

  it("tells what makes of nothing what the range has, at any pace, beside writes that are under way", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const db = await Engine.open({}, new SimDisk(), { turns: SHORT_TURNS });
        const mirrors: Mirror[] = [];
        const writes: Promise<unknown>[] = [];
        let value = 0;
        for (const each of steps) {
          switch (each.do) {
            case "put":
              writes.push(db.put(bytes(each.key), `${value++}`));
              break;
            case "delete":
              writes.push(db.delete(bytes(each.key), { durability: "relaxed" }));
              break;
            case "clear":
              writes.push(db.clear(each.range));
              break;
            case "batch":
              writes.push(
                db.batch(each.keys.map((k) => ({ type: "put", key: bytes(k), value: `${value++}` }))),
              );
              break;
            case "watch":
              mirrors.push(new Mirror(db, each.range));
              break;
            case "take":
              for (const mirror of mirrors) mirror.take(each.count);
              break;
            case "flush":
              await db.flush();
              break;
            case "turn":
              await nextTurn();
          }
        }
        await Promise.all(writes);
        for (const mirror of mirrors) {
          const expected = await entriesOf(db.scan(mirror.range));
          await mirror.becomes(expected);
        }
        await db.close();
      }),
      { numRuns: 60 },
    );
  });
});

/** What a watch told, applied to a map. */
class Mirror {
  readonly range: KeyBounds;
  readonly entries = new Map<string, string>();
  readonly #watch;
  readonly #sequences = new Map<string, number>();
  readonly #mistakes: unknown[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(db: Engine, range: KeyBounds) {
    this.range = range;
    this.#watch = db.watch(range);
  }

  take(count: number): void {
    for (let i = 0; i < count; i++)
      this.#last = this.#watch.next().then(
        ({ value }) => value && this.#apply(value),
        (error: unknown) => this.#mistakes.push(error),
      );
  }

  /** Takes until that is there. A mistake is seen as a test that does not end: so many are taken at most. */
  async becomes(expected: [string, string][]): Promise<void> {
    for (let turn = 0; turn < 200; turn++) {
      this.take(1);
      for (let i = 0; i < 3; i++) await nextTurn();
      const sorted = [...this.entries].sort(([a], [b]) => (a < b ? -1 : 1));
      if (JSON.stringify(sorted) === JSON.stringify(expected) && turn > 20) break;
    }
    expect([...this.entries].sort(([a], [b]) => (a < b ? -1 : 1))).toEqual(expected);
    await this.#watch.return();
    await this.#last;
    expect(this.#mistakes).toEqual([]);
  }

  #apply(change: WatchChange): void {
    if (change.type === "deleteRange") {
      const [start, end] = [latin1(change.start), change.end && latin1(change.end)];
      for (const key of this.entries.keys())
        if (key >= start && (end === undefined || key < end)) this.entries.delete(key);
      return;
    }
    const key = latin1(change.key);
    if (change.sequence <= (this.#sequences.get(key) ?? 0)) this.#mistakes.push(change);
    this.#sequences.set(key, change.sequence);
    if (change.type === "put") this.entries.set(key, latin1(change.value));
    else this.entries.delete(key);
  }
}

describe("a value that expires", () => {
  const withClock = async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const clock = new TestClock();
    const db = await Engine.open({}, new SimDisk(), { clock });
    const pass = async (ms: number) => {
      clock.pass(ms);
      vi.advanceTimersByTime(ms);
      for (let i = 0; i < 3; i++) await nextTurn();
    };
    return { db, clock, pass };
  };
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is seen to go by who watches its key, once, and not where it was put again before", async () => {
    const { db, clock, pass } = await withClock();
    await db.put("a", "1", { ttlMs: 100_000 });
    const expiresAt = clock.time + 100_000;
    const reader = new WatchReader(db.watch("a"));
    expect(await reader.reaches(1)).toEqual(["a=1"]);
    expect(reader.told[0]?.expiresAt).toBe(expiresAt);
    await pass(99_999);
    expect(reader.texts).toEqual(["a=1"]);
    await pass(1);
    expect(reader.texts).toEqual(["a=1", "-a"]);
    await db.put("a", "2", { ttlMs: 50 });
    await pass(40);
    await db.put("a", "3", { ttlMs: 50 });
    await pass(40);
    expect(reader.texts.slice(2)).toEqual(["a=2", "a=3"]);
    await db.put("a", "4");
    await pass(1000);
    await db.put("a", "5", { ttlMs: 10 });
    await db.delete("a");
    await pass(1000);
    expect(reader.texts.slice(4)).toEqual(["a=4", "a=5", "-a"]);
    await db.put("a", "gone", { expiresAt: 1 });
    await nextTurn();
    expect(reader.texts.slice(7)).toEqual([]);
    await db.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is seen to go where the watch begins with the first change, from a table too, and an absent key stays untold", async () => {
    const { db, pass } = await withClock();
    await db.put("a", "1", { ttlMs: 100 });
    await db.flush();
    await db.put("b", "1", { ttlMs: 100 });
    const readers = ["a", "b", "absent"].map((key) => new WatchReader(db.watch(key, { initial: false })));
    await pass(99);
    await db.delete("absent");
    await pass(0);
    expect(readers.map(({ texts }) => texts)).toEqual([[], [], []]);
    await pass(1);
    await db.put("absent", "1");
    for (const reader of readers) await reader.reaches(1);
    expect(readers.map(({ texts }) => texts)).toEqual([["-a"], ["-b"], ["absent=1"]]);
    await db.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is seen to go within a minute where the clock is set forward", async () => {
    const { db, clock, pass } = await withClock();
    await db.put("a", "1", { ttlMs: 3600_000 });
    const reader = new WatchReader(db.watch("a"));
    await reader.reaches(1);
    clock.set(3600_000);
    await pass(60_000);
    expect(reader.texts).toEqual(["a=1", "-a"]);
    await db.close();
  });

  it("is not told once it has gone, to who is slow or comes late, and a range is told when it will go", async () => {
    const { db, clock, pass } = await withClock();
    const expiresAt = clock.time + 10;
    await db.put("a", "1", { expiresAt });
    await db.flush();
    await db.put("b", "1", { expiresAt });
    const [slow, range, late] = [db.watch("a"), db.watch({}), db.watch("b")];
    await slow.next();
    expect((await range.next()).value).toEqual({
      ...{ type: "put", key: bytes("a"), value: bytes("1"), sequence: 1, expiresAt },
    });
    await db.put("a", "2", { expiresAt: expiresAt + 10 });
    await db.put("c", "3", { expiresAt: expiresAt + 10 });
    await db.put("d", "4", { expiresAt: 1 });
    await pass(20);
    expect(textOf((await slow.next()).value as WatchChange)).toBe("-a");
    expect(textOf((await late.next()).value as WatchChange)).toBe("-b");
    const rest: unknown[] = [];
    for (let i = 0; i < 4; i++) rest.push((await range.next()).value);
    expect(rest).toMatchObject([
      { type: "put", key: bytes("b"), expiresAt },
      { type: "put", key: bytes("a"), value: bytes("2"), expiresAt: expiresAt + 10 },
      { type: "put", key: bytes("c"), expiresAt: expiresAt + 10 },
      { type: "delete", key: bytes("d"), sequence: 5 },
    ]);
    await db.close();
  });
});

describe("a watch", () => {
  it("that begins while a large batch is applied has all of it or will be told", async () => {
    let resume: (() => void)[] = [];
    const turns: Turns = { operations: 2, next: () => new Promise((resolve) => resume.push(resolve)) };
    const db = await Engine.open({}, new SimDisk(), { turns });
    const goOn = async () => {
      for (let i = 0; i < 10; i++) {
        for (const each of resume) each();
        resume = [];
        await nextTurn();
      }
    };
    await db.put("a", "before");
    const batch = db.batch(["a", "b", "c", "d", "e"].map((key) => ({ type: "put", key, value: "after" })));
    while (resume.length === 0) await nextTurn();
    const [ofKey, ofRange] = [new WatchReader(db.watch("a")), new WatchReader(db.watch({}))];
    await nextTurn();
    expect(db.getSync("a")).toEqual(bytes("before"));
    await goOn();
    await batch;
    await goOn();
    expect(ofKey.texts.at(-1)).toBe("a=after");
    expect(ofRange.texts.slice(-5)).toEqual(["a=after", "b=after", "c=after", "d=after", "e=after"]);
    await db.close();
  });

  it("gives bytes of its own", async () => {
    const db = await open();
    const value = bytes("value");
    const watches = [db.watch("a", { initial: false }), db.watch("a", { initial: false })];
    const told = watches.map((watch) => watch.next());
    const ofRange = db.watch({}, { initial: false });
    const change = ofRange.next();
    await nextTurn();
    await db.put("a", value);
    value.fill(0);
    const [first, second] = await Promise.all(told);
    first?.value?.value?.fill(1);
    first?.value?.key.fill(1);
    expect(textOf(second?.value as WatchChange)).toBe("a=value");
    expect(textOf((await change).value as WatchChange)).toBe("a=value");
    await db.close();
  });

  it("ends with its signal, with the loop, and with return, and holds nothing then", async () => {
    const db = await open();
    await db.put("a", "1");
    const reason = new Error("enough");
    for (const what of ["a", {}]) {
      const controller = new AbortController();
      const watch = db.watch(what as string, { signal: controller.signal });
      await watch.next();
      const waiting = watch.next();
      await nextTurn();
      expect(db.stats().watches).toBe(1);
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      expect(await watch.next()).toEqual({ done: true, value: undefined });
      expect(db.stats().watches).toBe(0);
      expect(() => db.watch(what as string, { signal: controller.signal })).toThrow(reason);

      for await (const _ of db.watch(what as string)) break;
      expect(db.stats().watches).toBe(0);

      const returned = db.watch(what as string);
      await returned.next();
      const [left, done] = [returned.next(), returned.return()];
      expect(await left).toEqual({ done: true, value: undefined });
      expect(await done).toEqual({ done: true, value: undefined });
      expect(db.stats()).toMatchObject({ watches: 0, memtable: { snapshots: { open: 0 } } });
    }
    const late = new AbortController();
    const unread = db.watch("a", { signal: late.signal });
    late.abort(reason);
    await expect(unread.next()).rejects.toBe(reason);
    await db.close();
  });

  it("rejects with KAYA_CLOSED once the engine is closed, whether it waits, is read later, or never was", async () => {
    const db = await open();
    await db.put("a", "1");
    const [waits, later, never] = [db.watch("a"), db.watch({}), db.watch("b")];
    await waits.next();
    await later.next();
    await db.put("a", "not told");
    const waiting = waits.next().then(() => waits.next());
    const closed = rejection("KAYA_CLOSED", waiting);
    await nextTurn();
    await db.close();
    await closed;
    await rejection("KAYA_CLOSED", later.next());
    await rejection("KAYA_CLOSED", never.next());
    expect(await later.next()).toEqual({ done: true, value: undefined });
    expect(() => db.watch("a")).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
  });

  it("rejects with KAYA_WRITER_FAILED once the engine has failed, behind all that could be read", async () => {
    const disk = new SimDisk();
    const db = await open(disk);
    await db.put("a", "1");
    const [waits, reads] = [new WatchReader(db.watch("a")), db.watch({})];
    expect(textOf((await reads.next()).value as WatchChange)).toBe("a=1");
    await waits.reaches(1);
    await db.put("a", "2");
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await rejection("KAYA_FSYNC_FAILED", db.put("a", "3"));
    await waits.over;
    expect(waits.texts).toEqual(["a=1", "a=2"]);
    expect(KayaError.is(waits.error, "KAYA_WRITER_FAILED")).toBe(true);
    expect(textOf((await reads.next()).value as WatchChange)).toBe("a=2");
    await rejection("KAYA_WRITER_FAILED", reads.next());
    const afterwards = db.watch("a");
    expect(textOf((await afterwards.next()).value as WatchChange)).toBe("a=2");
    await rejection("KAYA_WRITER_FAILED", afterwards.next());
    await db.close().catch(() => undefined);
  });

  it("that fails by itself is told so, and no write fails by it", async () => {
    const db = await open();
    const watch = db.watch({}, { initial: false });
    const next = watch.next();
    const failed = expect(next).rejects.toThrow("no memory");
    await nextTurn();
    const spy = vi.spyOn(RangeWatch.prototype, "stage").mockImplementation(() => {
      throw new RangeError("no memory");
    });
    await db.put("a", "1");
    spy.mockRestore();
    await failed;
    await db.put("a", "2");
    expect(db.stats()).toMatchObject({ state: "open", watches: 0 });
    await db.close();
  });

  it("is refused for what is no key and no range, and on an engine that only looks", async () => {
    const disk = new SimDisk();
    const db = await open(disk);
    for (const wrong of [
      undefined,
      null,
      7,
      [],
      { prefx: "a" },
      { prefix: "a", limit: 5 },
      { gt: "b", lt: "a" },
    ])
      expect(() => db.watch(wrong as unknown as string)).toThrow(
        expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }),
      );
    for (const options of [{ initial: 1 }, { signal: {} }, { since: "x" }])
      expect(() => db.watch("a", options as object)).toThrow(
        expect.objectContaining({ code: "KAYA_INVALID_ARGUMENT" }),
      );
    await db.close();
    const looker = await Engine.open({ readOnly: true }, disk);
    expect(() => looker.watch("a")).toThrow(expect.objectContaining({ code: "KAYA_READ_ONLY" }));
    await looker.close();
  });
});
