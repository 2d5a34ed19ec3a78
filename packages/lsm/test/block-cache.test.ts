import { Random } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { BlockCache, fingerprintOf } from "../src/cache/block-cache.js";
import { BufferPool } from "../src/cache/buffer-pool.js";
import { CacheItem } from "../src/cache/cache-item.js";
import { PUT } from "../src/entry.js";
import { bytes, codeOf, manyEntries, openTable, put, scan, writeTable } from "./support.js";

class Item extends CacheItem {
  readonly gone = (isFree: boolean): void => {
    this.state = isFree ? "free" : "held";
  };
  state: "in" | "free" | "held" = "in";
}

const KiB = 1024;
const item = (number: number, charge = 16 * KiB) => new Item(charge, fingerprintOf(1, number));

const ROW = { kind: PUT, sequence: 1, expiresAt: 0 } as const;

/** Looks for blocks as a table does; gives how many were there. */
function look(cache: BlockCache, items: Map<number, Item>, numbers: Iterable<number>): number {
  let hits = 0;
  for (const number of numbers) {
    const known = items.get(number);
    if (known?.state === "in") {
      known.touch();
      hits++;
      continue;
    }
    const fresh = item(number);
    items.set(number, fresh);
    if (!cache.add(fresh)) fresh.state = "free";
  }
  return hits;
}

describe("a block cache", () => {
  it("stays within its budget, whatever goes in", () => {
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const random = new Random(1);
    const items: Item[] = [];
    for (let i = 0; i < 5000; i++) {
      const next = item(random.below(400), 4 * KiB * (1 + random.below(8)));
      if (random.below(2) === 0) items[random.below(items.length)]?.touch();
      if (cache.add(next, random.below(50) === 0)) items.push(next);
      expect(cache.stats.bytes).toBeLessThanOrEqual(2 ** 20);
    }
    const inside = items.filter(({ state }) => state === "in");
    expect(inside.length).toBe(cache.stats.items);
    expect(cache.stats.bytes).toBeGreaterThan(0.8 * 2 ** 20);
    for (const each of inside) cache.remove(each);
    expect(cache.stats.items).toBe(0);
  });

  it("stays within its budget while readers have pinned what is in it, and once they have let go", () => {
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const random = new Random(2);
    const pinned: Item[] = [];
    let refused = 0;
    for (let i = 0; i < 5000; i++) {
      const next = item(i, 4 * KiB * (1 + random.below(8)));
      next.pins++;
      if (cache.add(next, random.below(50) === 0)) pinned.push(next);
      else refused++;
      if (random.below(10) === 0) for (const each of pinned.splice(0, random.below(100))) each.pins--;
      cache.rows.put(1, bytes(`key ${i}`), { first: i, second: i }, { ...ROW, value: new Uint8Array(200) });
      expect(cache.stats.bytes).toBeLessThanOrEqual(2 ** 20);
      for (const each of pinned) expect(each.state).toBe("in");
    }
    expect(refused).toBeGreaterThan(100);
    expect(cache.rows.count).toBeGreaterThan(0);
  });

  it("keeps what is used often through a scan of everything (T7)", () => {
    const cache = new BlockCache({ bytes: 4 * 2 ** 20 });
    const items = new Map<number, Item>();
    const hot = Array.from({ length: 150 }, (_, i) => i);
    for (let round = 0; round < 4; round++) look(cache, items, hot);
    look(
      cache,
      items,
      Array.from({ length: 20_000 }, (_, i) => 1000 + i),
    );
    expect(look(cache, items, hot)).toBeGreaterThan(140);
  });

  it("lets in what is asked for again soon after it was put out", () => {
    const cache = new BlockCache({ bytes: 4 * 2 ** 20 });
    const items = new Map<number, Item>();
    look(
      cache,
      items,
      Array.from({ length: 3000 }, (_, i) => i),
    );
    const again = Array.from({ length: 50 }, (_, i) => 2700 + i);
    look(cache, items, again);
    look(
      cache,
      items,
      Array.from({ length: 3000 }, (_, i) => 10_000 + i),
    );
    expect(look(cache, items, again)).toBeGreaterThan(40);
  });

  it("does not put out what somebody looks at, nor gives its buffer to anybody", () => {
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const pinned = item(1);
    pinned.pins = 1;
    cache.add(pinned);
    const items = new Map<number, Item>();
    look(
      cache,
      items,
      Array.from({ length: 1000 }, (_, i) => 10 + i),
    );
    expect(pinned.state).toBe("in");
    cache.remove(pinned);
    expect(pinned.state).toBe("held");
  });

  it("does not keep what takes a large part of the budget, unless it is an index or filter", () => {
    const cache = new BlockCache({ bytes: 2 ** 20 });
    expect([
      cache.add(item(1, 300 * KiB)),
      cache.add(item(2, 300 * KiB), true),
      cache.add(item(3, 2 ** 20), true),
    ]).toEqual([false, true, false]);
    expect(new BlockCache({ bytes: 0 }).add(item(1, 1))).toBe(false);
  });

  it("wants a sensible budget", async () => {
    for (const options of [{ bytes: -1 }, { bytes: 0.5 }, { bytes: "1" }, {}, { bytes: 1, size: 1 }])
      expect(await codeOf(() => new BlockCache(options as { bytes: number }))).toBe("KAYA_INVALID_ARGUMENT");
  });

  it("is shared by tables, and gets the blocks back of one that closes", async () => {
    const cacheBytes = 2 ** 22;
    const { disk } = await writeTable({ entries: manyEntries(2000) }, { blockBytes: 1024 });
    const table = await openTable(disk, "t.sst", cacheBytes);
    expect((await scan(table)).length).toBeGreaterThan(1000);
    table.getSync(bytes("key:00000001"));
    await table.close();
    const cache = new BlockCache({ bytes: cacheBytes });
    const { Table } = await import("../src/index.js");
    const [a, b] = [await Table.open(disk, "t.sst", { cache }), await Table.open(disk, "t.sst", { cache })];
    const { key } = manyEntries(2000)[5] ?? put("", "");
    for (const each of [a, b]) expect(each.getSync(key)).toBeDefined();
    expect(cache.stats).toMatchObject({ items: 6, hits: 0, misses: 2 });
    for (const each of [a, b]) expect(each.getSync(key)).toBeDefined();
    expect(cache.stats).toMatchObject({ items: 6, hits: 2, misses: 2 });
    await a.close();
    expect(cache.stats.items).toBe(3);
    await b.close();
    expect(cache.stats.items).toBe(0);
  });
});

describe("a pool of buffers", () => {
  it("gives a buffer again that was given back, and keeps no more than it may", () => {
    const pool = new BufferPool({ mostFree: 40_000 });
    const buffer = pool.take(16_000);
    expect(buffer.length).toBe(16_384);
    pool.give(buffer);
    expect(pool.freeBytes).toBe(16_384);
    expect(pool.take(13_000)).toBe(buffer);
    expect(pool.freeBytes).toBe(0);
    const many = Array.from({ length: 5 }, () => pool.take(16_000));
    for (const each of many) pool.give(each);
    expect(pool.freeBytes).toBe(32_768);
    pool.give(pool.take(100_000));
    expect(pool.freeBytes).toBe(32_768);
    expect(pool.take(100_000).length).toBe(100_000);
  });
});
