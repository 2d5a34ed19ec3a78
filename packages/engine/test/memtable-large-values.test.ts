import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";

vi.setConfig({ testTimeout: 120_000 });

const KiB = 1024;

/** Few in a chunk of the arena, many, and such as have a chunk for themselves. */
const valueLength = fc.oneof(
  fc.nat({ max: 100 }),
  fc.integer({ min: 900, max: 1000 }),
  fc.integer({ min: 55_000, max: 64 * KiB }),
  fc.integer({ min: 60_000, max: 72_000 }),
  { weight: 1, arbitrary: fc.integer({ min: 100 * KiB, max: 200 * KiB }) },
);

interface Change {
  readonly type: "put" | "delete";
  readonly first: number;
  readonly count: number;
  readonly stride: number;
  readonly length: number;
  readonly fill: number;
  /** Of turns of the event loop behind it, in which memory is reclaimed. */
  readonly turns: number;
  readonly snapshot: "none" | "take" | "release";
}

const change: fc.Arbitrary<Change> = fc.record({
  type: fc.constantFrom("put", "put", "delete"),
  first: fc.nat({ max: 120 }),
  count: fc.integer({ min: 1, max: 24 }),
  stride: fc.integer({ min: 1, max: 4 }),
  length: valueLength,
  fill: fc.nat({ max: 255 }),
  turns: fc.constantFrom(0, 0, 1, 3),
  snapshot: fc.constantFrom("none", "none", "none", "take", "release"),
});

/** Binary, and every seventh of them as long as a key may be. */
function keyOf(n: number): Buffer {
  const key = Buffer.alloc(n % 7 === 0 ? 4096 : 1 + (n % 5), n & 1 ? 0xff : 0x00);
  key[key.length - 1] = n;
  return Buffer.concat([key, Buffer.of(n >>> 8, n & 0xff)]);
}

type Model = Map<string, { readonly length: number; readonly fill: number }>;

function expectHolds(view: MemtableSnapshot, model: Model): void {
  expect(view.size).toBe(model.size);
  const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  const reader = view.entries();
  for (const [name, { length, fill }] of sorted) {
    const [entry] = reader.read(1);
    const isRight =
      entry !== undefined &&
      Buffer.from(entry.key).toString("latin1") === name &&
      Buffer.alloc(length, fill).equals(entry.value) &&
      Buffer.alloc(length, fill).equals(view.get(Buffer.from(name, "latin1")) ?? Buffer.of(1));
    if (!isRight) expect.fail(`the entry ${JSON.stringify(name.slice(-3))} is wrong`);
  }
  expect(reader.read(1)).toEqual([]);
}

async function run(changes: readonly Change[]): Promise<void> {
  const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
  const model: Model = new Map();
  const held: { view: MemtableSnapshot; expected: Model }[] = [];
  let sequence = 0;
  for (const { type, first, count, stride, length, fill, turns, snapshot } of changes) {
    for (let i = 0; i < count; i++) {
      const key = keyOf(first + i * stride);
      const name = key.toString("latin1");
      if (type === "delete") expect(table.delete(key, ++sequence)).toBe(model.delete(name));
      else {
        table.put(key, Buffer.alloc(length, fill), ++sequence);
        model.set(name, { length, fill });
      }
    }
    if (snapshot === "take") held.push({ view: table.snapshot(), expected: new Map(model) });
    if (snapshot === "release") held.shift()?.view.release();
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    table.audit();
  }
  for (const { view, expected } of held) {
    expectHolds(view, expected);
    view.release();
  }
  const now = table.snapshot();
  expectHolds(now, model);
  now.release();
  for (const name of model.keys()) table.delete(Buffer.from(name, "latin1"), ++sequence);
  for (let turn = 0; turn < 50; turn++) await nextTurn();
  table.audit();
  expect(table.memory).toMatchObject({ records: 0, pinned: 0 });
}

test("values up to 200 KiB and keys up to 4 KiB are what they were, however memory is reclaimed between changes", async () => {
  const changes = fc.array(change, { minLength: 10, maxLength: 60 });
  await fc.assert(fc.asyncProperty(changes, run), { numRuns: 40 });
}, 60_000);

test("a chunk that was given back while it was emptied, and is used again, is not emptied further", () => {
  const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
  let sequence = 0;
  const put = (name: string, length: number, fill = 1) =>
    table.put(Buffer.from(name), Buffer.alloc(length, fill), ++sequence);
  const remove = (name: string) => expect(table.delete(Buffer.from(name), ++sequence)).toBe(true);
  const small = (chunk: number, i: number) => `c${chunk}s${String(i).padStart(2, "0")}`;
  const dead: string[] = [];
  for (let chunk = 1; chunk <= 5; chunk++) {
    for (let i = 0; i < 4; i++) {
      put(`c${chunk}b${i}`, 59_980);
      if (chunk === 1 ? i > 0 : i === 3) dead.push(`c${chunk}b${i}`);
    }
    for (let i = 0; i < 20; i++) put(small(chunk, i), 950);
  }
  for (let i = 0; i < 3; i++) put(`open${i}`, 59_980);
  for (let i = 0; i < 20; i++) remove(small(1, i));
  for (const name of dead) remove(name);
  // With each of these some of the first chunk is moved away, until nothing is left in it.
  for (let i = 0; i < 55; i++) remove(small(2 + Math.floor(i / 20), i % 20));
  put("new", 65_000, 0x80);
  put("other", 10);
  table.audit();
  expect(table.get(Buffer.from("new"))).toEqual(new Uint8Array(65_000).fill(0x80));
});
