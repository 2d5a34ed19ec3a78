import { setImmediate as nextTurn } from "node:timers/promises";
import { type Disk, SimDisk } from "@kaya/io";
import { WalWriter } from "@kaya/wal";
import { describe, expect, it, vi } from "vitest";
import { Engine, type RangeOptions, type Transaction } from "../src/index.js";
import { OperationList } from "../src/transaction/operation-list.js";
import { entriesIn, rowsOf } from "./support/indexed-rows.js";
import { InterceptedDisk } from "./support/intercepted-disk.js";
import { TestClock } from "./support/test-clock.js";
import { entriesOf, keysOf, rejection, text } from "./support/text.js";

async function opened(
  entries: Readonly<Record<string, string>> = {},
  disk: Disk = new SimDisk(),
): Promise<Engine> {
  const engine = await Engine.open({}, disk);
  await engine.batch(Object.entries(entries).map(([key, value]) => ({ type: "put", key, value })));
  return engine;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}

const lsnOf = (engine: Engine): number => engine.stats().wal.appends.strict;
const numberOf = (value: Uint8Array | undefined): number => Number(text(value) ?? 0);

/** How often the function is called where something is written behind its first call's reads. */
async function callsOf(
  engine: Engine,
  read: (tx: Transaction) => unknown,
  write: () => Promise<unknown>,
  { flushes = false } = {},
): Promise<number> {
  let calls = 0;
  await engine.transact(async (tx) => {
    calls++;
    await read(tx);
    if (calls === 1) {
      await write();
      if (flushes) {
        await engine.flush();
        await engine.compact();
      }
    }
    tx.put("written", "1");
  });
  return calls;
}

describe("a transaction", () => {
  it("reads one moment with its own writes, and writes all or nothing", async () => {
    const engine = await opened({ a: "1", b: "2", c: "3" });
    await engine.put("d", "later");
    const [scan, ...others] = (await engine.transact(async (tx) => {
      tx.put("b", "20");
      tx.delete("c");
      tx.batch([
        { type: "put", key: "bb", value: "21" },
        { type: "clear", range: { gte: "a", lt: "b" } },
      ]);
      const seen: unknown[] = [
        await entriesOf(tx.scan()),
        text(await tx.get("b")),
        text(tx.getSync("a")),
        await tx.has("c"),
      ];
      seen.push((await tx.getMany(["bb", "x"])).map(text), await tx.count());
      tx.clear({ gte: "d" });
      seen.push(await keysOf(tx.scan({ reverse: true, limit: 2 })));
      return seen;
    })) as unknown[];
    expect(scan).toEqual([
      ["b", "20"],
      ["bb", "21"],
      ["d", "later"],
    ]);
    expect(others).toEqual(["20", undefined, false, ["21", undefined], 3, ["bb", "b"]]);
    expect(await entriesOf(engine.scan())).toEqual([
      ["b", "20"],
      ["bb", "21"],
    ]);
    await engine.close();
  });

  it("writes one record, and none where it only reads", async () => {
    const engine = await opened({ a: "1" });
    const before = lsnOf(engine);
    expect(await engine.transact((tx) => text(tx.getSync("a")))).toBe("1");
    expect(lsnOf(engine)).toBe(before);
    await engine.transact((tx) => {
      for (const key of "bcd") tx.put(key, "1");
    });
    expect(lsnOf(engine)).toBe(before + 1);
    await engine.close();
  });

  it("writes nothing where its function throws, and is over when that has ended", async () => {
    const engine = await opened();
    const wrong = new Error("no");
    let kept: Transaction | undefined;
    const thrown = engine.transact(async (tx) => {
      kept = tx;
      tx.put("a", "1");
      await nextTurn();
      throw wrong;
    });
    await expect(thrown).rejects.toBe(wrong);
    expect(await engine.has("a")).toBe(false);
    await rejection("KAYA_CLOSED", (kept as Transaction).get("a"));
    expect(() => (kept as Transaction).put("a", "1")).toThrow(/over/);
    await rejection("KAYA_INVALID_ARGUMENT", engine.transact(undefined as never));
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      engine.transact(() => 1, { attempts: 1.5 }),
    );
    await rejection(
      "KAYA_INVALID_ARGUMENT",
      engine.transact(() => 1, { retries: 1 } as never),
    );
    await engine.close();
  });

  it("checks what it writes in the call, the size of its one record too, and copies it", async () => {
    const engine = await Engine.open(
      { wal: { maxRecordBytes: 2 ** 20 }, limits: { maxValueBytes: 2 ** 19 } },
      new SimDisk(),
    );
    const value = new Uint8Array(2 ** 18).fill(1);
    await engine.transact((tx) => {
      expect(() => tx.put("a", 1 as never)).toThrow(/must be/);
      expect(() => tx.put("a", new Uint8Array(2 ** 19 + 1))).toThrow(/maxValueBytes/);
      expect(() => tx.clear({ limit: 1 } as never)).toThrow(/limit/);
      for (let i = 0; i < 3; i++) tx.put(`${i}`, value);
      expect(() => tx.put("3", value)).toThrow(/maxRecordBytes/);
      expect(() =>
        tx.batch([
          { type: "delete", key: "0" },
          { type: "put", key: "3", value },
        ]),
      ).toThrow(/maxRecordBytes/);
      value.fill(2);
    });
    expect((await engine.get("0"))?.[0]).toBe(1);
    expect(await keysOf(engine.scan())).toEqual(["0", "1", "2"]);
    await engine.close();
  });
});

const changes: readonly (readonly [string, (engine: Engine) => Promise<unknown>])[] = [
  ["a put", (engine) => engine.put("b5", "x")],
  ["a put of a key that is there", (engine) => engine.put("b2", "1")],
  ["a delete", (engine) => engine.delete("b2")],
  [
    "a batch",
    (engine) =>
      engine.batch([
        { type: "put", key: "z", value: "1" },
        { type: "put", key: "b", value: "x" },
      ]),
  ],
  ["a cleared range that covers it", (engine) => engine.clear({ gte: "a", lt: "c" })],
  ["a cleared range within it", (engine) => engine.clear({ gte: "b1", lte: "b2" })],
];
const places = [
  ["in memory", {}],
  ["in tables, compacted", { flushes: true }],
] as const;
const rows = { a: "1", b1: "1", b2: "1", b3: "1", c: "1" };

describe.each(places)("what a transaction read and %s was changed meanwhile", (_, options) => {
  it.each(changes)("a range: it is called again after %s", async (_, change) => {
    for (const range of [{ prefix: "b" }, { prefix: "b", reverse: true }]) {
      const engine = await opened(rows);
      expect(
        await callsOf(
          engine,
          (tx) => keysOf(tx.scan(range)),
          () => change(engine),
          options,
        ),
      ).toBe(2);
      await engine.close();
    }
    const engine = await opened(rows);
    expect(
      await callsOf(
        engine,
        (tx) => tx.count({ prefix: "b" }),
        () => change(engine),
        options,
      ),
    ).toBe(2);
    await engine.close();
  });

  it("a key: it is called again after a put, a delete and a cleared range, also of an absent key", async () => {
    const all: [string, (engine: Engine) => Promise<unknown>][] = [
      ["a", (engine) => engine.put("a", "1")],
      ["a", (engine) => engine.delete("a")],
      ["a", (engine) => engine.clear()],
      ["absent", (engine) => engine.put("absent", "1")],
    ];
    for (const [key, change] of all) {
      for (const read of [
        (tx: Transaction) => tx.get(key),
        (tx: Transaction) => tx.getEntry(key),
        (tx: Transaction) => tx.getEntrySync(key),
        (tx: Transaction) => tx.has(key),
        (tx: Transaction) => tx.getMany([key]),
      ]) {
        const engine = await opened(rows);
        expect(await callsOf(engine, read, () => change(engine), options)).toBe(2);
        await engine.close();
      }
    }
  });

  it("nothing else: it is called once where others were written", async () => {
    const ranges: [RangeOptions, string[]][] = [
      [{ prefix: "b" }, ["a", "c", "az", "z"]],
      [{ prefix: "b", limit: 1 }, ["b11", "b2", "b3", "a", "c"]],
      [{ prefix: "b", limit: 2, reverse: true }, ["b1", "b11", "a", "c"]],
      [{ gt: "b1", lt: "b3" }, ["b1", "b3", "a"]],
      [{ gt: "x", lt: "x" }, ["x"]],
    ];
    for (const [range, keys] of ranges) {
      const engine = await opened(rows);
      const write = () => engine.batch(keys.map((key) => ({ type: "put", key, value: "x" })));
      expect(await callsOf(engine, (tx) => entriesOf(tx.scan(range)), write, options)).toBe(1);
      expect(
        await callsOf(
          engine,
          (tx) => tx.get("b1"),
          () => engine.put("b2", "y"),
          options,
        ),
      ).toBe(1);
      await engine.close();
    }
  });

  it("no further than it was read: a loop that is left early, in both directions, and the first and the last entry", async () => {
    const firstTwo = async (rows: AsyncIterable<unknown>) => {
      let count = 0;
      for await (const _ of rows) if (++count === 2) break;
    };
    const reads: [(tx: Transaction) => unknown, calls: [key: string, calls: number][]][] = [
      [
        (tx) => firstTwo(tx.scan()),
        [
          ["a0", 2],
          ["b1", 2],
          ["b11", 1],
          ["b2", 1],
          ["c", 1],
        ],
      ],
      [
        (tx) => firstTwo(tx.keys({ reverse: true })),
        [
          ["d", 2],
          ["b3", 2],
          ["b21", 1],
          ["a", 1],
        ],
      ],
      [
        (tx) => firstTwo(tx.scan().pages(2)),
        [
          ["b3", 2],
          ["b31", 1],
        ],
      ],
      [
        (tx) => tx.first({ prefix: "b" }),
        [
          ["b", 2],
          ["b1", 2],
          ["b11", 1],
          ["a", 1],
        ],
      ],
      [
        (tx) => tx.last({ prefix: "b" }),
        [
          ["b4", 2],
          ["b3", 2],
          ["b21", 1],
          ["c", 1],
        ],
      ],
      [
        (tx) => {
          for (const _ of tx.scanSync({ gt: "a" })) break;
        },
        [
          ["a1", 2],
          ["b1", 2],
          ["b11", 1],
        ],
      ],
    ];
    for (const [read, expected] of reads) {
      for (const [key, calls] of expected) {
        const engine = await opened(rows);
        expect(await callsOf(engine, read, () => engine.put(key, "x"), options), key).toBe(calls);
        await engine.close();
      }
    }
  });

  it("many ranges: the queue is gone over once for all of them, and nothing of it is copied", async () => {
    const engine = await opened();
    const pending = vi.spyOn(WalWriter.prototype, "pending");
    const add = vi.spyOn(OperationList.prototype, "add");
    try {
      const queued: Promise<unknown>[] = [];
      await engine.transact(async (tx) => {
        for (let i = 0; i < 10; i++) await tx.count({ prefix: `${i}` });
        tx.put("own", "1");
        for (let i = 0; i < 3; i++) queued.push(engine.put(`q${i}`, new Uint8Array(1024 * 1024)));
      });
      expect(pending).toHaveBeenCalledTimes(1);
      expect(add.mock.calls.map(([operation]) => "key" in operation && text(operation.key))).toEqual(["own"]);
      await Promise.all(queued);
    } finally {
      vi.restoreAllMocks();
    }
    await engine.close();
  });

  it("its own: what it had written before it read it is no condition", async () => {
    const engine = await opened(rows);
    const read = async (tx: Transaction) => {
      tx.put("b1", "own");
      tx.clear({ gte: "c" });
      expect([text(await tx.get("b1")), await tx.has("c")]).toEqual(["own", false]);
    };
    const write = () => Promise.all([engine.put("b1", "x"), engine.put("c", "x")]);
    expect(await callsOf(engine, read, write, options)).toBe(1);
    expect([text(await engine.get("b1")), await engine.has("c")]).toEqual(["own", false]);
    await engine.close();
  });
});

describe("what expires in a transaction", () => {
  const clock = new TestClock();
  const open = () => Engine.open({}, new SimDisk(), { clock });

  it("is there for as long as the function runs, and is changed if it expires before the commit", async () => {
    const reads: ((tx: Transaction) => Promise<unknown>)[] = [
      (tx) => tx.get("a"),
      (tx) => tx.getEntry("a").then(({ value }) => value),
      (tx) => tx.getMany(["a"]).then(([value]) => value),
      (tx) => tx.first(),
      async (tx) => ((await tx.count()) > 0 ? true : undefined),
    ];
    for (const read of reads) {
      for (const flushes of [false, true]) {
        const engine = await open();
        await engine.put("a", "1", { ttlMs: 10 });
        if (flushes) await engine.flush();
        const seen: boolean[] = [];
        await engine.transact(async (tx) => {
          const has = async () => (await read(tx)) !== undefined;
          seen.push(await has());
          if (seen.length === 1) clock.pass(10);
          seen.push(await has());
          tx.put("b", "1", { ttlMs: 5 });
        });
        expect(seen).toEqual([true, true, false, false]);
        expect(await engine.has("b")).toBe(true);
        clock.pass(5);
        expect(await engine.has("b")).toBe(false);
        await engine.close();
      }
    }
  });

  it("is its own until it expires, and counts as deleted where it is behind its time", async () => {
    const engine = await open();
    await engine.put("a", "1");
    await engine.transact(async (tx) => {
      tx.put("a", "2", { expiresAt: clock.time });
      tx.batch([{ type: "put", key: "b", value: "1", ttlMs: 10 }]);
      expect(await tx.getEntry("b")).toMatchObject({ sequence: 0, expiresAt: clock.time + 10 });
      expect([await tx.has("a"), await tx.count()]).toEqual([false, 1]);
      expect(() => tx.put("c", "1", { ttlMs: 0 })).toThrow(/ttlMs/);
    });
    expect([await engine.has("a"), await engine.has("b")]).toEqual([false, true]);
    clock.pass(10);
    expect(await engine.has("b")).toBe(false);
    expect(text((await engine.update("b", (value) => String(value), { ttlMs: 10 })).value)).toBe("undefined");
    expect(await engine.getEntry("b")).toMatchObject({ expiresAt: clock.time + 10 });
    await engine.close();
  });

  it("is no conflict where the transaction wrote it itself, read with a scan or by its key", async () => {
    const clock = new TestClock();
    const engine = await Engine.open({}, new SimDisk(), { clock });
    await engine.transact(
      async (tx) => {
        tx.put("own", "1", { ttlMs: 5 });
        expect([await keysOf(tx.scan()), text(await tx.get("own"))]).toEqual([["own"], "1"]);
        clock.pass(5);
      },
      { attempts: 1 },
    );
    expect(await engine.has("own")).toBe(false);
    await engine.close();
  });
});

describe("a transaction that writes rows of an index", () => {
  it("keeps the index, also where an entry must be read from a table first, and is refused where that is not unique", async () => {
    const disk = new SimDisk();
    const first = await Engine.open({}, disk);
    const before = rowsOf(first);
    await before.put("1", { u: "x" });
    await before.ready();
    await first.flush();
    await first.close();
    const engine = await Engine.open({}, disk);
    const rows = rowsOf(engine);
    await engine.transact((tx) => {
      tx.put("r:1", JSON.stringify({ u: "y" }));
      tx.put("r:2", JSON.stringify({ u: "x" }));
    });
    expect(await entriesIn(engine)).toEqual(["u x 2", "u y 1"]);
    await rejection(
      "KAYA_NOT_UNIQUE",
      engine.transact((tx) => tx.put("r:3", JSON.stringify({ u: "x" }))),
    );
    expect((await rows.index("u").get("x"))?.key).toBe("2");
    await engine.close();
  });
});

describe("transactions at once", () => {
  it("prevent write skew, lost updates and phantoms", async () => {
    const engine = await opened({ "on-call:ada": "1", "on-call:grace": "1" });
    const leave = (name: string) =>
      engine.transact(async (tx) => {
        if ((await tx.count({ prefix: "on-call:" })) < 2) return "stays";
        tx.delete(`on-call:${name}`);
        return "leaves";
      });
    const both = await Promise.all([leave("ada"), leave("grace")]);
    expect(both.sort()).toEqual(["leaves", "stays"]);

    const enter = () =>
      engine.transact(async (tx) => {
        const count = await tx.count({ prefix: "guest:" });
        if (count < 3) tx.put(`guest:${count}`, "1");
        return count;
      });
    const counts = await Promise.all(Array.from({ length: 8 }, enter));
    expect(counts.sort()).toEqual([0, 1, 2, 3, 3, 3, 3, 3]);
    await engine.close();
  });

  it("of one key are called about twice each, and share a few fsyncs", async () => {
    // Each fsync takes some turns, as on a real disk.
    const disk = new InterceptedDisk(new SimDisk(), ({ kind }) => (kind === "sync" ? turns(100) : undefined));
    const engine = await Engine.open({}, disk);
    await engine.put("n", "0");
    let calls = 0;
    const before = engine.stats().wal.fsyncs.count;
    const add = () =>
      engine.transact(async (tx) => {
        calls++;
        tx.put("n", `${numberOf(await tx.get("n")) + 1}`);
      });
    await Promise.all(Array.from({ length: 1000 }, add));
    expect(numberOf(await engine.get("n"))).toBe(1000);
    expect(calls).toBeLessThan(2100);
    expect(engine.stats().wal.fsyncs.count - before).toBeLessThan(20);
    await engine.close();
  });

  it("of one range, that take their time, are each called a few times", async () => {
    const engine = await opened();
    for (let i = 0; i < 64; i++) void engine.put(`job:${String(i).padStart(3, "0")}`, "1");
    await engine.sync();
    let calls = 0;
    const claim = () =>
      engine.transact(async (tx) => {
        calls++;
        for await (const { key } of tx.scan({ prefix: "job:", limit: 1 })) {
          await nextTurn();
          tx.delete(key);
          return text(key);
        }
        return undefined;
      });
    const claimed = await Promise.all(Array.from({ length: 64 }, claim));
    expect(new Set(claimed).size).toBe(64);
    expect(calls).toBeLessThan(64 * 3);
    await engine.close();
  });

  it("do not starve one that is slow: after some losses the others wait for it", async () => {
    const engine = await opened();
    let isOver = false;
    const fast = async () => {
      while (!isOver) {
        await nextTurn();
        await engine.transact((tx) => tx.put(`k${numberOf(tx.getSync("n")) % 3}`, "1"));
        await engine.transact((tx) => tx.put("n", `${numberOf(tx.getSync("n")) + 1}`));
      }
    };
    const others = [fast(), fast(), fast()];
    let calls = 0;
    await engine.transact(async (tx) => {
      calls++;
      await tx.count();
      for (let i = 0; i < 50; i++) await nextTurn();
      tx.put("slow", "1");
    });
    isOver = true;
    await Promise.all(others);
    expect(calls).toBeLessThan(8);
    await engine.close();
  });

  it("after so many attempts say which key they lost, and to which write", async () => {
    const engine = await opened({ a: "1" });
    let calls = 0;
    const lost = engine.transact(
      async (tx) => {
        calls++;
        await tx.get("a");
        await engine.put("a", `${calls}`);
        tx.put("b", "1");
      },
      { attempts: 3 },
    );
    const error = await rejection("KAYA_CONFLICT", lost);
    expect([text(error.key), error.sequence, calls]).toEqual(["a", 4, 3]);
    const inRange = engine.transact(
      async (tx) => {
        await tx.count({ gte: "c", lt: "f" });
        await engine.clear({ gte: "d" });
        tx.put("b", "1");
      },
      { attempts: 1 },
    );
    const other = await rejection("KAYA_CONFLICT", inRange);
    expect([text(other.key), other.sequence]).toEqual(["d", 5]);
    expect(other.message).toContain('in the range from "c" to "f"');
    expect(await engine.has("b")).toBe(false);
    await engine.close();
  });

  it("are taken back with the write that they read, and nothing of it is told", async () => {
    const disk = new SimDisk();
    const engine = await opened({ n: "1" }, disk);
    const add = (durability: "strict" | "relaxed") =>
      engine.transact(async (tx) => tx.put("n", `${numberOf(await tx.get("n")) + 1}`), { durability });
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const results = await Promise.allSettled([add("strict"), add("relaxed"), add("strict")]);
    const done = results.filter(({ status }) => status === "fulfilled").length;
    expect(done).toBeLessThan(3);
    expect(numberOf(await engine.get("n"))).toBe(1 + done);
    await add("strict");
    expect(numberOf(await engine.get("n"))).toBe(2 + done);
    await engine.close();
  });

  it("that are called again see the queue as it is, and not what it was before", async () => {
    const sim = new SimDisk();
    const disk = new InterceptedDisk(sim, ({ kind }) => (kind === "sync" ? turns(20) : undefined));
    const engine = await Engine.open({}, disk);
    await engine.put("hot", "1");
    /** What a second call reads, while others are on their way to the disk. */
    const readAtHead = async () => {
      let calls = 0;
      let seen: string | undefined;
      await engine.transact(async (tx) => {
        await tx.get("hot");
        if (++calls === 1) void engine.put("hot", "2").catch(() => undefined);
        seen = text(await tx.get("k"));
        tx.put("out", "1");
      });
      expect(calls).toBe(2);
      return seen;
    };
    void engine.put("k", "queued");
    expect(await readAtHead()).toBe("queued");
    await engine.put("k", "applied");
    expect(await readAtHead()).toBe("applied");

    sim.addFault({ at: sim.nextOperation, kind: "disk-full" });
    const lost = rejection("KAYA_DISK_FULL", engine.put("k", "taken back"));
    await rejection("KAYA_DISK_FULL", readAtHead());
    await lost;
    void engine.put("k", "queued again");
    expect(await readAtHead()).toBe("queued again");
    await engine.close();
  });

  it("give their turn back before they wait for the disk, where they write nothing: so do updates", async () => {
    const oops = new Error("oops");
    const ends: Record<string, (engine: Engine, isFirst: () => boolean) => Promise<unknown>> = {
      "it throws": (engine, isFirst) =>
        engine.transact(async (tx) => {
          await tx.get("hot");
          if (!isFirst()) throw oops;
          tx.put("out", "1");
        }),
      "it writes nothing": (engine, isFirst) =>
        engine.transact(async (tx) => {
          await tx.get("hot");
          if (isFirst()) tx.put("out", "1");
        }),
      "an update throws": (engine, isFirst) =>
        engine.update("hot", async () => {
          if (!isFirst()) throw oops;
          return "lost";
        }),
      "an update throws at once": (engine, isFirst) =>
        engine.update("hot", () => {
          if (!isFirst()) throw oops;
          return Promise.resolve("lost");
        }),
    };
    for (const [name, start] of Object.entries(ends)) {
      let release: () => void = () => undefined;
      let held: Promise<void> | undefined;
      const disk = new InterceptedDisk(new SimDisk(), ({ kind }) => (kind === "sync" ? held : undefined));
      const engine = await opened({ hot: "1" }, disk);
      held = new Promise((resolve) => {
        release = resolve;
      });
      let calls = 0;
      const first = start(engine, () => {
        if (++calls === 1) void engine.put("hot", "2");
        return calls === 1;
      }).catch((error: unknown) => error);
      await turns(5);
      let settled = false;
      void first.then(() => {
        settled = true;
      });
      let callsBehind = 0;
      const behind = engine.transact(async (tx) => {
        callsBehind++;
        tx.put("hot", `${numberOf(await tx.get("hot")) + 1}`);
      });
      await turns(5);
      expect([name, calls, callsBehind, settled]).toEqual([name, 2, 2, false]);
      release();
      expect(await first).toBe(name === "it writes nothing" ? undefined : oops);
      await behind;
      expect(text(await engine.get("hot"))).toBe("3");
      await engine.close();
    }
  });

  it("tells nobody what a function throws behind the end by its signal, and calls it no more", async () => {
    const engine = await opened({ a: "1" });
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      for (const run of ["transact", "update"] as const) {
        const abort = new AbortController();
        let calls = 0;
        const fn = async () => {
          calls++;
          abort.abort(new Error("enough"));
          await turns(3);
          throw new Error("of the function");
        };
        const { signal } = abort;
        const ended =
          run === "transact" ? engine.transact(fn, { signal }) : engine.update("a", fn, { signal });
        await expect(ended).rejects.toThrow("enough");
        await turns(6);
        expect(calls).toBe(1);
      }
      let calls = 0;
      const abort = new AbortController();
      const lost = engine.transact(
        async (tx) => {
          calls++;
          await tx.get("a");
          await engine.put("a", "2");
          queueMicrotask(() => abort.abort(new Error("enough")));
          tx.put("b", "1");
        },
        { signal: abort.signal },
      );
      await expect(lost).rejects.toThrow("enough");
      expect([calls, unhandled]).toEqual([1, []]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  it("may be made inside each other, and end with their signal", async () => {
    const engine = await opened({ a: "1" });
    const outer = engine.transact(async (tx) => {
      const inner = await engine.transact((other) => other.put("x", text(tx.getSync("a")) ?? ""));
      tx.put("y", "1");
      return inner;
    });
    await outer;
    expect(await keysOf(engine.scan())).toEqual(["a", "x", "y"]);
    const abort = new AbortController();
    const { signal } = abort;
    const waiting = engine.transact(() => new Promise(() => undefined), { signal });
    abort.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(engine.transact(() => 1, { signal })).rejects.toThrow("enough");
    await engine.close();
    await rejection(
      "KAYA_CLOSED",
      engine.transact(() => 1),
    );
  });
});

it("whose function never comes to its end is rejected when the engine is closed, as an update is", async () => {
  const never = new Promise<never>(() => undefined);
  for (const isClosedAtOnce of [true, false]) {
    const engine = await Engine.open({}, new SimDisk());
    const settled = Promise.all([
      rejection(
        "KAYA_CLOSED",
        engine.transact(async (tx) => {
          tx.put("a", "1");
          await tx.get("b");
          await never;
        }),
      ),
      rejection(
        "KAYA_CLOSED",
        engine.update("c", () => never),
      ),
    ]);
    if (!isClosedAtOnce) await engine.put("d", "1");
    await engine.close();
    await settled;
  }
});
