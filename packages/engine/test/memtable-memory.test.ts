import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { hashKey, newHashSecret } from "../src/memtable/hash.js";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";
import { murmur3, murmurCollisions } from "./support/murmur3.js";

// They count; how long that takes depends on what else the machine does.
vi.setConfig({ testTimeout: 120_000 });

const SECRET = { low: 7, high: 11 };

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
  const table = new Memtable({ hashSecret: SECRET });
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
    const table = new Memtable({ hashSecret: SECRET });
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
    const table = new Memtable({ hashSecret: SECRET });
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
    const table = new Memtable({ hashSecret: SECRET });
    for (const n of range(0, 100_000)) table.put(numbered(n), valueFor(n), n + 1);
    for (const n of range(0, 100_000)) table.delete(numbered(n), 100_001 + n);
    table.audit();
    expect(table.memory.records).toBe(0);
    expect(table.memory.allocated).toBeLessThan(3 * 2 ** 20);
  });
});

describe("what a snapshot pins", () => {
  function filled(): Memtable {
    const table = new Memtable({ hashSecret: SECRET });
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

describe("keys whose hashes the index cannot tell apart", () => {
  const keys = range(100_000, 103_000).map(numbered);

  test("are found all the same, overwritten and deleted", () => {
    // Sixteen pages of 512: most keys are not in them.
    const table = new Memtable({ hashSecret: SECRET, maxHashBits: 4 });
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
  const bytesTo = (length: number): Uint8Array => Uint8Array.from(range(0, length));

  // The Linux kernel's own test has them, for words of 32 bits: lib/test_siphash.c, key 00 01 … 07, input 00 01 … to each length.
  test("gives the values that HalfSipHash-1-3 is known by, at every length of the last word", () => {
    const secret = { low: 0x03020100, high: 0x07060504 };
    const found = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 63].map((n) => hashKey(bytesTo(n), secret) >>> 0);
    expect(found).toEqual([
      ...[0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65, 0x9d38d9d6],
      ...[0x577999b1, 0x6b28096c, 0x8b31d501, 0xbc6dda8d, 0x87178304],
    ]);
  });

  test("depends on both halves of the secret, which are random", () => {
    const key = bytesTo(16);
    const hashes = [0, 1].flatMap((low) => [0, 1].map((high) => hashKey(key, { low, high })));
    expect(new Set(hashes).size).toBe(4);
    expect(new Set(range(0, 20).map(() => JSON.stringify(newHashSecret()))).size).toBe(20);
  });

  test("keeps apart what collides in MurmurHash3 whatever its seed is", () => {
    const keys = murmurCollisions(10);
    expect(new Set(keys.map((key) => Buffer.from(key).toString("hex"))).size).toBe(1024);
    for (const seed of [0, 7, -1]) expect(new Set(keys.map((key) => murmur3(key, seed))).size).toBe(1);
    expect(new Set(keys.map((key) => hashKey(key, newHashSecret()))).size).toBeGreaterThan(1000);
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
        const table = new Memtable({ hashSecret: SECRET });
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
