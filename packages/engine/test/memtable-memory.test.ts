import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function filled(count: number, makeValue = valueFor): Memtable {
  const table = new Memtable({ hashSecret: SECRET });
  for (const n of range(0, count)) table.put(numbered(n), makeValue(n), n + 1);
  return table;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function entriesIn(view: MemtableSnapshot): number {
  const { cursor } = view.run();
  let count = 0;
  for (let found = cursor.seekFirst(); found; found = cursor.next()) count++;
  return count;
}

describe("what overwrites take is used again", () => {
  test.each([
    { name: "of a few lengths", lengthOf: (i: number) => 80 + (i % 41) },
    { name: "of many lengths", lengthOf: (i: number) => (i * 7919) % 3000 },
  ])("by 100,000 overwrites of 5,000 keys with values $name", ({ lengthOf }) => {
    const makeValue = (i: number) => new Uint8Array(lengthOf(i));
    const fresh = filled(5000, makeValue);
    const table = filled(5000, makeValue);
    let most = 0;
    for (let i = 0; i < 100_000; i++) {
      table.put(numbered((i * 48_271) % 5000), makeValue(i), 5001 + i);
      if (i % 100 === 0) most = Math.max(most, table.usedBytes);
    }
    table.audit();
    expect(table.size).toBe(5000);
    expect(most).toBeLessThan(2 * fresh.usedBytes);
    expect(table.memory.allocated).toBeLessThan(2 * fresh.memory.allocated);
  });

  test("at once by an overwrite of the same length: nothing is added", () => {
    const table = filled(10_000, () => new Uint8Array(100));
    const before = table.memory;
    for (const n of range(0, 10_000)) table.put(numbered(n), new Uint8Array(97 + (n % 3)), 20_000 + n);
    expect(table.memory).toEqual(before);
  });

  test("where values of all keys grow: the memory of the shorter ones is emptied as a whole", () => {
    const table = filled(4000, () => new Uint8Array(0));
    let sequence = 4000;
    for (let length = 0; length <= 600; length += 24)
      for (const n of range(0, 4000)) table.put(numbered(n), new Uint8Array(length), ++sequence);
    table.audit();
    expect(table.usedBytes).toBeLessThan(1.5 * filled(4000, () => new Uint8Array(600)).usedBytes);
  });

  test("by tombstones: 10,000 keys that come and go five times take no more than once", () => {
    const table = filled(10_000);
    const once = table.usedBytes;
    let sequence = 10_000;
    for (const round of range(0, 5)) {
      for (const n of range(0, 10_000)) table.delete(numbered(n), ++sequence);
      for (const n of range(0, 10_000)) table.put(numbered(n), valueFor(n + round), ++sequence);
    }
    table.audit();
    expect(table.usedBytes).toBeLessThan(1.6 * once);
  });

  test("by range tombstones over the same range, again and again", () => {
    const table = new Memtable({ hashSecret: SECRET });
    let sequence = 0;
    const bound = (n: number): Uint8Array => numbered(n).fill(n, 0, 1);
    for (const n of range(0, 100)) table.deleteRange(bound(2 * n), bound(2 * n + 1), ++sequence);
    const before = table.usedBytes;
    expect(before).toBeGreaterThan(100 * 32);
    for (let i = 0; i < 5000; i++) {
      const short = table.snapshot();
      table.deleteRange(bound(2 * (i % 100)), bound(2 * (i % 100) + 1), ++sequence);
      short.release();
    }
    table.audit();
    expect([table.usedBytes, table.memory.pinned]).toEqual([before, 0]);
    table.deleteRange(new Uint8Array(0), undefined, ++sequence);
    expect(table.usedBytes).toBeLessThan(before / 50);
  });
});

describe("usedBytes", () => {
  test("grows with each entry, and counts tombstones as entries of no value", () => {
    const table = new Memtable({ hashSecret: SECRET });
    for (const n of range(0, 2000)) {
      const before = table.usedBytes;
      if (n % 2 === 0) table.put(numbered(n), valueFor(n), n + 1);
      else table.delete(numbered(n), n + 1);
      expect(table.usedBytes - before).toBeGreaterThanOrEqual(n % 2 === 0 ? 116 : 36);
    }
    // What finds and orders an entry takes about forty bytes; half of the entries have no value.
    expect(table.usedBytes).toBeLessThan(2000 * (36 + 50 + 60));
  });
});

describe("what a snapshot pins", () => {
  test("is kept while everything else is overwritten, is counted, and is used again when it is released", async () => {
    const table = filled(50_000);
    const single = table.usedBytes;
    const before = table.snapshot();
    let sequence = 50_000;
    for (const n of range(0, 50_000)) table.put(numbered(n), valueFor(n + 1), ++sequence);
    table.deleteRange(numbered(0), undefined, ++sequence);
    table.audit();
    expect([before.size, entriesIn(before)]).toEqual([50_000, 50_000]);
    for (const n of [0, 1, 49_999]) expect(before.get(numbered(n), () => 0)).toEqual(valueFor(n));
    expect(table.memory.pinned).toBeGreaterThan(50_000 * 100);
    expect(table.usedBytes).toBeGreaterThan(1.6 * single);
    before.release();
    before.release();
    while (table.memory.pinned > 0) await turn();
    table.audit();
    expect(table.memory.snapshots).toBe(0);
    const { allocated } = table.memory;
    for (const n of range(0, 50_000)) table.put(numbered(n), valueFor(n), ++sequence);
    expect(table.memory.allocated).toBeLessThan(1.02 * allocated);
    table.audit();
  });

  test("is let go in steps, in turns of the event loop or with the changes that come", async () => {
    const table = filled(50_000);
    const pinnedAfter = (changed: number): number => {
      const view = table.snapshot();
      for (const n of range(0, 50_000)) table.put(numbered(n), valueFor(n), (table.lastSequence ?? 0) + 1);
      view.release();
      // A thousand things at once, and then some with each change.
      expect(table.memory.pinned).toBeGreaterThan(40_000 * 100);
      for (const n of range(0, changed)) table.delete(numbered(n), (table.lastSequence ?? 0) + 1);
      table.audit();
      return table.memory.pinned;
    };
    expect(pinnedAfter(10)).toBeGreaterThan(40_000 * 100);
    let turns = 0;
    for (; table.memory.pinned > 0; turns++) await turn();
    expect(turns).toBeGreaterThan(5);
    expect(pinnedAfter(2000)).toBe(0);
  });

  test("is only what it sees: a long one does not keep what came and went after it", () => {
    const table = filled(50_000);
    const long = table.snapshot();
    let sequence = 50_000;
    for (let round = 0; round < 300; round++) {
      for (const n of range(0, 100)) table.put(numbered(n), valueFor(round), ++sequence);
      table.deleteRange(numbered(1), numbered(2), ++sequence);
      const short = table.snapshot();
      expect(short.get(numbered(99), () => 0)).toEqual(valueFor(round));
      short.release();
      if (round % 50 === 0) table.audit();
    }
    // A hundred records and the nodes above them; 30,000 records and 300 range tombstones came and went.
    expect(table.memory.pinned).toBeLessThan(100 * 200 + 300 * 800);
    expect(long.get(numbered(99), () => 0)).toEqual(valueFor(99));
    table.audit();
  });

  test("is nothing while nothing is written: snapshots of one moment are one", () => {
    const table = filled(50_000);
    const views = range(0, 1000).map(() => table.snapshot());
    expect(table.memory).toMatchObject({ pinned: 0, snapshots: 1 });
    for (const view of views) view.release();
    expect(table.memory.snapshots).toBe(0);
  });

  test("goes too when the snapshot was dropped without being released", async () => {
    const table = filled(5000);
    (() => void table.snapshot().run().cursor.seekFirst())();
    table.put(numbered(1), valueFor(5), 60_000);
    expect(table.memory.snapshots).toBe(1);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    while (table.memory.snapshots > 0 || table.memory.pinned > 0) {
      collect();
      await turn();
    }
    table.audit();
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
      const expected = n % 3 === 0 ? null : valueFor(n % 3 === 1 ? n + 1 : n);
      expect(table.get(key, () => 0)).toEqual(expected);
    });
    expect(table.get(numbered(200_000), () => 0)).toBeUndefined();
    expect([table.puts, table.tombstones]).toEqual([102_000, 1000]);
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
