import { setImmediate as nextTurn } from "node:timers/promises";
import { NodeDisk, SimDisk } from "@kaya/io";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type BatchCondition, type BatchOperation, Engine, KayaError } from "../src/index.js";
import { holdUp } from "./support/intercepted-disk.js";
import { temporaryDirectories } from "./support/temporary-directory.js";
import { entriesOf, rejection, text } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const directories = temporaryDirectories();
afterAll(() => directories.remove());

const put = (key: string, value: string): BatchOperation => ({ type: "put", key, value });
const absent = (key: string): BatchCondition => ({ key, sequence: undefined });

/** Adds to a counter, however many others do so too. */
async function increment(engine: Engine, key: string): Promise<void> {
  for (;;) {
    const entry = await engine.getEntry(key);
    const next = Number(text(entry.value) ?? 0) + 1;
    try {
      await engine.batch([put(key, String(next))], { conditions: [entry] });
      return;
    } catch (error) {
      if (!KayaError.is(error, "KAYA_CONFLICT")) throw error;
    }
  }
}

describe("many that change one key", () => {
  it("are told of a conflict when they have a chance: each tries a few times, not once for each of the others", async () => {
    const engine = await Engine.open({ durability: "relaxed" }, new SimDisk());
    const batch = engine.batch.bind(engine);
    let attempts = 0;
    engine.batch = (...args) => {
      attempts++;
      return batch(...args);
    };
    const writers = 1000;
    await Promise.all(Array.from({ length: writers }, () => increment(engine, "counter")));
    expect(text(await engine.get("counter"))).toBe(`${writers}`);
    expect(attempts).toBeLessThan(4 * writers);
    await engine.close();
  });

  it("wait for nobody who was told and does not write again", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const conflicts = Array.from({ length: 50 }, (_, i) =>
      engine.batch([put("counter", `${i}`)], { conditions: [absent("counter")] }),
    );
    const results = await Promise.allSettled(conflicts);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", ...Array(49).fill("rejected")]);
    await engine.close();
  });

  it("are told of another failure where the write ahead of them fails", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("first", "1");
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const ahead = rejection("KAYA_DISK_FULL", engine.put("counter", "1"));
    const others = [1, 2, 3].map(() =>
      rejection("KAYA_DISK_FULL", engine.batch([put("x", "1")], { conditions: [absent("counter")] })),
    );
    await Promise.all([ahead, ...others]);
    await engine.batch([put("x", "1")], { conditions: [absent("counter")] });
    await engine.close();
  });
});

describe("a batch with conditions", () => {
  it("is written where they hold, and a key that was never there is absent", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const created = await engine.batch([put("a", "1"), put("b", "1")], { conditions: [absent("a")] });
    const entry = await engine.getEntry("b");
    expect(entry).toMatchObject({ sequence: created.sequence + 1 });
    await engine.batch([put("b", "2"), { type: "delete", key: "a" }], { conditions: [entry, absent("c")] });
    expect(await entriesOf(engine.scan())).toEqual([["b", "2"]]);
    expect(await engine.getEntry("a")).toMatchObject({ value: undefined, sequence: undefined });
    await engine.close();
  });

  it("is nothing where one does not hold: the key is named, no LSN is used", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    const { lsn, sequence } = await engine.put("taken", "x");
    const operations = disk.nextOperation;
    const conditions = [absent("free"), absent("taken")];
    const error = await rejection("KAYA_CONFLICT", engine.batch([put("free", "y")], { conditions }));
    expect(error.message).toContain(
      `the key "taken" has sequence ${sequence}, and the batch wants it absent`,
    );
    expect(text(error.key)).toBe("taken");
    const stale = [{ key: new Uint8Array([0, 255]), sequence: 7 }];
    const other = await rejection("KAYA_CONFLICT", engine.batch([put("free", "y")], { conditions: stale }));
    expect(other.message).toContain("the key 0x00ff is absent, and the batch wants it with sequence 7");
    expect(disk.nextOperation).toBe(operations);
    expect(engine.stats().lastLsn).toBe(lsn);
    await engine.close();
  });

  it("looks at what is queued ahead of it, and at nothing behind it", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const first = await engine.put("key", "old");
    const overwritten = engine.put("key", "new");
    const stale = engine.batch([put("key", "lost")], {
      conditions: [{ key: "key", sequence: first.sequence }],
    });
    const removed = engine.delete("key");
    const fresh = engine.batch([put("key", "again")], { conditions: [absent("key")] });
    await overwritten;
    await rejection("KAYA_CONFLICT", stale);
    await removed;
    expect(await fresh).toMatchObject({ sequence: first.sequence + 3 });
    expect(text(await engine.get("key"))).toBe("again");
    await engine.close();
  });

  it("that lost to a write under way is told so after that write: who reads again finds it", async () => {
    const disk = new SimDisk();
    const {
      disk: slow,
      held,
      release,
    } = holdUp(disk, ({ kind, path }) => kind === "sync" && path.endsWith(".wal"));
    const engine = await Engine.open({}, slow);
    const order: string[] = [];
    const winner = engine
      .batch([put("key", "won")], { conditions: [absent("key")] })
      .then(() => order.push("won"));
    const loser = rejection(
      "KAYA_CONFLICT",
      engine.batch([put("key", "lost")], { conditions: [absent("key")] }),
    );
    const told = loser.then(() => order.push(`lost to ${text(engine.getSync("key"))}`));
    await held;
    expect(order).toEqual([]);
    release();
    await Promise.all([winner, told]);
    expect(order).toEqual(["won", "lost to won"]);
    await engine.close();
  });

  it("that lost to a write that failed fails as that does (W3), and holds the next time", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({}, disk);
    await engine.put("other", "x");
    disk.addFault({ at: disk.nextOperation, kind: "disk-full" });
    const winner = engine.batch([put("key", "a")], { conditions: [absent("key")] });
    const loser = engine.batch([put("key", "b")], { conditions: [absent("key")] });
    await rejection("KAYA_DISK_FULL", winner);
    await rejection("KAYA_DISK_FULL", loser);
    await engine.batch([put("key", "b")], { conditions: [absent("key")] });
    expect(text(await engine.get("key"))).toBe("b");
    await engine.close();
  });

  it("waits for no fsync that the write it lost to did not ask for", async () => {
    const disk = new SimDisk();
    const engine = await Engine.open({ durability: "relaxed" }, disk);
    const winner = engine.put("key", "a");
    await rejection("KAYA_CONFLICT", engine.batch([put("key", "b")], { conditions: [absent("key")] }));
    await winner;
    expect(disk.events.filter(({ kind, path }) => kind === "sync" && path.endsWith(".wal"))).toEqual([]);
    await engine.close();
  });

  it("finds the sequences again after a restart, from the log and from a table", async () => {
    const disk = new SimDisk();
    let engine = await Engine.open({}, disk);
    const { sequence: a } = await engine.put("a", "1");
    await engine.flush();
    const { sequence: b } = await engine.put("b", "1");
    await engine.close();
    engine = await Engine.open({}, disk);
    const conditions = [
      { key: "a", sequence: a },
      { key: "b", sequence: b },
    ];
    await engine.batch([put("a", "2")], { conditions });
    await rejection("KAYA_CONFLICT", engine.batch([put("a", "3")], { conditions }));
    await engine.close();
  });

  it("takes what a snapshot read: what changed since is a conflict", async () => {
    const engine = await Engine.open({}, new SimDisk());
    await engine.put("a", "1");
    const snapshot = engine.snapshot();
    await engine.put("a", "2");
    const conditions = [await snapshot.getEntry("a")];
    expect(text(conditions[0]?.value)).toBe("1");
    snapshot.close();
    await rejection("KAYA_CONFLICT", engine.batch([put("b", "1")], { conditions }));
    await engine.close();
  });

  it("that is malformed is refused at once, and a put has no conditions", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const refused = (conditions: unknown) =>
      rejection("KAYA_INVALID_ARGUMENT", engine.batch([put("a", "1")], { conditions: conditions as never }));
    for (const conditions of [null, "a", [null], [{}], [{ key: "a" }], [{ key: "a", sequnce: 1 }]])
      await refused(conditions);
    for (const sequence of [0, -1, 1.5, Number.NaN, "1", null]) await refused([{ key: "a", sequence }]);
    await rejection("KAYA_INVALID_ARGUMENT", engine.put("a", "1", { conditions: [] } as never));
    await rejection("KAYA_INVALID_ARGUMENT", engine.delete("a", { conditions: [] } as never));
    expect(engine.stats().lastLsn).toBe(0);
    await engine.batch([put("a", "1")], { conditions: [] });
    await engine.close();
  });

  it("gives the key of an entry and of a conflict as copies", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const key = Buffer.from("key");
    const entry = await engine.getEntry(key);
    const conflict = engine.batch([put("a", "1")], { conditions: [{ key, sequence: 9 }] });
    key.fill(0);
    expect(text(entry.key)).toBe("key");
    expect(text((await rejection("KAYA_CONFLICT", conflict)).key)).toBe("key");
    await engine.close();
  });
});

describe("read-modify-write", () => {
  it("of 64 writers that try again adds up", async () => {
    const engine = await Engine.open({}, new SimDisk());
    await Promise.all(
      Array.from({ length: 64 }, async (_, writer) => {
        for (let i = 0; i < 4; i++) {
          await increment(engine, "counter");
          await increment(engine, `counter ${writer % 8}`);
        }
      }),
    );
    expect(text(await engine.get("counter"))).toBe("256");
    for (let i = 0; i < 8; i++) expect(text(await engine.get(`counter ${i}`))).toBe("32");
    await engine.close();
  });

  it("of 64 writers adds up on a real disk, strict and relaxed", async () => {
    for (const durability of ["strict", "relaxed"] as const) {
      const engine = await Engine.open({ durability }, new NodeDisk(await directories.make()));
      await Promise.all(Array.from({ length: 64 }, () => increment(engine, "counter")));
      expect(text(await engine.get("counter"))).toBe("64");
      await engine.close();
    }
  });

  it("gives a name to one of all who want it", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const tries = Array.from({ length: 50 }, (_, i) =>
      engine.batch([put("name", `${i}`)], { conditions: [absent("name")] }),
    );
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(outcomes[0]?.status).toBe("fulfilled");
    await engine.close();
  });
});

const KEYS = ["a", "b", "c"] as const;
const key = fc.constantFrom(...KEYS);
const operation = fc.record({ key, isPut: fc.boolean() });
const step = fc.record({
  operations: fc.array(operation, { minLength: 1, maxLength: 3 }),
  /** Of each key: as the model has it, or as it had it some writes ago. */
  conditions: fc.array(fc.record({ key, isStale: fc.boolean() }), { maxLength: 2 }),
  strict: fc.boolean(),
  awaits: fc.boolean(),
});

describe("in any mix of batches under way", () => {
  it("each is written or not as if they were made one after the other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const engine = await Engine.open({ wal: { maxBatchBytes: 200 } }, new SimDisk());
        const model = new Map<string, number>();
        let sequence = 0;
        const underWay: Promise<void>[] = [];
        for (const { operations, conditions, strict, awaits } of steps) {
          const given = conditions.map(({ key, isStale }) => ({
            key,
            sequence: isStale ? Math.max(1, (model.get(key) ?? 2) - 1) : model.get(key),
          }));
          const holds = given.every((condition) => model.get(condition.key) === condition.sequence);
          const written = engine.batch(
            operations.map(({ key, isPut }) => (isPut ? put(key, "v") : { type: "delete", key })),
            { conditions: given, durability: strict ? "strict" : "relaxed" },
          );
          if (holds) {
            const first = sequence + 1;
            for (const { key, isPut } of operations) {
              sequence++;
              if (isPut) model.set(key, sequence);
              else model.delete(key);
            }
            underWay.push(written.then((result) => expect(result.sequence).toBe(first)));
          } else {
            underWay.push(rejection("KAYA_CONFLICT", written).then(() => undefined));
          }
          if (awaits) await underWay.at(-1);
        }
        await Promise.all(underWay);
        for (const name of KEYS) expect(engine.getEntrySync(name).sequence).toBe(model.get(name));
        await engine.close();
      }),
      { numRuns: 300 },
    );
  });
});

describe("conditions on keys that are in tables", () => {
  const CONFIG = {
    durability: "relaxed",
    memory: { memtableBytes: 4096, cacheBytes: 0 },
    tables: { blockBytes: 512, tableBytes: 2048, level0Tables: 2, quietMs: 0 },
  } as const;

  it.each([
    ["SimDisk", async () => new SimDisk()],
    ["SimDisk, whose operations take their time", async () => new SimDisk({ unhurried: true })],
    ["NodeDisk", async () => new NodeDisk(await directories.make())],
  ] as const)("are exact while flushes and compactions go on: %s", async (_, makeDisk) => {
    const engine = await Engine.open(CONFIG, await makeDisk());
    const counters = Array.from({ length: 5 }, (_, i) => `counter ${i}`);
    for (const key of counters) await engine.put(key, "0");
    for (let i = 0; i < 40; i++) await engine.put(`filler ${i}`, "x".repeat(100));
    let isOver = false;
    const shuffling = (async () => {
      for (let i = 0; !isOver; i++) {
        await (i % 4 === 3 ? engine.compact() : engine.flush());
        await nextTurn(); // where a disk needs none
      }
    })();
    const hasShuffled = () => {
      const { flushes, compactions } = engine.stats().tables;
      return flushes > 3 && compactions.merges > 0;
    };
    let increments = 0;
    await Promise.all(
      Array.from({ length: 12 }, async (_, writer) => {
        for (let i = 0; i < 15 || !hasShuffled(); i++) {
          await increment(engine, counters[(writer + i) % 5] ?? "");
          increments++;
        }
      }),
    );
    isOver = true;
    await shuffling;
    const sum = (await engine.getMany(counters)).reduce((total, value) => total + Number(text(value)), 0);
    expect(sum).toBe(increments);
    await engine.close();
  });

  it.each<[what: string, write: (engine: Engine) => Promise<unknown>]>([
    ["put", (engine) => engine.put("key", "2")],
    ["delete", (engine) => engine.delete("key")],
    ["clear", (engine) => engine.clear({ gte: "k" })],
    ["delete that a compaction lets go of", (engine) => engine.delete("key").then(() => engine.compact())],
  ])("hold against a table that is written while they are looked at: a %s", async (_, write) => {
    for (const flushes of [false, true]) {
      let isArmed = false;
      const isRead = (path: string) => isArmed && path.startsWith("sst/");
      const gate = holdUp(new SimDisk(), ({ kind, path }) => kind === "readAt" && isRead(path));
      const config = { memory: { cacheBytes: 0 }, tables: { autoFlush: false, autoCompact: false } };
      const engine = await Engine.open(config, gate.disk);
      const { sequence } = await engine.put("key", "1");
      await engine.flush();
      isArmed = true;
      const stale = engine.batch([put("key", "stale")], { conditions: [{ key: "key", sequence }] });
      const other = engine.batch([put("also", "1")], { conditions: [absent("also")] });
      const told = rejection("KAYA_CONFLICT", stale);
      await gate.held;
      isArmed = false;
      await write(engine);
      if (flushes) await engine.flush();
      gate.release();
      await told;
      await other;
      expect(text(await engine.get("key"))).not.toBe("stale");
      expect(text(await engine.get("also"))).toBe("1");
      await engine.close();
    }
  });

  it("may have their bytes changed once the call has returned", async () => {
    const engine = await Engine.open({ memory: { cacheBytes: 0 } }, new SimDisk());
    await engine.put("key", "1");
    await engine.flush();
    const [key, value] = [Buffer.from("key"), Buffer.from("2")];
    const batch = engine.batch([{ type: "put", key, value }], { conditions: [{ key, sequence: 1 }] });
    key.fill(0);
    value.fill(0);
    await batch;
    expect(await entriesOf(engine.scan())).toEqual([["key", "2"]]);
    await engine.close();
  });
});
