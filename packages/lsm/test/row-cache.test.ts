import { Random } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowCache, type RowHash, RowPlace } from "../src/cache/row-cache.js";
import { BlockCache, EXPIRING, type Found, PUT, Table, TOMBSTONE } from "../src/index.js";
import { bytes, type Entry, manyEntries, writeTable } from "./support.js";

const KiB = 1024;
const SMALL = 160 * KiB;

const keyOf = (number: number): Uint8Array => bytes(`key ${number}`);
/** Few different hashes: most keys share theirs with others. */
const collidingHash = (number: number): RowHash => ({ first: number % 7, second: (number % 3) << 8 });
const spreadHash = (number: number): RowHash => ({ first: Math.imul(number, 0x9e37_79b1), second: number });

/** As text, which is sooner compared. */
function rowOf(rows: RowCache, owner: number, number: number, hashOf = spreadHash): string | undefined {
  const place = new RowPlace();
  if (!rows.find(owner, keyOf(number), hashOf(number), place)) return undefined;
  const { kind, sequence, expiresAt, valueStart, valueEnd } = place;
  return textOf({
    key: keyOf(number),
    kind,
    sequence,
    expiresAt,
    value: place.bytes.subarray(valueStart, valueEnd),
  });
}

function textOf({ kind, sequence, expiresAt, value }: Entry): string {
  return `${kind} ${sequence} ${kind === EXPIRING ? expiresAt : ""} ${Buffer.from(value).toString("latin1")}`;
}

function putRow(rows: RowCache, owner: number, number: number, length: number, hashOf = spreadHash): string {
  const found = foundOf(owner, number, length);
  rows.put(owner, keyOf(number), hashOf(number), found);
  return textOf({ ...found, key: keyOf(number) });
}

function foundOf(owner: number, number: number, length: number): Found {
  const isTombstone = number % 5 === 0;
  const isExpiring = number % 5 === 1;
  return {
    kind: isTombstone ? TOMBSTONE : isExpiring ? EXPIRING : PUT,
    sequence: owner * 2 ** 45 + number,
    expiresAt: isExpiring ? Number.MAX_SAFE_INTEGER - number * 2 ** 21 : 0,
    value: isTombstone ? new Uint8Array(0) : new Uint8Array(length).fill(owner * 100 + number),
  };
}

describe("a cache of rows", () => {
  it("gives what was put under this table and key or nothing, whatever hashes collide, and stays in its budget", () => {
    const property = fc.property(
      fc.nat(),
      fc.constantFrom(collidingHash, spreadHash),
      fc.integer({ min: 20, max: 400 }),
      (seed, hashOf, keys) => {
        const random = new Random(seed);
        const rows = new RowCache(SMALL);
        const known = new Map<string, string>();
        let answered = 0;
        for (let i = 0; i < 3000; i++) {
          const owner = 1 + random.below(3);
          const number = random.below(keys);
          const name = `${owner} ${number}`;
          const row = rowOf(rows, owner, number, hashOf);
          if (row !== undefined) answered++;
          if (row !== undefined && row !== known.get(name)) return false;
          const text = putRow(rows, owner, number, 300 + (number % 7) * 30, hashOf);
          known.set(name, text);
          if (rowOf(rows, owner, number, hashOf) !== text || rows.bytes > SMALL) return false;
        }
        return answered > 0;
      },
    );
    fc.assert(property, { numRuns: 20 });
  });

  it("keeps what is asked for while many times its size passes through", () => {
    const rows = new RowCache(SMALL);
    let lost = 0;
    for (let i = 0; i < 20_000; i++) {
      putRow(rows, 1, 1000 + i, 100);
      const asked = i % 100;
      if (rowOf(rows, 1, asked) === undefined) {
        lost++;
        putRow(rows, 1, asked, 100);
      }
    }
    expect(lost).toBeLessThan(200); // the first 100 were never there
    expect(rowOf(rows, 1, 1000)).toBeUndefined();
    expect(rows.count).toBeLessThan(SMALL / 100);
  });

  it("has room for new rows where all that it has are asked for", () => {
    const rows = new RowCache(SMALL);
    for (let i = 1; i < 5000; i++) expect(putRow(rows, 1, i, 100)).toBe(rowOf(rows, 1, i));
    expect(rows.bytes).toBeLessThanOrEqual(SMALL);
  });

  it("does not keep long rows, and nothing in a budget that is too small", () => {
    const rows = new RowCache(4 * 2 ** 20);
    putRow(rows, 1, 1, 4000);
    expect([rows.count, rows.bytes]).toEqual([0, 0]);
    putRow(rows, 1, 1, 1000);
    expect(rows.count).toBe(1);
    for (const budget of [0, 1, 4 * KiB]) {
      const none = new RowCache(budget);
      putRow(none, 1, 1, 10);
      expect([none.count, none.bytes, none.mostBytes]).toEqual([0, 0, 0]);
    }
  });
});

describe("tables that share rows", () => {
  const CACHE_BYTES = 2 ** 20;
  const OPTIONS = { blockBytes: 4096 };
  const entriesOf = (seed: number): Entry[] => manyEntries(20_000, seed);

  it("say what they say without a cache: same keys and hashes, blocks put out, one of them closed meanwhile", async () => {
    // One seed for the hashes of all tables, as nowhere outside tests: the same key has the same hash in each.
    const cache = new BlockCache({ bytes: CACHE_BYTES });
    const uncached = new BlockCache({ bytes: 0 });
    const tables: { entries: Entry[]; cached: Table; plain: Table }[] = [];
    for (const seed of [1, 1, 2]) {
      const entries = entriesOf(seed).map((entry) => ({
        ...entry,
        sequence: entry.sequence + tables.length,
      }));
      const { disk, path } = await writeTable({ entries }, OPTIONS);
      tables.push({
        entries,
        cached: await Table.open(disk, path, { cache }),
        plain: await Table.open(disk, path, { cache: uncached }),
      });
    }
    const random = new Random(3);
    for (let i = 0; i < 12_000; i++) {
      if (i === 8000) await tables.shift()?.cached.close();
      const { entries, cached, plain } = tables[random.below(tables.length)] as (typeof tables)[number];
      // Half of the gets are of few keys.
      const at = random.below(2) === 0 ? random.below(300) * 60 : random.below(entries.length);
      const key = (entries[at] as Entry).key;
      const found = random.below(3) === 0 ? await cached.get(key) : cached.getSync(key);
      const wanted = i % 10 === 0 ? plain.getSync(key) : entries[at];
      if (found === undefined || wanted === undefined) throw new Error(`no entry number ${at}`);
      if (textOf({ ...found, key }) !== textOf({ ...wanted, key }))
        throw new Error(`entry number ${at} is another one`);
    }
    const { rows, rowHits, evictions, bytes: used } = cache.stats;
    expect(Math.min(rows, rowHits, evictions)).toBeGreaterThan(1000);
    expect(used).toBeLessThanOrEqual(CACHE_BYTES);
    for (const { cached, plain } of tables) await Promise.all([cached.close(), plain.close()]);
  });

  it("answer gets of keys whose blocks do not all fit without reading them again", async () => {
    const entries = entriesOf(1);
    const { disk, path } = await writeTable({ entries }, OPTIONS);
    const cache = new BlockCache({ bytes: CACHE_BYTES });
    const table = await Table.open(disk, path, { cache });
    const hot = Array.from({ length: 1000 }, (_, i) => (entries[i * 17] as Entry).key);
    for (let round = 0; round < 2; round++) for (const key of hot) await table.get(key);
    const { misses } = cache.stats;
    for (const key of hot) expect(table.find(key)).not.toBeInstanceOf(Promise);
    expect(cache.stats.misses).toBe(misses);
    await table.close();
  });
});
