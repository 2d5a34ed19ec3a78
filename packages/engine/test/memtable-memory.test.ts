import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { hashKey } from "../src/memtable/hash.js";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";

// They count; how long that takes depends on what else the machine does.
vi.setConfig({ testTimeout: 120_000 });

const SEED = 7;

function numbered(n: number): Uint8Array {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setUint32(12, Math.imul(n, 0x9e3779b1));
  return key;
}

/** Of a length that differs from one write of a key to the next. */
function valueFor(n: number): Uint8Array {
  return new Uint8Array(80 + (n % 41)).fill(n);
}

/** What a table takes that was only ever given these keys. */
function memoryOfFresh(keys: Iterable<number>): number {
  const table = new Memtable({ hashSeed: SEED });
  let sequence = 0;
  for (const n of keys) table.put(numbered(n), valueFor(n), ++sequence);
  return table.memory.allocated;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** The work that is left for turns in which nothing else is done. */
async function whenIdle(): Promise<void> {
  for (let i = 0; i < 2000; i++) await new Promise((resolve) => setImmediate(resolve));
}

const keysIn = (view: MemtableSnapshot): number => view.entries().readKeys(Number.POSITIVE_INFINITY).length;

describe("memory follows the live data", () => {
  const limit = 1.5 * memoryOfFresh(range(0, 20_000));

  test("through 300,000 overwrites of 20,000 keys, at all times", () => {
    const table = new Memtable({ hashSeed: SEED });
    let most = 0;
    for (let i = 0; i < 300_000; i++) {
      table.put(numbered((i * 48_271) % 20_000), valueFor(i), i + 1);
      if (i % 1000 === 0) most = Math.max(most, table.memory.allocated);
    }
    table.audit();
    expect(table.size).toBe(20_000);
    expect(most).toBeLessThan(limit);
  });

  test("through waves of inserts and deletes", async () => {
    const table = new Memtable({ hashSeed: SEED });
    let sequence = 0;
    for (const wave of [0, 1, 2]) {
      for (const n of range(0, 100_000)) table.put(numbered(n), valueFor(n + wave), ++sequence);
      for (const n of range(0, 100_000)) if (n % 5 !== wave) table.delete(numbered(n), ++sequence);
    }
    await whenIdle();
    table.audit();
    expect(table.size).toBe(20_000);
    expect(table.memory.allocated).toBeLessThan(limit);
  });

  test("down to nothing", () => {
    const table = new Memtable({ hashSeed: SEED });
    for (const n of range(0, 100_000)) table.put(numbered(n), valueFor(n), n + 1);
    for (const n of range(0, 100_000)) table.delete(numbered(n), 100_001 + n);
    table.audit();
    expect(table.memory.records).toBe(0);
    expect(table.memory.allocated).toBeLessThan(3 * 2 ** 20);
  });
});

describe("what a snapshot pins", () => {
  function filled(): Memtable {
    const table = new Memtable({ hashSeed: SEED });
    for (const n of range(0, 50_000)) table.put(numbered(n), valueFor(n), n + 1);
    return table;
  }

  test("is kept while everything else is deleted and compacted, and goes when it is released", async () => {
    const table = filled();
    const before = table.snapshot();
    let sequence = 50_000;
    for (const n of range(0, 50_000)) table.put(numbered(n), valueFor(n + 1), ++sequence);
    for (const n of range(0, 50_000)) if (n % 100 > 0) table.delete(numbered(n), ++sequence);
    await whenIdle();
    table.audit();
    expect([before.size, keysIn(before)]).toEqual([50_000, 50_000]);
    for (const n of [0, 1, 49_999]) expect(before.get(numbered(n))).toEqual(valueFor(n));
    expect(table.memory.pinned).toBeGreaterThan(50_000 * 100);
    before.release();
    before.release();
    await whenIdle();
    table.audit();
    expect(table.memory).toMatchObject({ pinned: 0, snapshots: 0 });
    expect(table.memory.allocated).toBeLessThan(1.5 * memoryOfFresh(range(0, 500)) + 2 ** 20);
  });

  test("is only what it sees: a long one does not keep what came and went after it", async () => {
    const table = filled();
    const long = table.snapshot();
    let sequence = 50_000;
    for (let round = 0; round < 300; round++) {
      for (const n of range(0, 100)) table.put(numbered(n), valueFor(round), ++sequence);
      const short = table.snapshot();
      expect(short.get(numbered(99))).toEqual(valueFor(round));
      if (round % 2 === 0) short.release();
      else void Promise.resolve().then(() => short.release());
      await undefined;
    }
    await whenIdle();
    // A hundred records and the nodes above them; 30,000 records came and went.
    expect(table.memory.pinned).toBeLessThan(100 * 200 + 300 * 800);
    expect(long.get(numbered(99))).toEqual(valueFor(99));
    table.audit();
  });

  test("is nothing while nothing is written: snapshots of one moment are one", () => {
    const table = filled();
    const views = range(0, 1000).map(() => table.snapshot());
    expect(table.memory).toMatchObject({ pinned: 0, snapshots: 1 });
    for (const view of views) view.release();
    expect(table.memory.snapshots).toBe(0);
  });

  test("goes too when the snapshot was dropped without being released", async () => {
    const table = filled();
    (() => void table.snapshot())();
    table.put(numbered(1), valueFor(5), 60_000);
    expect(table.memory.snapshots).toBe(1);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    while (table.memory.snapshots > 0) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await whenIdle();
    expect(table.memory).toMatchObject({ snapshots: 0, pinned: 0 });
  });
});

/** Keys of eight bytes that all have one hash: the second half undoes what the first did. */
function collidingKeys(count: number): Uint8Array[] {
  const inverse = (odd: number): number => {
    let x = odd;
    for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
    return x;
  };
  const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
  const scramble = (word: number): number => Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  const unscramble = (word: number): number =>
    Math.imul(rotate(Math.imul(word, inverse(0x1b873593)), 17), inverse(0xcc9e2d51));
  return range(0, count).map((n) => {
    const afterFirst = (Math.imul(rotate(SEED ^ scramble(n), 13), 5) + 0xe6546b64) | 0;
    const key = new DataView(new ArrayBuffer(8));
    key.setInt32(0, n, true);
    key.setInt32(4, unscramble(afterFirst), true);
    return new Uint8Array(key.buffer);
  });
}

describe("keys that all have the same hash", () => {
  const keys = collidingKeys(3000);

  test("are that", () => {
    expect(new Set(keys.map((key) => hashKey(key, SEED))).size).toBe(1);
  });

  test("are found all the same, overwritten and deleted", () => {
    const table = new Memtable({ hashSeed: SEED });
    let sequence = 0;
    for (const n of range(0, 100_000)) table.put(numbered(n), valueFor(n), ++sequence);
    keys.forEach((key, n) => {
      table.put(key, valueFor(n), ++sequence);
    });
    table.audit();
    keys.forEach((key, n) => {
      if (n % 3 === 0) table.delete(key, ++sequence);
      else if (n % 3 === 1) table.put(key, valueFor(n + 1), ++sequence);
    });
    table.audit();
    keys.forEach((key, n) => {
      const expected = n % 3 === 0 ? undefined : valueFor(n % 3 === 1 ? n + 1 : n);
      expect(table.get(key)).toEqual(expected);
    });
    for (const n of range(0, 100_000)) table.delete(numbered(n), ++sequence);
    for (const key of keys) table.delete(key, ++sequence);
    table.audit();
    expect(table.size).toBe(0);
  });
});

describe("hashKey", () => {
  test("gives the values that MurmurHash3 is known by", () => {
    const of = (text: string, seed: number): number => hashKey(new TextEncoder().encode(text), seed) >>> 0;
    expect([of("", 0), of("", 1), of("test", 0), of("Hello, world!", 0)]).toEqual([
      0, 0x514e28b7, 0xba6bd213, 0xc0363e43,
    ]);
  });
});

describe("compaction under snapshots", () => {
  test("never changes what any of them shows", async () => {
    const change = fc.record({
      first: fc.nat(3000),
      count: fc.nat(1200),
      remove: fc.boolean(),
      hold: fc.nat(3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 4, maxLength: 20 }), async (changes) => {
        const table = new Memtable({ hashSeed: SEED });
        const held: { view: MemtableSnapshot; expected: string }[] = [];
        let sequence = 0;
        for (const { first, count, remove, hold } of changes) {
          for (const n of range(first, first + count)) {
            if (remove) table.delete(numbered(n), ++sequence);
            else table.put(numbered(n), valueFor(n + sequence), ++sequence);
          }
          if (hold === 0) held.shift()?.view.release();
          if (hold > 1) {
            const view = table.snapshot();
            held.push({ view, expected: portrait(view) });
          }
          await new Promise((resolve) => setImmediate(resolve));
          table.audit();
        }
        for (const { view, expected } of held) expect(portrait(view)).toBe(expected);
      }),
      { numRuns: 40 },
    );
  });
});

function portrait(view: MemtableSnapshot): string {
  const entries = view.entries().read(Number.POSITIVE_INFINITY);
  return entries.map(({ key, value }) => Buffer.concat([key, value]).toString("base64")).join();
}
