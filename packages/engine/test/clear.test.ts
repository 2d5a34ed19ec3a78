import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Engine } from "../src/index.js";
import { entriesOf } from "./support/text.js";

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

const anyStep = fc.oneof(
  { weight: 4, arbitrary: anyWrite },
  fc.record({
    type: fc.constant("batch" as const),
    writes: fc.array(anyWrite, { minLength: 1, maxLength: 6 }),
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
    for (const write of step.writes) model.write(write, value);
    return engine.batch(step.writes.map(({ type, key }) => ({ type, key, value })));
  }
  model.write(step, value);
  return step.type === "put" ? engine.put(step.key, value) : engine.delete(step.key);
}

describe("clear", () => {
  it("deletes what is there in the order of the calls, whatever is under way ahead of it or behind it", async () => {
    const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
      const engine = await Engine.open({ checkpoint: { auto: false } }, new SimDisk());
      const model = new Model();
      let underWay: Promise<unknown>[] = [];
      for (const [i, step] of steps.entries()) {
        if (step.type !== "settle") underWay.push(begin(engine, model, step, `${i}`));
        else await Promise.all(underWay.splice(0));
      }
      await Promise.all(underWay);
      underWay = [];
      expect(await entriesOf(engine.scan())).toEqual([...model.entries].sort(([a], [b]) => (a < b ? -1 : 1)));
      await engine.close();
    });
    await fc.assert(property, { numRuns: 200 });
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
        if (lsn > KEYS.length) deleted.push(...operations.map(({ key }) => Buffer.from(key).toString()));
        if (lsn === engine.stats().lastLsn) break;
      }
      expect(deleted).toEqual(KEYS.toReversed().slice(0, 7));
      await engine.close();
    }
  });
});
