import { setImmediate as nextTurn } from "node:timers/promises";
import { EXPIRING, MergingCursor, PUT, TOMBSTONE } from "@kaya/lsm";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";

vi.setConfig({ testTimeout: 120_000 });

const KiB = 1024;
const MiB = 1024 * KiB;

/** Few in a chunk of the arena, many, and such as have a chunk for themselves. */
const valueLength = fc.oneof(
  fc.nat({ max: 100 }),
  fc.integer({ min: 900, max: 1000 }),
  fc.integer({ min: 55_000, max: 64 * KiB }),
  fc.integer({ min: 60_000, max: 72_000 }),
  { weight: 1, arbitrary: fc.integer({ min: 100 * KiB, max: 200 * KiB }) },
);

interface Change {
  readonly type: "put" | "expire" | "delete";
  readonly first: number;
  readonly count: number;
  readonly stride: number;
  readonly length: number;
  readonly fill: number;
  /** The values become the memtable's, without a copy. */
  readonly adopted: boolean;
  /** Of turns of the event loop behind it, in which the things of released snapshots are freed. */
  readonly turns: number;
  readonly snapshot: "none" | "take" | "release";
}

const change: fc.Arbitrary<Change> = fc.record({
  type: fc.constantFrom("put", "put", "expire", "delete"),
  first: fc.nat({ max: 120 }),
  count: fc.integer({ min: 1, max: 24 }),
  stride: fc.integer({ min: 1, max: 4 }),
  length: valueLength,
  fill: fc.nat({ max: 255 }),
  adopted: fc.boolean(),
  turns: fc.constantFrom(0, 0, 1, 3),
  snapshot: fc.constantFrom("none", "none", "none", "take", "release"),
});

/** Binary, and every seventh of them as long as a key may be. */
function keyOf(n: number): Buffer {
  const key = Buffer.alloc(n % 7 === 0 ? 4096 : 1 + (n % 5), n & 1 ? 0xff : 0x00);
  key[key.length - 1] = n;
  return Buffer.concat([key, Buffer.of(n >>> 8, n & 0xff)]);
}

type Model = Map<
  string,
  { readonly length: number; readonly fill: number; readonly expiresAt: number | undefined } | null
>;

/** When what expires does; the test reads before that. */
const LATER = 2 ** 40 + 3;

function expectHolds(view: MemtableSnapshot, model: Model): void {
  expect(view.size).toBe(model.size);
  const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  const cursor = new MergingCursor([view.run()], { showTombstones: true });
  let found = cursor.seekFirst();
  for (const [name, entry] of sorted) {
    const value = entry === null ? Buffer.of() : Buffer.alloc(entry.length, entry.fill);
    const got = view.get(Buffer.from(name, "latin1"), () => 0);
    const isRight =
      found === true &&
      Buffer.from(cursor.key).toString("latin1") === name &&
      cursor.kind === (entry === null ? TOMBSTONE : entry.expiresAt === undefined ? PUT : EXPIRING) &&
      (cursor.kind !== EXPIRING || cursor.expiresAt === entry?.expiresAt) &&
      value.equals(cursor.value) &&
      (entry === null ? got === null : value.equals(got ?? Buffer.of(1)));
    if (!isRight) expect.fail(`the entry ${JSON.stringify(name.slice(-3))} is wrong`);
    found = cursor.next();
  }
  expect(found).toBe(false);
}

async function run(changes: readonly Change[]): Promise<void> {
  const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
  const model: Model = new Map();
  const held: { view: MemtableSnapshot; expected: Model }[] = [];
  let sequence = 0;
  for (const { type, first, count, stride, length, fill, adopted, turns, snapshot } of changes) {
    const expiresAt = type === "expire" ? LATER : undefined;
    for (let i = 0; i < count; i++) {
      const key = keyOf(first + i * stride);
      const name = key.toString("latin1");
      if (type === "delete") table.delete(key, ++sequence);
      else table.put(key, new Uint8Array(Buffer.alloc(length, fill)), ++sequence, adopted, expiresAt);
      model.set(name, type === "delete" ? null : { length, fill, expiresAt });
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
  while (table.memory.pinned > 0) await nextTurn();
  table.audit();
}

test("values up to 200 KiB and keys up to 4 KiB are what they were, however memory is used again between changes", async () => {
  const changes = fc.array(change, { minLength: 10, maxLength: 60 });
  await fc.assert(fc.asyncProperty(changes, run), { numRuns: 25 });
});

test("a chunk in which everything was overwritten is used again from its beginning", () => {
  const table = new Memtable({ hashSecret: { low: 1, high: 2 } });
  let sequence = 0;
  const put = (name: string, length: number) =>
    table.put(Buffer.from(name), new Uint8Array(length).fill(length), ++sequence);
  // Four of them fill a chunk. Each round is of another length, so that no freed block fits.
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 8; i++) put(`${i}`, 60_000 - round * 2048);
    table.audit();
    expect(table.memory.allocated).toBeLessThan(1.5 * MiB);
  }
  for (let i = 0; i < 8; i++) {
    const length = 60_000 - 19 * 2048;
    expect(table.get(Buffer.from(`${i}`), () => 0)).toEqual(new Uint8Array(length).fill(length));
  }
});

test("a value that has a chunk for itself gives it back when it is overwritten", () => {
  const table = new Memtable();
  for (let i = 0; i < 1000; i++) table.put(Buffer.from("k"), new Uint8Array(100 * KiB + 8 * i), i + 1);
  expect(table.memory.allocated).toBeLessThan(MiB);
  table.delete(Buffer.from("k"), 2000);
  expect(table.usedBytes).toBeLessThan(KiB);
  table.audit();
});

test("a value that becomes the memtable's is not copied, counts as what it takes, and is let go when it is overwritten", () => {
  const table = new Memtable();
  const value = new Uint8Array(20 * KiB).fill(7);
  table.put(Buffer.from("k"), value, 1, true);
  const snapshot = table.snapshot();
  const cursor = new MergingCursor([snapshot.run()]);
  expect(cursor.seekFirst()).toBe(true);
  expect(cursor.value).toBe(value);
  expect(table.get(Buffer.from("k"), () => 0)).toEqual(value);
  expect(table.get(Buffer.from("k"), () => 0)).not.toBe(value);
  for (let i = 2; i < 1000; i++) table.put(Buffer.from("k"), new Uint8Array(20 * KiB + i), i, true);
  expect(cursor.value).toEqual(new Uint8Array(20 * KiB).fill(7));
  expect(table.usedBytes).toBeGreaterThan(40 * KiB);
  expect(table.memory.allocated).toBeLessThan(MiB);
  table.audit();
  snapshot.release();
  table.delete(Buffer.from("k"), 2000);
  expect(table.usedBytes).toBeLessThan(KiB);
  table.audit();
});

test("a value that expires and is not copied is there until its time, and gives back all that it took", () => {
  const table = new Memtable();
  const value = new Uint8Array(20 * KiB).fill(7);
  const key = Buffer.from("k");
  table.put(key, value, 1, true, LATER);
  expect(table.get(key, () => LATER - 1)).toEqual(value);
  expect(table.get(key, () => LATER)).toBe(null);
  expect(table.stateOf(key)).toEqual({ kind: EXPIRING, sequence: 1, expiresAt: LATER });
  expect([table.puts, table.expiring]).toEqual([1, 1]);
  table.audit();
  table.put(key, value, 2, true);
  expect(table.get(key, () => LATER)).toEqual(value);
  expect([table.puts, table.expiring]).toEqual([1, 0]);
  table.delete(key, 3);
  expect(table.usedBytes).toBeLessThan(KiB);
  table.audit();
});
