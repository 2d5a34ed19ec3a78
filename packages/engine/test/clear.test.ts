import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { changesToEnd, Replica } from "./support/feeds.js";
import { holdUp } from "./support/intercepted-disk.js";
import { entriesOf } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

const KEYS = Array.from({ length: 12 }, (_, i) => `key ${String.fromCharCode(97 + i)}`);
const anyKey = fc.constantFrom(...KEYS);

const anyWrite = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("put" as const), key: anyKey }) },
  fc.record({ type: fc.constant("delete" as const), key: anyKey }),
);

const anyRange = fc.record(
  { gte: anyKey, lt: anyKey, reverse: fc.boolean(), limit: fc.nat(8) },
  { requiredKeys: [] },
);

const anyBounds = fc.record({ gte: anyKey, lt: anyKey }, { requiredKeys: [] });
const anyStep = fc.oneof(
  { weight: 4, arbitrary: anyWrite },
  fc.record({
    type: fc.constant("batch" as const),
    writes: fc.array(
      fc.oneof(
        { weight: 5, arbitrary: anyWrite },
        fc.record({ type: fc.constant("clear" as const), range: anyBounds }),
      ),
      { minLength: 1, maxLength: 6 },
    ),
  }),
  fc.record({ type: fc.constant("clear" as const), range: anyRange }),
  fc.constant({ type: "settle" as const }),
);

type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
type Write = typeof anyWrite extends fc.Arbitrary<infer T> ? T : never;

/** What the writes mean, in the order of the calls. */
class Model {
  readonly entries = new Map<string, string>();

  write({ type, key }: Write, value: string): void {
    if (type === "put") this.entries.set(key, value);
    else this.entries.delete(key);
  }

  clear({ gte = "", lt = "z", reverse = false, limit = Number.POSITIVE_INFINITY }: Range): void {
    const keys = [...this.entries.keys()].filter((key) => key >= gte && key < lt).sort();
    if (reverse) keys.reverse();
    for (const key of keys.slice(0, limit)) this.entries.delete(key);
  }
}

type Range = { gte?: string; lt?: string; reverse?: boolean; limit?: number };

/** Calls the engine, and does not wait. */
function begin(engine: Engine, model: Model, step: Exclude<Step, { type: "settle" }>, value: string) {
  if (step.type === "clear") {
    model.clear(step.range);
    return engine.clear(step.range);
  }
  if (step.type === "batch") {
    for (const write of step.writes)
      if (write.type === "clear") model.clear(write.range);
      else model.write(write, value);
    return engine.batch(step.writes.map((write) => (write.type === "clear" ? write : { ...write, value })));
  }
  model.write(step, value);
  return step.type === "put" ? engine.put(step.key, value) : engine.delete(step.key);
}

describe("clear", () => {
  it("deletes what is there in the order of the calls, whatever is under way ahead of it or behind it", async () => {
    const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
      const engine = await Engine.open({ tables: { autoFlush: false } }, new SimDisk());
      const model = new Model();
      let underWay: Promise<unknown>[] = [];
      for (const [i, step] of steps.entries()) {
        if (step.type !== "settle") underWay.push(begin(engine, model, step, `${i}`));
        else await Promise.all(underWay.splice(0));
      }
      await Promise.all(underWay);
      underWay = [];
      expect(await entriesOf(engine.scan())).toEqual([...model.entries].sort(([a], [b]) => (a < b ? -1 : 1)));
      const replica = new Replica();
      for (const change of await changesToEnd(engine, engine.changes(), 0)) replica.apply(change);
      expect([...replica.entries].sort()).toEqual([...model.entries].sort());
      await engine.close();
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it("with a limit counts those that were called before it and are under way, also of keys in tables", async () => {
    const engine = await Engine.open(
      { memory: { cacheBytes: 0 }, tables: { autoFlush: false } },
      new SimDisk(),
    );
    for (const key of KEYS) await engine.put(key, "1");
    await engine.flush();
    await Promise.all([
      engine.clear({ limit: 1 }),
      engine.clear({ limit: 2 }),
      engine.put("key b", "2"),
      engine.clear({ limit: 2 }),
      engine.clear({ limit: 1, reverse: true }),
      engine.put("key e", "2"),
    ]);
    // a; b, c; b again, d; l; and e stays.
    expect((await entriesOf(engine.scan())).map(([key]) => key)).toEqual(KEYS.slice(4, -1));
    await engine.close();
  });

  it("with a limit counts what an earlier one deleted, also where that is written again behind both", async () => {
    const engine = await Engine.open({ tables: { autoFlush: false } }, new SimDisk());
    await Promise.all([
      engine.put("key d", "0"),
      engine.clear({ limit: 1 }), // d
      engine.put("key a", "2"),
      engine.put("key h", "2"),
      engine.clear({ limit: 2 }), // a and h
      engine.put("key d", "4"),
    ]);
    expect(await entriesOf(engine.scan())).toEqual([["key d", "4"]]);
    await engine.close();
  });

  it("with a limit leaves alone what is written while it looks for keys in the tables, also once that is in a table", async () => {
    for (const write of ["put", "delete and put", "clear and put"] as const) {
      const gate = holdUp(
        new SimDisk(),
        ({ kind, path }) => isArmed && kind === "readAt" && path.startsWith("sst/"),
      );
      let isArmed = false;
      const engine = await Engine.open(
        { memory: { cacheBytes: 0 }, tables: { autoFlush: false } },
        gate.disk,
      );
      for (const key of KEYS) await engine.put(key, "1");
      await engine.flush();
      isArmed = true;
      const clear = engine.clear({ limit: 3 });
      await gate.held;
      if (write === "delete and put") await engine.delete("key b");
      if (write === "clear and put") await engine.clear({ lte: "key b" });
      await engine.put("key b", "2");
      isArmed = false;
      await engine.flush();
      gate.release();
      await clear;
      const left = await entriesOf(engine.scan());
      expect(left[0]).toEqual(["key b", "2"]);
      expect(left.slice(1).map(([key]) => key)).toEqual(KEYS.slice(3));
      await engine.close();
    }
  });

  it("is one record with one sequence and one operation of the feed, of any range and anything in it", async () => {
    const engine = await Engine.open({ wal: { maxRecordBytes: 100 } }, new SimDisk());
    for (const key of KEYS) await engine.put(key, "1");
    const lsn = KEYS.length + 1;
    const start = Buffer.from("key b\0");
    expect(await engine.clear({ gt: "key b", lte: "key d\x7f", lt: "key e" })).toMatchObject({
      lsn,
      sequence: lsn,
    });
    expect(await engine.clear({ prefix: "key \x7f", reverse: true })).toMatchObject({ sequence: lsn + 1 });
    expect(await engine.clear()).toMatchObject({ lsn: lsn + 2, sequence: lsn + 2 });
    expect(await engine.clear({ gt: "b", lt: "a" })).toMatchObject({ lsn: lsn + 3, sequence: lsn + 3 });
    const operations: unknown[] = [];
    for await (const change of engine.changes()) {
      if (change.lsn >= lsn) operations.push(change.operations);
      if (change.lsn === engine.stats().lastLsn) break;
    }
    const range = (from: Buffer, to?: Buffer) => ({
      type: "deleteRange",
      start: Uint8Array.from(from),
      end: to && Uint8Array.from(to),
    });
    expect(operations).toEqual([
      [range(start, Buffer.from("key d\x7f\0"))],
      [range(Buffer.from("key \x7f"), Buffer.from("key \x80", "latin1"))],
      [range(Buffer.alloc(0))],
      [],
    ]);
    await engine.close();
  });

  it("stands in a batch, where what is put behind it is not hidden, also after the log was replayed", async () => {
    for (const more of [0, 2000]) {
      const disk = new SimDisk();
      const engine = await Engine.open({}, disk);
      await engine.batch(KEYS.map((key) => ({ type: "put", key, value: "1" })));
      const others = Array.from(
        { length: more },
        (_, i) => ({ type: "put", key: `other ${i}`, value: "" }) as const,
      );
      await engine.batch([
        { type: "put", key: "key a", value: "2" },
        { type: "clear", range: { prefix: "key ", gt: "key b" } },
        { type: "clear", range: { gt: "b", lt: "a" } },
        { type: "put", key: "key c", value: "2" },
        ...others,
      ]);
      const expected = [
        ["key a", "2"],
        ["key b", "1"],
        ["key c", "2"],
      ];
      expect(await entriesOf(engine.scan({ prefix: "key" }))).toEqual(expected);
      expect(await engine.getEntry("key c")).toMatchObject({ sequence: KEYS.length + 3 });
      await engine.close();
      const again = await Engine.open({}, disk);
      expect(await entriesOf(again.scan({ prefix: "key" }))).toEqual(expected);
      expect(again.stats().lastSequence).toBe(KEYS.length + 3 + more);
      await again.close();
    }
  });

  it("under way makes a key absent for a condition, and a put behind it gives it a sequence again", async () => {
    const engine = await Engine.open({}, new SimDisk());
    const { sequence } = await engine.put("a", "1");
    const put = [{ type: "put", key: "seen", value: "1" }] as const;
    const cleared = engine.clear({ prefix: "a" });
    const lost = engine.batch(put, { conditions: [{ key: "a", sequence }] });
    const won = engine.batch(put, { conditions: [{ key: "a", sequence: undefined }] });
    const again = engine.put("a", "2");
    const behind = engine.batch(put, { conditions: [{ key: "a", sequence: sequence + 3 }] });
    await expect(lost).rejects.toMatchObject({ code: "KAYA_CONFLICT" });
    await Promise.all([cleared, won, again, behind]);
    await engine.close();
  });

  it("is refused with a bound that is no key's, or with what a batch cannot do, before anything is written", async () => {
    const engine = await Engine.open({ limits: { maxKeyBytes: 4 } }, new SimDisk());
    const refused = { code: "KAYA_INVALID_ARGUMENT" };
    await engine.clear({ gt: "long", lte: "yyyy" });
    for (const range of [{ gt: "longe" }, { lte: "longe" }, { gte: "longer" }, { prefix: "longer" }]) {
      await expect(engine.clear(range)).rejects.toMatchObject(refused);
      await expect(engine.batch([{ type: "clear", range }])).rejects.toMatchObject(refused);
    }
    for (const range of [undefined, null, "a", { limit: 1 }, { reverse: true }, { from: "a" }, { gte: 1 }])
      for (const more of [0, 2000])
        await expect(
          engine.batch([
            { type: "clear", range } as never,
            ...Array.from({ length: more }, () => ({ type: "delete", key: "a" }) as const),
          ]),
        ).rejects.toMatchObject(refused);
    expect(engine.stats().lastLsn).toBe(1);
    await engine.close();
  });

  it("deletes in the range's order, in records that fit, with writes under way or without", async () => {
    for (const isUnderWay of [false, true]) {
      const engine = await Engine.open({ wal: { maxRecordBytes: 100 } }, new SimDisk());
      const puts = Promise.all(KEYS.map((key) => engine.put(key, "1")));
      if (!isUnderWay) await puts;
      await engine.clear({ reverse: true, limit: 7 });
      await puts;
      const deleted: string[] = [];
      for await (const { operations, lsn } of engine.changes()) {
        if (lsn > KEYS.length)
          deleted.push(
            ...operations.map((one) => ("key" in one ? Buffer.from(one.key).toString() : one.type)),
          );
        if (lsn === engine.stats().lastLsn) break;
      }
      expect(deleted).toEqual(KEYS.toReversed().slice(0, 7));
      await engine.close();
    }
  });
});
