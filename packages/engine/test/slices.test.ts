import { type Disk, SimDisk } from "@kaya/io";
import { LsmTree } from "@kaya/lsm";
import { decodeRecord, EncodedOperations, encodeRecord } from "@kaya/wal";
import { describe, expect, it, vi } from "vitest";
import { AppliedLog } from "../src/apply.js";
import { type BatchOperation, Engine, type Turns } from "../src/index.js";
import { Store } from "../src/store/store.js";
import { bytes, entriesOf, latin1, rejection } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const SLICE = 10;
/** Above what a decoded batch makes at once. */
const MANY = 400;

/** Turns that are counted, and come when they are let. */
class HeldTurns implements Turns {
  readonly operations = SLICE;
  count = 0;
  isHeld = false;
  #go: () => void = () => undefined;
  #arrived: () => void = () => undefined;

  next = async (): Promise<void> => {
    this.count++;
    this.#arrived();
    if (!this.isHeld) return;
    this.isHeld = false; // of what others do meanwhile the turns come
    await new Promise<void>((resolve) => {
      this.#go = resolve;
    });
  };

  /** Holds the next turn, and resolves when it is asked for. */
  hold(): Promise<void> {
    this.isHeld = true;
    return new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  letGo(): void {
    this.isHeld = false;
    this.#go();
  }
}

const key = (i: number) => `key ${String(i).padStart(4, "0")}`;
const puts = (count: number, value: string): BatchOperation[] =>
  Array.from({ length: count }, (_, i) => ({ type: "put", key: key(i), value }));

const open = (turns: Turns, disk: Disk = new SimDisk()) =>
  Engine.open({ tables: { autoFlush: false } }, disk, { turns });

/** An engine with `MANY` entries that are "old", and a batch that makes them "new", of which some slices are in. */
async function halfWay(durability: "strict" | "relaxed" = "strict", disk: Disk = new SimDisk()) {
  const turns = new HeldTurns();
  const engine = await open(turns, disk);
  await engine.batch(puts(MANY, "old"));
  const held = turns.hold();
  const batch = engine.batch(
    [...puts(MANY, "new"), { type: "delete", key: key(1) }, { type: "put", key: "added", value: "1" }],
    { durability },
  );
  await held;
  return { engine, turns, batch };
}

const textOf = (value: Uint8Array | undefined) => value && latin1(value);

describe("a large batch", () => {
  it.each(["strict", "relaxed"] as const)(
    "is applied in slices, and readers see nothing of it before all of it is in (%s)",
    async (durability) => {
      const { engine, turns, batch } = await halfWay(durability);
      let isSettled = false;
      void batch.then(() => {
        isSettled = true;
      });
      for (const i of [0, 1, MANY - 1]) expect(textOf(engine.getSync(key(i)))).toBe("old");
      expect(await engine.has("added")).toBe(false);
      expect((await engine.getEntry(key(0))).sequence).toBe(1);
      expect(engine.stats()).toMatchObject({ lastLsn: 2 });
      const snapshot = engine.snapshot();
      const scan = engine.scan();
      expect(isSettled).toBe(false);

      turns.letGo();
      await batch;
      expect(turns.count).toBeGreaterThanOrEqual(MANY / SLICE);
      expect(textOf(engine.getSync(key(0)))).toBe("new");
      expect(await engine.has(key(1))).toBe(false);
      expect(await engine.has("added")).toBe(true);
      expect(await engine.count()).toBe(MANY);
      // What was taken meanwhile shows what there was then.
      const found = await entriesOf(scan);
      expect(found.map(([, value]) => value)).toEqual(Array(MANY).fill("old"));
      expect(textOf(await snapshot.get(key(0)))).toBe("old");
      snapshot.close();
      expect(engine.stats().memtable.snapshots.open).toBe(0);
      await engine.close();
    },
  );

  it("counts whole for conditions and for writes behind it", async () => {
    const { engine, turns, batch } = await halfWay();
    const wrong = engine.batch([{ type: "put", key: "x", value: "1" }], {
      conditions: [{ key: key(0), sequence: 1 }],
    });
    const gone = engine.batch([{ type: "put", key: "y", value: "1" }], {
      conditions: [{ key: key(1), sequence: undefined }],
    });
    const last = engine.batch([{ type: "put", key: "z", value: "1" }], {
      conditions: [{ key: key(MANY - 1), sequence: 2 * MANY }],
    });
    const behind = engine.put(key(2), "newest");
    const told = rejection("KAYA_CONFLICT", wrong);
    turns.letGo();
    await told;
    await Promise.all([batch, gone, last, behind]);
    expect(textOf(engine.getSync(key(2)))).toBe("newest");
    await engine.close();
  });

  it("is in a flush or backup whole or not at all, and in none ahead of its position", async () => {
    const { engine, turns, batch } = await halfWay();
    const target = new SimDisk();
    expect((await engine.backup(target)).lsn).toBe(1);
    const flush = engine.flush();
    turns.letGo();
    await batch;
    expect(await flush).toMatchObject({ lsn: 2, entries: MANY + 1 }); // and a tombstone;
    await engine.close();
    const copy = await Engine.open({}, target);
    expect(textOf(copy.getSync(key(0)))).toBe("old");
    await copy.close();
  });

  it("comes to those who follow once it can be read, and behind a token that was taken before", async () => {
    const { engine, turns, batch } = await halfWay();
    const feed = engine.changes();
    expect((await feed.next()).value?.lsn).toBe(1);
    let isTold = false;
    const next = feed.next().then((result) => {
      isTold = true;
      return result;
    });
    const token = engine.changesToken();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isTold).toBe(false);
    turns.letGo();
    await batch;
    expect((await next).value).toMatchObject({ lsn: 2 });
    const after = await engine.put("after", "1");
    for await (const { lsn } of engine.changes({ since: await token })) {
      expect(lsn).toBe(after.lsn);
      break;
    }
    await engine.close();
  });

  it("is replayed in slices too", async () => {
    const disk = new SimDisk();
    const first = await open(new HeldTurns(), disk);
    await first.batch(puts(MANY, "a"));
    await first.put("between", "1");
    await first.batch(puts(MANY, "b"));
    await first.close();
    const turns = new HeldTurns();
    const engine = await open(turns, disk);
    expect(turns.count).toBeGreaterThanOrEqual((2 * MANY) / SLICE - 2);
    expect(engine.lastRecovery.recordCount).toBe(3);
    expect(engine.stats()).toMatchObject({ entries: MANY + 1, lastSequence: 2 * MANY + 1 });
    expect(textOf(engine.getSync(key(7)))).toBe("b");
    await engine.close();
  });

  it("and many small ones are replayed in slices as it is, and a flush leaves nothing to replay", async () => {
    const disk = new SimDisk();
    const first = await open(new HeldTurns(), disk);
    for (let i = 0; i < MANY; i += 5) await first.batch(puts(MANY, "a").slice(i, i + 5));
    await first.close();
    const ofLog = new HeldTurns();
    const second = await open(ofLog, disk);
    expect(ofLog.count).toBe(MANY / SLICE);
    expect(second.lastRecovery.recordCount).toBe(MANY / 5);
    await second.flush();
    await second.close();
    const ofTables = new HeldTurns();
    const third = await open(ofTables, disk);
    expect(ofTables.count).toBe(0);
    expect(third.stats().entries).toBe(MANY);
    expect(textOf(third.getSync(key(MANY - 1)))).toBe("a");
    await third.close();
  });

  it("that cannot be applied whole is not seen at all, and the log has it", async () => {
    const store = new Store();
    const memtable = store.active;
    const applied = new AppliedLog(await withTables(store), undefined, new HeldTurns());
    await applied.commit(record(1, 1, puts(MANY, "old")));
    const before = applied.position;
    const apply = memtable.put.bind(memtable);
    memtable.put = (...[name, value, sequence]) => {
      if (latin1(name) === key(MANY - 5)) throw new RangeError("Array buffer allocation failed");
      apply(name, value, sequence);
    };
    await expect(applied.commit(record(2, MANY + 1, puts(MANY, "new")))).rejects.toThrow("allocation");
    expect(textOf(applied.view.getSync(bytes(key(0))))).toBe("old");
    expect(applied.position).toEqual(before);
  });

  it("nor is a small one: reads say so instead", async () => {
    const store = new Store();
    const memtable = store.active;
    const applied = new AppliedLog(await withTables(store));
    memtable.delete = () => {
      throw new RangeError("Array buffer allocation failed");
    };
    const half: BatchOperation[] = [...puts(2, "new"), { type: "delete", key: key(0) }];
    expect(() => applied.commit(record(1, 1, half))).toThrow("allocation");
    expect(() => applied.view).toThrow("open the engine again");
    expect(() => applied.snapshot()).toThrow("open the engine again");
  });
});

async function withTables(store: Store): Promise<Store> {
  store.attach(await LsmTree.open(new SimDisk(), {}));
  return store;
}

/** As it comes out of the log. */
function record(lsn: number, sequence: number, operations: BatchOperation[]) {
  const encoded = operations.map((operation) => {
    if (operation.type === "clear") throw new Error("there is none here");
    return operation.type === "put"
      ? { type: "put" as const, key: bytes(`${operation.key}`), value: bytes(`${operation.value}`) }
      : { type: "delete" as const, key: bytes(`${operation.key}`) };
  });
  const result = decodeRecord(
    encodeRecord({ lsn, sequence, payload: { type: "batch", operations: encoded } }),
  );
  if (result.status !== "complete") throw new Error("the record is whole");
  const { payload } = result.record;
  if (encoded.length > 128 && payload.type === "batch")
    expect(payload.operations).toBeInstanceOf(EncodedOperations);
  return result.record;
}

describe("a change of many operations", () => {
  it("is copied over several turns, and comes whole and in its place", async () => {
    const turns = new HeldTurns();
    const engine = await open(turns);
    await engine.batch(puts(MANY, "a"));
    await engine.put("behind", "1");
    const before = turns.count;
    const feed = engine.changes();
    const held = turns.hold();
    const both = Promise.all([feed.next(), feed.next()]);
    await held;
    turns.letGo();
    const [large, small] = await both;
    expect(turns.count - before).toBe(MANY / SLICE - 1);
    expect(large.value?.operations.map((operation) => "key" in operation && latin1(operation.key))).toEqual(
      Array.from({ length: MANY }, (_, i) => key(i)),
    );
    expect([large.value?.lsn, small.value?.lsn]).toEqual([1, 2]);
    await engine.close();
  });
});

describe("getMany", () => {
  it("reads many keys over several turns, as of one point in time", async () => {
    const turns = new HeldTurns();
    const engine = await open(turns);
    await engine.batch(puts(MANY, "old"));
    const before = turns.count;
    const held = turns.hold();
    const values = engine.getMany([...Array.from({ length: MANY }, (_, i) => key(i)), "absent"]);
    await held;
    const overwritten = engine.put(key(MANY - 1), "new");
    await overwritten;
    turns.letGo();
    expect((await values).map(textOf)).toEqual([...Array(MANY).fill("old"), undefined]);
    expect(turns.count - before).toBe(MANY / SLICE);
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    await rejection("KAYA_INVALID_ARGUMENT", engine.getMany([...Array(SLICE + 5).fill("a"), 7 as never]));
    expect(engine.stats().memtable.snapshots.open).toBe(0);
    await engine.close();
  });
});

describe("the event loop", () => {
  it("goes on while a large range is cleared and counted, scanned and flushed, and all of that is one record, or none", async () => {
    const engine = await Engine.open(
      { tables: { autoFlush: false, quietMs: 0 }, memory: { cacheBytes: 0 } },
      new SimDisk(),
    );
    const count = 100_000;
    const puts: BatchOperation[] = Array.from({ length: count }, (_, i) => ({
      type: "put",
      key: `key ${i}`,
      value: "x",
    }));
    await engine.batch(puts, { durability: "relaxed" });
    const longest = async (work: () => Promise<unknown>) => {
      let isOver = false;
      let most = 0;
      const watching = (async () => {
        for (let last = process.cpuUsage(); !isOver; ) {
          await new Promise((resolve) => setImmediate(resolve));
          const { user, system } = process.cpuUsage(last);
          last = process.cpuUsage();
          most = Math.max(most, (user + system) / 1000);
        }
      })();
      await work();
      isOver = true;
      await watching;
      return most;
    };
    const turns = {
      flush: await longest(() => engine.flush()),
      count: await longest(async () => expect(await engine.count()).toBe(count)),
      scan: await longest(async () => {
        for await (const _ of engine.scan().pages(256));
      }),
      clear: await longest(() => engine.clear()),
      compact: await longest(() => engine.compact()),
    };
    // Of the processor's time, so that a busy machine does not count: a collection of garbage may be among it.
    for (const [what, ms] of Object.entries(turns)) expect(ms, what).toBeLessThan(150);
    expect(engine.stats()).toMatchObject({ lastLsn: 2, lastSequence: count + 1 });
    expect(await engine.count()).toBe(0);
    expect(engine.stats().tables.tables).toBe(0);
    await engine.close();
  });

  it("is not held up by a clear of half a million keys: one record of some bytes, at once, whether they are in tables or in memory", async () => {
    const engine = await Engine.open({ tables: { autoFlush: false, autoCompact: false } }, new SimDisk());
    const half = 250_000;
    const putsFrom = (from: number): BatchOperation[] =>
      Array.from({ length: half }, (_, i) => ({ type: "put", key: `key ${from + i}`, value: "x" }));
    await engine.batch(putsFrom(0), { durability: "relaxed" });
    await engine.flush();
    await engine.batch(putsFrom(half), { durability: "relaxed" });
    const { bytes } = engine.stats().wal;
    const before = process.cpuUsage();
    await engine.clear({ prefix: "key " });
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(50);
    expect(engine.stats().wal.bytes - bytes).toBeLessThan(100);
    for (const i of [0, half - 1, half, 2 * half - 1]) expect(engine.getSync(`key ${i}`)).toBe(undefined);
    await engine.close();
  });
});
