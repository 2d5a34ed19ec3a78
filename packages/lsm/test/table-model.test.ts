import { Random, SimDisk } from "@kaya/io";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type EntryKind, EXPIRING, PUT, type TableWriterOptions, TOMBSTONE } from "../src/index.js";
import {
  asText,
  collect,
  compare,
  type Entry,
  expectContents,
  manyEntries,
  openTable,
  sorted,
  standing,
  writeTable,
} from "./support.js";

const SMALL: TableWriterOptions = { blockBytes: 512, indexBytes: 512 };

// Few different bytes: so keys share prefixes, and are prefixes of each other.
const anyKey = fc
  .array(fc.constantFrom(0, 1, 0x61, 0xfe, 0xff), { maxLength: 12 })
  .map((key) => Uint8Array.from(key));
const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    key: anyKey,
    kind: fc.constant(PUT),
    sequence: fc.oneof(fc.nat(300), fc.maxSafeNat()),
    value: fc.uint8Array({ maxLength: 60 }).map((value) => Uint8Array.from(value)),
  }),
  fc.record({
    key: anyKey,
    kind: fc.constant(TOMBSTONE),
    sequence: fc.nat(300),
    value: fc.constant(new Uint8Array(0)),
  }),
  fc.record({
    key: anyKey,
    kind: fc.constant(EXPIRING),
    sequence: fc.oneof(fc.nat(300), fc.maxSafeNat()),
    value: fc.uint8Array({ maxLength: 60 }).map((value) => Uint8Array.from(value)),
    expiresAt: fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    ),
  }),
);

/** What a sorted list says of a seek. */
function firstAtOrBehind(entries: readonly Entry[], key: Uint8Array): number {
  const at = entries.findIndex((entry) => compare(entry.key, key) >= 0);
  return at === -1 ? entries.length : at;
}

describe("a table against a sorted list", () => {
  it("gives every entry by get, getSync and scans in both directions, and none that is not there", async () => {
    const property = fc.asyncProperty(
      fc.array(anyEntry, { minLength: 1, maxLength: 120 }),
      fc.array(anyKey, { maxLength: 20 }),
      fc.constantFrom<TableWriterOptions>(
        SMALL,
        {},
        { ...SMALL, compression: "snappy" },
        { ...SMALL, bitsPerKey: 0 },
      ),
      fc.constantFrom(0, 3000, 2 ** 22),
      async (list, others, options, cacheBytes) => {
        const entries = sorted(list);
        const { disk, summary } = await writeTable({ entries }, options);
        expect(summary.entries).toBe(entries.length);
        const table = await openTable(disk, "t.sst", cacheBytes);
        await expectContents(table, { entries });
        for (const key of others) {
          const expected = entries.find((entry) => compare(entry.key, key) === 0);
          const found = [table.getSync(key), await table.get(key)];
          const text = (entry: (typeof found)[0] | typeof expected) =>
            entry ? asText([{ ...entry, key }]) : undefined;
          expect(found.map(text)).toEqual([text(expected), text(expected)]);
        }
        await table.close();
      },
    );
    await fc.assert(property, { numRuns: 120 });
  });

  it("a cursor that seeks and turns round stands where the list says", async () => {
    const move = fc.oneof(
      fc.record({ to: fc.constantFrom("first", "last", "next", "previous") }),
      fc.record({ to: fc.constantFrom("seek", "before", "at"), key: anyKey }),
    );
    const property = fc.asyncProperty(
      fc.array(anyEntry, { minLength: 1, maxLength: 100 }),
      fc.array(move, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(0, 3000, 2 ** 22),
      fc.record({ readAhead: fc.boolean(), fillCache: fc.boolean() }),
      async (list, moves, cacheBytes, options) => {
        const entries = sorted(list);
        const { disk } = await writeTable({ entries }, SMALL);
        const table = await openTable(disk, "t.sst", cacheBytes);
        const cursor = table.cursor(options);
        let at: number | undefined;
        for (const step of moves) {
          if (at === undefined && (step.to === "next" || step.to === "previous")) continue;
          let isThere = false;
          if (step.to === "first") [isThere, at] = [await cursor.seekFirst(), 0];
          else if (step.to === "last") [isThere, at] = [await cursor.seekLast(), entries.length - 1];
          else if (step.to === "next") [isThere, at] = [await cursor.next(), (at ?? 0) + 1];
          else if (step.to === "previous") [isThere, at] = [await cursor.previous(), (at ?? 0) - 1];
          else if ("key" in step) {
            const first = firstAtOrBehind(entries, step.key);
            const isHit = first < entries.length && compare((entries[first] as Entry).key, step.key) === 0;
            if (step.to === "seek") [isThere, at] = [await cursor.seek(step.key), first];
            else if (step.to === "at")
              [isThere, at] = [await cursor.seekBefore(step.key, true), isHit ? first : first - 1];
            else [isThere, at] = [await cursor.seekBefore(step.key, false), first - 1];
          }
          const expected: Entry | undefined = entries[at ?? -1];
          expect(isThere).toBe(expected !== undefined);
          if (expected === undefined) at = undefined;
          else expect(asText([standing(cursor)])).toEqual(asText([expected]));
        }
        await table.close();
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });

  it("holds many entries, in blocks of any length, under an index of two levels, with a cache that holds a few blocks", async () => {
    const entries = manyEntries(3000);
    for (const [blockBytes, compression] of [
      [512, "none"],
      [512, "snappy"],
      [2048, "none"],
      [16_384, "none"],
    ] as const) {
      const { disk, summary } = await writeTable({ entries }, { blockBytes, indexBytes: 512, compression });
      expect(summary.dataBlocks).toBeGreaterThan(5);
      const table = await openTable(disk, "t.sst", 48_000);
      await expectContents(table, { entries });
      for (const entry of entries.filter((_, i) => i % 97 === 0)) {
        const cursor = table.cursor();
        const rest = await collect(cursor, cursor.seek(entry.key), "next");
        expect(rest.length).toBe(entries.length - entries.indexOf(entry));
        cursor.close();
      }
      await table.close();
    }
  });

  it("holds blocks of many restart points, whatever their keys have in common", async () => {
    // Few different bytes: blocks begin and end anywhere between prefixes.
    const random = new Random(11);
    for (const length of [7, 9, 12]) {
      const entries = sorted(
        Array.from({ length: 2500 }, () => ({
          key: Uint8Array.from({ length: 1 + random.below(length) }, () => random.below(4)),
          kind: PUT as EntryKind,
          sequence: random.below(70_000),
          value: new Uint8Array(random.below(30)),
        })),
      );
      const { disk } = await writeTable({ entries }, { blockBytes: 4096, bitsPerKey: 0 });
      const table = await openTable(disk);
      await expectContents(table, { entries });
      const cursor = table.cursor();
      for (let i = 0; i < 2000; i++) {
        const key = Uint8Array.from({ length: random.below(length) }, () => random.below(4));
        const expected = entries[firstAtOrBehind(entries, key)];
        expect(await cursor.seek(key)).toBe(expected !== undefined);
        if (expected !== undefined) expect(compare(cursor.key, expected.key)).toBe(0);
        const found = expected !== undefined && compare(expected.key, key) === 0;
        expect(table.getSync(key) !== undefined).toBe(found);
      }
      await table.close();
    }
  });

  it("holds the empty key, empty values, values of up to 200 KiB, and keys that share ten thousand bytes", async () => {
    const random = new Random(5);
    const long = new Uint8Array(10_000).fill(0x62);
    const value = (length: number) => Uint8Array.from({ length }, () => random.below(256));
    const entries = sorted([
      { key: new Uint8Array(0), kind: PUT as EntryKind, sequence: 0, value: new Uint8Array(0) },
      ...[0, 1, 100, 16_000, 16_384, 70_000, 200 * 1024].map((length) => ({
        key: Uint8Array.from([0x61, ...Buffer.from(String(length))]),
        kind: PUT as EntryKind,
        sequence: length,
        value: value(length),
      })),
      ...Array.from({ length: 60 }, (_, i) => ({
        key: Uint8Array.from([...long, i]),
        kind: PUT as EntryKind,
        sequence: Number.MAX_SAFE_INTEGER,
        value: value(i),
      })),
    ]);
    for (const compression of ["none", "snappy"] as const) {
      const { disk } = await writeTable({ entries }, { compression });
      for (const cacheBytes of [0, 100_000, 2 ** 24]) {
        const table = await openTable(disk, "t.sst", cacheBytes);
        await expectContents(table, { entries });
        await table.close();
      }
    }
  });
});

describe("gets under way at once", () => {
  it("give the right values where the cache holds far less than they need, mixed with synchronous ones and scans", async () => {
    const entries = manyEntries(2000);
    const { disk } = await writeTable({ entries }, { blockBytes: 512 }, new SimDisk());
    const table = await openTable(disk, "t.sst", 24_000);
    const random = new Random(9);
    let wrong = 0;
    const worker = async () => {
      for (let i = 0; i < 300; i++) {
        const entry = entries[random.below(entries.length)] as Entry;
        const found = random.below(4) === 0 ? table.getSync(entry.key) : await table.get(entry.key);
        if (found === undefined || compare(found.value, entry.value) !== 0) wrong++;
      }
    };
    const scanner = async () => {
      const cursor = table.cursor({ readAhead: false });
      const seen = await collect(cursor, cursor.seekFirst(), "next");
      cursor.close();
      expect(asText(seen)).toEqual(asText(entries));
    };
    await Promise.all([...Array.from({ length: 32 }, worker), scanner(), scanner()]);
    expect(wrong).toBe(0);
    await table.close();
  });
});
