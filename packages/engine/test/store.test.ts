import { SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Engine, type RangeOptions, type Snapshot } from "../src/index.js";
import { latin1 } from "./support/text.js";

vi.setConfig({ testTimeout: 120_000 });

/** Memtables of some entries, tables of some blocks, and levels of some tables: a hundred writes go through all of them. */
const TINY = {
  memory: { memtableBytes: 4096, cacheBytes: 8192 },
  tables: {
    tableBytes: 2048,
    blockBytes: 512,
    level0Tables: 2,
    level0Stop: 4,
    baseLevelBytes: 4096,
    levelRatio: 2,
    quietMs: 0,
  },
} as const;

type Model = Map<string, string>;

type Step =
  | { readonly do: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly do: "delete"; readonly key: Uint8Array }
  | { readonly do: "batch"; readonly keys: readonly Uint8Array[]; readonly value: Uint8Array }
  | { readonly do: "clear"; readonly range: RangeOptions }
  | { readonly do: "flush" | "compact" | "reopen" | "hold" | "release" | "look" };

const key = fc.oneof(
  fc.uint8Array({ minLength: 0, maxLength: 2, max: 3 }),
  fc.uint8Array({ minLength: 0, maxLength: 3 }),
  fc.integer({ min: 0, max: 40 }).map((n) => Buffer.from(`key-${String(n).padStart(4, "0")}`)),
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1000, max: 6000 }).map((n) => new Uint8Array(n).fill(n)) },
);
const range: fc.Arbitrary<RangeOptions> = fc
  .tuple(key, key, fc.constantFrom("all", "gt", "gte-lt", "lte", "gt-lte"))
  .map(([a, b, shape]) => {
    const [low, high] = Buffer.compare(a, b) <= 0 ? [a, b] : [b, a];
    if (shape === "all") return {};
    if (shape === "gt") return { gt: low };
    if (shape === "lte") return { lte: high };
    return shape === "gte-lt" ? { gte: low, lt: high } : { gt: low, lte: high };
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constant("put" as const), key, value }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("batch" as const),
      keys: fc.array(key, { minLength: 1, maxLength: 12 }),
      value,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("clear" as const), range }) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom("flush", "flush", "compact", "reopen", "hold", "release", "look", "look")
      .map((what) => ({ do: what }) as Step),
  },
);

interface Held {
  readonly snapshot: Snapshot;
  readonly model: Model;
}

describe("a sorted map and a store with tiny memtables and tables say the same", () => {
  test("in both directions, point by point, and in snapshots held across flushes and compactions", async () => {
    let tables = 0;
    let merges = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 160 }), async (steps) => {
        const disk = new SimDisk();
        let engine = await Engine.open(TINY, disk);
        let model: Model = new Map();
        const held: Held[] = [];
        for (const each of steps) {
          switch (each.do) {
            case "put":
              await engine.put(each.key, each.value, { durability: "relaxed" });
              model.set(latin1(each.key), latin1(each.value));
              break;
            case "delete":
              await engine.delete(each.key, { durability: "relaxed" });
              model.delete(latin1(each.key));
              break;
            case "batch":
              await engine.batch(each.keys.map((one) => ({ type: "put", key: one, value: each.value })));
              for (const one of each.keys) model.set(latin1(one), latin1(each.value));
              break;
            case "clear":
              await engine.clear(each.range);
              for (const one of keysIn(model, each.range)) model.delete(one);
              break;
            case "flush":
              await engine.flush();
              break;
            case "compact":
              await engine.compact();
              break;
            case "reopen":
              for (const { snapshot } of held.splice(0)) snapshot.close();
              await engine.close();
              engine = await Engine.open(TINY, disk);
              break;
            case "hold":
              held.push({ snapshot: engine.snapshot(), model: new Map(model) });
              break;
            case "release":
              held.shift()?.snapshot.close();
              break;
            case "look":
              await expectSame(engine, model);
              expect(await engine.count()).toBe(model.size);
          }
        }
        await expectSame(engine, model);
        for (const { snapshot, model: then } of held) {
          await expectSame(snapshot, then);
          snapshot.close();
        }
        const { flushes, compactions } = engine.stats().tables;
        tables += flushes;
        merges += compactions.merges;
        model = new Map(model);
        await engine.close();
        const again = await Engine.open(TINY, disk);
        await expectSame(again, model);
        await again.close();
      }),
      { numRuns: 50 },
    );
    // Otherwise it looked at memtables alone.
    expect(tables).toBeGreaterThan(150);
    expect(merges).toBeGreaterThan(40);
  });
});

async function expectSame(
  view: Pick<Engine, "scan" | "get" | "getSync"> | Snapshot,
  model: Model,
): Promise<void> {
  const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  await expectEntries(view, {}, expected);
  await expectEntries(view, { reverse: true }, expected.toReversed());
  const middle = expected[expected.length >> 1]?.[0];
  if (middle !== undefined) {
    const from = { gt: Buffer.from(middle, "latin1"), limit: 3 };
    await expectEntries(view, from, expected.slice((expected.length >> 1) + 1).slice(0, 3));
    const upTo = expected.slice(0, (expected.length >> 1) + 1).toReversed();
    await expectEntries(view, { lte: from.gt, reverse: true }, upTo);
  }
  for (const name of [...model.keys(), "key-0003", "\x01\x02", "absent"]) {
    const bytes = Buffer.from(name, "latin1");
    const value = model.get(name);
    // Not with `expect`, which takes longer than what it looks at.
    if (textOf(view.getSync(bytes)) !== value)
      expect(textOf(view.getSync(bytes)), `getSync ${name}`).toBe(value);
    const found = textOf(await view.get(bytes));
    if (found !== value) expect(found, `get ${name}`).toBe(value);
  }
}

async function expectEntries(
  view: Pick<Engine, "scan">,
  range: RangeOptions,
  expected: (readonly [string, string])[],
): Promise<void> {
  const entries = await read(view, range);
  if (JSON.stringify(entries) !== JSON.stringify(expected)) expect(entries).toEqual(expected);
}

async function read(view: Pick<Engine, "scan">, range: RangeOptions): Promise<(readonly [string, string])[]> {
  const entries: (readonly [string, string])[] = [];
  for await (const page of view.scan(range).pages(7))
    entries.push(...page.map((entry) => [latin1(entry.key), latin1(entry.value)] as const));
  return entries;
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value && latin1(value);
}

function keysIn(model: Model, { gt, gte, lt, lte }: RangeOptions): string[] {
  const bound = (bytes: RangeOptions["gt"]) => bytes && latin1(bytes as Uint8Array);
  const [above, from, below, upTo] = [bound(gt), bound(gte), bound(lt), bound(lte)];
  return [...model.keys()].filter(
    (name) =>
      (above === undefined || name > above) &&
      (from === undefined || name >= from) &&
      (below === undefined || name < below) &&
      (upTo === undefined || name <= upTo),
  );
}
