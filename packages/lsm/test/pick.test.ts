import { describe, expect, it } from "vitest";
import { findDrops } from "../src/compaction/drops.js";
import { nextExpiry } from "../src/compaction/expired.js";
import { clipToOlder } from "../src/compaction/outputs.js";
import { olderBelow, pickCompaction } from "../src/compaction/pick.js";
import { type PickTable, pendingBytes, shapeOf, spaceAmplification } from "../src/compaction/shape.js";
import { LEVELS } from "../src/manifest/manifest-state.js";
import { keyAfter } from "../src/merge/compare.js";
import { Skyline } from "../src/merge/skyline.js";
import { expiredAt, expiredBy, type TableExpiry } from "../src/table/table-expiry.js";
import { bytes, text } from "./support/keys.js";

const MiB = 2 ** 20;
const OPTIONS = { level0Tables: 4, tableBytes: 32 * MiB, baseLevelBytes: 128 * MiB, levelRatio: 10 };

interface Made {
  readonly id: number;
  readonly mib?: number;
  readonly tombstones?: number;
  readonly entries?: number;
  readonly sequence?: number;
  readonly expiry?: TableExpiry;
  readonly ranges?: readonly (readonly [start: string, end: string | undefined, sequence: number])[];
}

function table(start: string, last: string, made: Made): PickTable {
  const { id, mib = 32, tombstones = 0, entries = 1000, sequence = id, ranges = [], expiry } = made;
  const skyline = Skyline.of(
    ranges.map(([from, to, of]) => ({
      start: bytes(from),
      end: to === undefined ? undefined : bytes(to),
      sequence: of,
    })),
  );
  const extent = { start: bytes(start), end: keyAfter(bytes(last)) };
  const meta = {
    id,
    fileBytes: mib * MiB,
    footerCrc: 0,
    entries,
    tombstones,
    rangeTombstones: ranges.length,
    rawBytes: mib * MiB,
    smallestSequence: sequence,
    largestSequence: sequence,
    ...extent,
  };
  return { meta, skyline, expiry, ...extent };
}

/** By level, those that are not given are empty. */
function levels(given: Record<number, PickTable[]>): PickTable[][] {
  return Array.from({ length: LEVELS }, (_, level) => given[level] ?? []);
}

const ids = (tables: readonly PickTable[]) => tables.map(({ meta }) => meta.id);

function picked(
  given: Record<number, PickTable[]>,
  options = {},
  progress: (Uint8Array | undefined)[] = [],
  now = 0,
) {
  const pick = pickCompaction(levels(given), { ...OPTIONS, ...options }, progress, now);
  if (pick?.kind !== "merge") return pick;
  return { to: pick.to, inputs: pick.inputs.map(({ level, tables }) => [level, ids(tables)]) };
}

/** So many tables of 32 MiB side by side. */
const row = (count: number, from: number) =>
  Array.from({ length: count }, (_, n) => {
    const letter = String.fromCharCode(97 + Math.floor(n / 26)) + String.fromCharCode(97 + (n % 26));
    return table(`${letter}0`, `${letter}9`, { id: from + n });
  });

describe("the shape of the levels", () => {
  it("is one level for little data, and of each level above the last a tenth for more", () => {
    expect(shapeOf(levels({ 6: row(3, 1) }), OPTIONS)).toMatchObject({ baseLevel: 6 });
    const { baseLevel, targets } = shapeOf(levels({ 6: row(60, 1) }), OPTIONS);
    expect(baseLevel).toBe(4);
    expect(targets.map((bytes) => Math.round(bytes / MiB))).toEqual([0, 0, 0, 0, 19, 192, 1920]);
  });
});

describe("what is compacted next", () => {
  const l0 = (count: number) => Array.from({ length: count }, (_, n) => table("a", "z", { id: 100 - n }));

  it("is nothing while level 0 is short and no level too large", () => {
    expect(picked({ 0: l0(3), 6: row(4, 1) })).toBeUndefined();
    expect(picked({})).toBeUndefined();
  });

  it("is all of level 0 with what it overlaps in the base level, the newest first", () => {
    expect(picked({ 0: l0(4), 6: row(2, 1) })).toEqual({
      to: 6,
      inputs: [
        [0, [100, 99, 98, 97]],
        [6, [1, 2]],
      ],
    });
  });

  it("goes no deeper than the first level that has tables: what is newer stays above", () => {
    const inBase = [table("m", "n", { id: 5, mib: 8 })];
    expect(picked({ 0: l0(4), 4: inBase, 6: row(60, 1) })).toMatchObject({ to: 4 });
    expect(picked({ 0: l0(4), 6: row(60, 1) })).toMatchObject({ kind: "move", from: 0, to: 4 });
    const above = { 0: l0(4), 3: [table("m", "n", { id: 5 })], 6: row(2, 1) };
    expect(picked(above)).toMatchObject({ kind: "move", from: 3, to: 6 });
  });

  it("is a table of a level that is too large, one after the other and around", () => {
    const tables = { 5: row(20, 50), 6: row(60, 1) };
    expect(picked(tables)).toMatchObject({
      inputs: [
        [5, [50]],
        [6, [1]],
      ],
      to: 6,
    });
    const behind = (n: number) => [0, 0, 0, 0, 0].map(() => undefined).concat([tables[5][n]?.end as never]);
    expect(picked(tables, {}, behind(0))).toMatchObject({
      inputs: [
        [5, [51]],
        [6, [2]],
      ],
    });
    expect(picked(tables, {}, behind(19))).toMatchObject({
      inputs: [
        [5, [50]],
        [6, [1]],
      ],
    });
  });

  it("moves a table that overlaps nothing, unless it has tombstones that can go or is small", () => {
    const oldest = (made: object) => [...l0(3), table("A", "B", { id: 90, ...made })];
    expect(picked({ 0: oldest({}), 6: row(2, 1) })).toMatchObject({ kind: "move", from: 0, to: 6 });
    expect(picked({ 0: oldest({ tombstones: 1 }), 6: row(2, 1) })).toMatchObject({
      to: 6,
      inputs: [
        [0, [100, 99, 98, 90]],
        [6, [1, 2]],
      ],
    });
    expect(picked({ 0: oldest({ mib: 1 }), 6: row(2, 1) })).not.toMatchObject({ kind: "move" });
  });

  it("merges levels full of tombstones sooner", () => {
    const many = (tombstones: number) => [
      table("aa0", "aa9", { id: 70, mib: 170, tombstones, entries: 1000 }),
    ];
    expect(picked({ 5: many(0), 6: row(60, 1) })).toBeUndefined();
    expect(picked({ 5: many(900), 6: row(60, 1) })).toMatchObject({ to: 6 });
  });

  it("brings down what is above the last level where it is quiet", () => {
    const tables = { 0: l0(2), 6: row(2, 1) };
    expect(picked(tables)).toBeUndefined();
    expect(picked(tables, { quietRatio: 0.15 })).toMatchObject({
      to: 6,
      inputs: [
        [0, [100, 99]],
        [6, [1, 2]],
      ],
    });
    expect(picked({ 6: row(2, 1) }, { quietRatio: 0.15 })).toBeUndefined();
  });
});

describe("what has expired", () => {
  /** From 100 to 300, evenly. */
  const expiry = (entries: number) => ({ entries, earliest: 100, half: 200, latest: 300 });
  const [first, second] = row(2, 1) as [PickTable, PickTable];
  const with40 = { ...first, expiry: expiry(400) };
  const with100 = { ...second, expiry: expiry(1000) };

  it("has a table written anew where it is, once it is half of it, and in quiet once it is a seventh", () => {
    const tables = { 5: [with40], 6: [first, with100, ...row(58, 3).slice(2)] };
    const anew = (now: number, options = {}) => picked(tables, options, [], now);
    expect(anew(199)).toBeUndefined();
    expect(anew(200)).toEqual({ to: 6, inputs: [[6, [2]]] });
    expect(anew(299)).toEqual({ to: 6, inputs: [[6, [2]]] });
    expect(anew(120, { quietRatio: 0.15 })).toBeUndefined();
    expect(anew(131, { quietRatio: 0.15 })).toEqual({ to: 6, inputs: [[6, [2]]] });
    const only40 = { 5: [with40], 6: row(60, 1) };
    expect(picked(only40, { quietRatio: 0.15 }, [], 160)).toBeUndefined();
    expect(picked(only40, { quietRatio: 0.15 }, [], 180)).toEqual({ to: 5, inputs: [[5, [1]]] });
  });

  it("of level 0 is merged with what is below it, where that has not too much that stays", () => {
    const level0 = [table("aa0", "az9", { id: 100, expiry: expiry(1000) })];
    const quiet = { quietRatio: 0.15, tableBytes: 64 * MiB };
    const merged = (now: number, below: number, options = {}) =>
      picked({ 0: level0, 6: row(below, 1) }, options, [], now);
    const inputs = [
      [0, [100]],
      [6, [1, 2]],
    ];
    expect(merged(190, 2, quiet)).toEqual({ to: 6, inputs });
    expect(merged(190, 3, quiet)).toBeUndefined();
    expect(merged(299, 3, quiet)).toMatchObject({ to: 6 });
    expect(merged(299, 2)).toBeUndefined();
    expect(merged(200, 0)).toMatchObject({ to: 6 });
  });

  it("of a whole table lets it go unread where nothing older is below it, and only there", () => {
    const drop = (level: number, id: number) => ({ kind: "drop", tables: [{ level, id }] });
    const mixed = { ...second, meta: { ...second.meta, tombstones: 600 }, expiry: expiry(400) };
    expect(picked({ 6: [first, mixed] }, {}, [], 299)).not.toMatchObject({ kind: "drop" });
    expect(picked({ 6: [first, mixed] }, {}, [], 300)).toEqual(drop(6, 2));
    const above = { ...with100, meta: { ...with100.meta, id: 90 } };
    expect(picked({ 5: [above], 6: row(60, 1) }, {}, [], 300)).toEqual({ to: 5, inputs: [[5, [90]]] });
    expect(picked({ 5: [above], 6: [first] }, {}, [], 300)).toEqual(drop(5, 90));
    expect(findDrops(levels({ 6: [with40] }), 300)).toEqual([]);
    // Two, the one over the other: the older one first.
    expect(findDrops(levels({ 5: [above], 6: [with100] }), 300)).toEqual([{ level: 6, id: 2 }]);
  });

  it("tells when the next look pays, whatever has been looked at before", () => {
    const next = (now: number, given: Record<number, PickTable[]> = { 5: [with40], 6: [with100] }) =>
      nextExpiry(levels(given), 0.15, now);
    expect([next(0), next(130), next(175), next(200), next(299)]).toEqual([130, 175, 200, 300, 300]);
    expect([next(300), next(0, { 6: row(3, 1) })]).toEqual([undefined, undefined]);
    // At each of these times a look sees as much as was foretold.
    for (const entries of [1, 2, 3, 7, 100, 999]) {
      for (let wanted = 1; wanted <= entries; wanted += 1 + (entries >> 3)) {
        for (const times of [
          { entries, earliest: 5, half: 5, latest: 5 },
          { entries, earliest: 5, half: 5, latest: 900 },
          { entries, earliest: 5, half: 900, latest: 900 },
          { entries, earliest: 5, half: 17, latest: 2 ** 53 - 1 },
        ]) {
          const at = expiredAt(times, wanted) as number;
          expect(expiredBy(times, at), `${wanted} of ${entries} by ${at}`).toBeGreaterThanOrEqual(wanted);
        }
      }
    }
  });
});

describe("tables that go unread", () => {
  it("M9: are those that newer range tombstones hide whole, and tombstones that have nothing older below", () => {
    const clear = (sequence: number, from = "a", to?: string) =>
      table("a", "z", { id: 90, entries: 0, ranges: [[from, to, sequence]] });
    const below = { 5: [table("b", "c", { id: 9, sequence: 7 })], 6: row(2, 1) };
    expect(findDrops(levels({ 0: [clear(80)], ...below })).map(({ id }) => id)).toEqual([9, 1, 2]);
    expect(findDrops(levels({ 0: [clear(7)], ...below })).map(({ id }) => id)).toEqual([1, 2]);
    expect(findDrops(levels({ 0: [clear(80, "b", "c")], ...below }))).toEqual([]);
    expect(findDrops(levels({ 0: [clear(80, "b", "c\0")], ...below })).map(({ id }) => id)).toEqual([9]);
    expect(findDrops(levels({ 0: [clear(80)] }))).toEqual([{ level: 0, id: 90 }]);
    const tombstones = table("x", "y", { id: 91, entries: 5, tombstones: 5 });
    expect(findDrops(levels({ 5: [tombstones], 6: row(2, 1) }))).toEqual([{ level: 5, id: 91 }]);
    expect(findDrops(levels({ 5: [tombstones], 6: [table("w", "z", { id: 4 })] }))).toEqual([]);
  });

  it("M9: are looked for in older tables of level 0 only, not in newer ones", () => {
    const clear = table("a", "z", { id: 50, entries: 1, ranges: [["a", undefined, 60]] });
    const [newer, older] = [table("b", "c", { id: 51, sequence: 70 }), table("b", "c", { id: 49 })];
    expect(findDrops(levels({ 0: [newer, clear, older] })).map(({ id }) => id)).toEqual([49]);
  });
});

describe("range tombstones on their way down", () => {
  it("M9: are cut to where something older may be", () => {
    const older = olderBelow(
      levels({
        5: [table("c", "d", { id: 1 })],
        6: [table("d", "f", { id: 2 }), table("m", "p", { id: 3 })],
      }),
      4,
    );
    expect(older.map(({ start, end }) => [text(start), text(end as Uint8Array)])).toEqual([
      ["c", "f\0"],
      ["m", "p\0"],
    ]);
    const pieces = Skyline.of([
      { start: bytes("a"), end: bytes("n"), sequence: 5 },
      { start: bytes("n"), end: undefined, sequence: 4 },
    ]).pieces;
    expect(
      clipToOlder(pieces, older).map(({ start, end, sequence }) => [
        text(start),
        text(end as Uint8Array),
        sequence,
      ]),
    ).toEqual([
      ["c", "f\0", 5],
      ["m", "n", 5],
      ["n", "p\0", 4],
    ]);
    expect(clipToOlder(pieces, [])).toEqual([]);
  });
});

describe("what tables take on the disk", () => {
  const mib = (id: number, mib: number) => table("a", "z", { id, mib });
  const disjoint = (count: number, each: number) =>
    Array.from({ length: count }, (_, n) => table(`${n}a`, `${n}z`, { id: 100 + n, mib: each }));

  it("is compared with the largest run: a table of level 0, or all tables of a deeper level", () => {
    expect(spaceAmplification(levels({}))).toBeUndefined();
    expect(spaceAmplification(levels({ 0: [mib(1, 16)] }))).toBe(1);
    expect(spaceAmplification(levels({ 0: [mib(2, 8), mib(1, 16)] }))).toBe(1.5);
    expect(spaceAmplification(levels({ 0: [mib(2, 16), mib(1, 16)], 6: [mib(3, 1)] }))).toBe(33 / 16);
    // The deepest level is not the largest while the tree grows.
    expect(spaceAmplification(levels({ 0: [mib(1, 10)], 5: disjoint(4, 25), 6: [mib(3, 40)] }))).toBe(1.5);
  });

  it("is pending where a level has more than it should have", () => {
    const pending = (given: Record<number, PickTable[]>) => pendingBytes(levels(given), OPTIONS) / MiB;
    expect(pending({})).toBe(0);
    expect(pending({ 0: [mib(2, 16), mib(1, 16)] })).toBe(0);
    expect(pending({ 0: [mib(4, 16), mib(3, 16), mib(2, 16), mib(1, 16)] })).toBe(64);
    expect(pending({ 6: disjoint(8, 100) })).toBe(0);
    expect(pending({ 5: disjoint(5, 20), 6: disjoint(8, 100) })).toBe(20);
    expect(pending({ 3: [mib(1, 5)], 5: disjoint(5, 20), 6: disjoint(8, 100) })).toBe(25);
  });

  it("is pending where a compaction is asked for, and nowhere else", () => {
    const shapes = [
      {},
      { 0: disjoint(3, 16) },
      { 0: disjoint(4, 16) },
      { 6: disjoint(8, 100) },
      { 5: disjoint(5, 20), 6: disjoint(8, 100) },
      { 5: disjoint(3, 20), 6: disjoint(8, 100) },
    ];
    for (const shape of shapes)
      expect(picked(shape) !== undefined).toBe(pendingBytes(levels(shape), OPTIONS) > 0);
  });
});
