import { KayaError } from "@kaya/core";
import { Random } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { compareBytes } from "../src/bytes.js";
import { type EntryCursor, EXPIRING, PUT, type RangeTombstone, TOMBSTONE } from "../src/entry.js";
import { MergingCursor } from "../src/merge/merging-cursor.js";
import type { Run } from "../src/merge/run.js";
import { Skyline } from "../src/merge/skyline.js";
import { ArrayCursor, type ArrayEntry } from "./support/array-cursor.js";
import { bytes, text } from "./support/keys.js";

function run(
  entries: readonly ArrayEntry[],
  tombstones: readonly RangeTombstone[] = [],
  isSlow = () => false,
) {
  const skyline = Skyline.of(tombstones);
  const cursor = new ArrayCursor(entries, isSlow);
  return {
    cursor,
    hasRangeTombstones: !skyline.isEmpty,
    covering: (key: Uint8Array) => skyline.covering(key),
  };
}

const put = (key: string, sequence: number, value = `${key}@${sequence}`): ArrayEntry => ({
  key: bytes(key),
  kind: PUT,
  sequence,
  value: bytes(value),
});
const tombstone = (key: string, sequence: number): ArrayEntry => ({
  ...put(key, sequence, ""),
  kind: TOMBSTONE,
});
const expiring = (key: string, sequence: number, expiresAt: number): ArrayEntry => ({
  ...put(key, sequence),
  kind: EXPIRING,
  expiresAt,
});
const range = (start: string, end: string | undefined, sequence: number): RangeTombstone => ({
  start: bytes(start),
  end: end === undefined ? undefined : bytes(end),
  sequence,
});

const at = (cursor: EntryCursor) => `${text(cursor.key)}@${cursor.sequence}`;

async function forward(cursor: EntryCursor): Promise<string[]> {
  const seen: string[] = [];
  for (let more = await cursor.seekFirst(); more; more = await cursor.next()) seen.push(at(cursor));
  return seen;
}

async function backward(cursor: EntryCursor): Promise<string[]> {
  const seen: string[] = [];
  for (let more = await cursor.seekLast(); more; more = await cursor.previous()) seen.push(at(cursor));
  return seen;
}

describe("a merging cursor", () => {
  it("gives each key once, with its newest entry, in both directions", async () => {
    const runs = () => [
      run([put("b", 9), put("d", 8)]),
      run([put("a", 5), put("b", 6), put("e", 7)]),
      run([put("a", 1), put("b", 2), put("c", 3), put("d", 4)]),
    ];
    const expected = ["a@5", "b@9", "c@3", "d@8", "e@7"];
    expect(await forward(new MergingCursor(runs()))).toEqual(expected);
    expect(await backward(new MergingCursor(runs()))).toEqual(expected.toReversed());
  });

  it("hides what a tombstone deletes, and shows tombstones where they are asked for", async () => {
    const runs = () => [run([tombstone("a", 3), put("c", 4)]), run([put("a", 1), put("b", 2)])];
    expect(await forward(new MergingCursor(runs()))).toEqual(["b@2", "c@4"]);
    expect(await forward(new MergingCursor(runs(), { showTombstones: true }))).toEqual(["a@3", "b@2", "c@4"]);
  });

  it("hides what has expired by its time, and what is older with it, and gives the time of what has not", async () => {
    const runs = () => [
      run([expiring("a", 7, 100), expiring("b", 8, 101)]),
      run([put("a", 1), put("b", 2), put("c", 3), expiring("d", 4, 1)]),
    ];
    const expected = ["b@8", "c@3"];
    expect(await forward(new MergingCursor(runs(), { now: 100 }))).toEqual(expected);
    expect(await backward(new MergingCursor(runs(), { now: 100 }))).toEqual(expected.toReversed());
    expect(await forward(new MergingCursor(runs(), { now: 101 }))).toEqual(["c@3"]);
    const all = ["a@7", "b@8", "c@3", "d@4"];
    expect(await forward(new MergingCursor(runs(), { now: 101, showTombstones: true }))).toEqual(all);
    expect(await forward(new MergingCursor(runs()))).toEqual(all);
    const cursor = new MergingCursor(runs(), { now: 100 });
    await cursor.seek(bytes("a"));
    expect([cursor.kind, cursor.expiresAt]).toEqual([EXPIRING, 101]);
  });

  it("hides what a range tombstone covers, and nothing that was put after it", async () => {
    const runs = () => [
      run([put("c", 9)]),
      run([put("b", 8), put("d", 4)], [range("b", "e", 6)]),
      run([put("a", 1), put("b", 2), put("c", 3), put("e", 5)]),
    ];
    const expected = ["a@1", "b@8", "c@9", "e@5"];
    expect(await forward(new MergingCursor(runs()))).toEqual(expected);
    expect(await backward(new MergingCursor(runs()))).toEqual(expected.toReversed());
  });

  it("passes over what a newer run hides at once, however much it is", async () => {
    const many = Array.from({ length: 1000 }, (_, n) => put(`k${String(n).padStart(4, "0")}`, n + 1));
    const old = run(many);
    const cursor = new MergingCursor([run([put("z", 2000)], [range("k", "k0999", 1500)]), old]);
    expect(await forward(cursor)).toEqual(["k0999@1000", "z@2000"]);
    expect(old.cursor.moves).toBeLessThan(10);
  });

  it("passes over what a run's own range tombstone hides at once where the run has nothing newer, in both directions", async () => {
    const many = Array.from({ length: 1000 }, (_, n) => put(`k${String(n).padStart(4, "0")}`, n + 1));
    for (const read of [forward, backward]) {
      const own = { ...run(many, [range("k", "k0999", 1500)]), newest: 1500 };
      expect(await read(new MergingCursor([own]))).toEqual(["k0999@1000"]);
      expect(own.cursor.moves).toBeLessThan(10);
    }
    const written = [...many.slice(0, 500), put("k0499x", 1501), ...many.slice(500)];
    const own = { ...run(written, [range("k", "k0999", 1500)]), newest: 1501 };
    expect(await forward(new MergingCursor([own]))).toEqual(["k0499x@1501", "k0999@1000"]);
  });

  it("is at no entry behind either end, after a failure, and once it is closed", async () => {
    const cursor = new MergingCursor([run([put("a", 1)])]);
    expect(() => cursor.key).toThrow(KayaError);
    expect(cursor.next()).toBe(false);
    expect(cursor.seekFirst()).toBe(true);
    expect(cursor.next()).toBe(false);
    expect(() => cursor.key).toThrow(KayaError);
    expect(cursor.previous()).toBe(false);
    cursor.close();
    cursor.close();
    expect(() => cursor.seekFirst()).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
  });

  it("stands on no entry where a run fails, now or later", async () => {
    for (const isLater of [false, true]) {
      const failing = run([put("a", 1), put("b", 2)]);
      failing.cursor.next = () => {
        const error = new KayaError("KAYA_CORRUPTION", "damaged");
        if (isLater) return Promise.reject(error);
        throw error;
      };
      const cursor = new MergingCursor([failing, run([put("c", 3)])]);
      await cursor.seekFirst();
      await expect((async () => cursor.next())()).rejects.toThrow("damaged");
      expect(() => cursor.key).toThrow(KayaError);
      expect(await cursor.seek(bytes("c"))).toBe(true);
    }
  });

  it("answers at once where no run has to wait", () => {
    const cursor = new MergingCursor([run([put("a", 1), put("b", 2)]), run([put("b", 1)])]);
    expect(cursor.seekFirst()).toBe(true);
    expect(cursor.next()).toBe(true);
    expect(cursor.previous()).toBe(true);
    expect(cursor.seek(bytes("c"))).toBe(false);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "gives what a model gives, whatever the moves (seed %i)",
    async (seed) => {
      const random = new Random(seed);
      for (let round = 0; round < 40; round++) await compareWithModel(random);
    },
  );
});

const NOW = 100;

/** A history of puts, deletions and range deletions, cut into runs at random. */
async function compareWithModel(random: Random): Promise<void> {
  const key = () => `k${random.below(30)}`;
  const model = new Map<string, number>();
  const runs: Run[] = [];
  let entries = new Map<string, ArrayEntry>();
  let tombstones: RangeTombstone[] = [];
  for (let sequence = 1; sequence <= 80; sequence++) {
    const what = random.below(12);
    if (what > 9) {
      const [name, expiresAt] = [key(), 95 + random.below(10)];
      entries.set(name, expiring(name, sequence, expiresAt));
      if (expiresAt > NOW) model.set(name, sequence);
      else model.delete(name);
    } else if (what < 6) {
      const name = key();
      entries.set(name, put(name, sequence));
      model.set(name, sequence);
    } else if (what < 8) {
      const name = key();
      entries.set(name, tombstone(name, sequence));
      model.delete(name);
    } else if (what === 8) {
      const [start, end] = [key(), random.below(8) === 0 ? undefined : key()];
      tombstones.push(range(start, end, sequence));
      for (const name of [...model.keys()])
        if (name >= start && (end === undefined || name < end)) model.delete(name);
    }
    if (random.below(12) > 0 && sequence < 80) continue;
    const sorted = [...entries.values()].sort((a, b) => compareBytes(a.key, b.key));
    const last = run(sorted, tombstones, () => random.below(4) === 0);
    runs.unshift(random.below(2) === 0 ? last : { ...last, newest: sequence });
    [entries, tombstones] = [new Map(), []];
  }
  const names = [...model.keys()].sort();
  const cursor = new MergingCursor(runs, { now: NOW });
  let place = -1;
  for (let move = 0; move < 60; move++) {
    const target = key();
    const isPlaced = place >= 0 && place < names.length;
    const kind = random.below(isPlaced ? 12 : 4);
    if (kind === 0) place = (await cursor.seekFirst()) ? 0 : -1;
    else if (kind === 1) place = (await cursor.seekLast()) ? names.length - 1 : -1;
    else if (kind === 2) {
      await cursor.seek(bytes(target));
      place = names.findIndex((name) => name >= target);
    } else if (kind === 3) {
      const inclusive = random.below(2) === 0;
      await cursor.seekBefore(bytes(target), inclusive);
      place = names.findLastIndex((name) => (inclusive ? name <= target : name < target));
    } else if (kind < 8) {
      await cursor.next();
      place++;
    } else {
      await cursor.previous();
      place--;
    }
    const name = names[place];
    if (name === undefined) expect(() => cursor.key).toThrow(KayaError);
    else expect(at(cursor)).toBe(`${name}@${model.get(name)}`);
  }
  expect(await forward(cursor)).toEqual(names.map((name) => `${name}@${model.get(name)}`));
}
