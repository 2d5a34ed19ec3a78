import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Disk, NodeDisk, Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import type { LsmTree } from "../src/tree/lsm-tree.js";
import type { LsmSnapshot } from "../src/tree/snapshot.js";
import { bytes, text } from "./support/keys.js";
import {
  type Contents,
  contentsOf,
  contentsOfSync,
  keysBackward,
  ModelWrites,
  openTiny,
  randomWrites,
  sorted,
} from "./support/tree-model.js";

const KEYS = 400;

interface Held {
  readonly snapshot: LsmSnapshot;
  readonly contents: Contents;
}

type Readable = Pick<LsmTree, "get" | "getSync" | "cursor">;

async function checkReads(tree: Readable, contents: Contents, random: Random): Promise<void> {
  expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
  expect(await keysBackward(tree.cursor({ readAhead: false }))).toEqual(
    [...sorted(contents).keys()].reverse(),
  );
  expect(contentsOfSync(tree.cursor({ sync: true }))).toEqual(sorted(contents));
  for (let n = 0; n < 60; n++) {
    const key = `key${String(random.below(KEYS)).padStart(5, "0")}`;
    const expected = contents.get(key);
    const found = n % 2 === 0 ? tree.getSync(bytes(key)) : await tree.get(bytes(key));
    expect(found && { sequence: found.sequence, value: text(found.value) }).toEqual(expected);
  }
}

/** Seeks and turns in the middle, as no whole scan has them. */
async function checkMoves(tree: Readable, contents: Contents, random: Random): Promise<void> {
  const keys = [...sorted(contents).keys()];
  const sync = random.below(2) === 0;
  const cursor = tree.cursor({ sync });
  const isThere = async (moved: boolean | Promise<boolean>) => {
    if (sync) expect(moved).toBeTypeOf("boolean");
    return moved;
  };
  for (let n = 0; n < 10; n++) {
    const target = `key${String(random.below(KEYS)).padStart(5, "0")}`;
    let place = keys.findIndex((key) => key >= target);
    if (place === -1) place = keys.length;
    expect(await isThere(cursor.seek(bytes(target)))).toBe(place < keys.length);
    for (let step = 0; step < 12 && place >= 0 && place < keys.length; step++) {
      expect(text(cursor.key)).toBe(keys[place]);
      const forward = random.below(2) === 0;
      place += forward ? 1 : -1;
      expect(await isThere(forward ? cursor.next() : cursor.previous())).toBe(
        place >= 0 && place < keys.length,
      );
    }
  }
  cursor.close();
}

async function live(disk: Disk, seed: number, rounds: number): Promise<void> {
  const random = new Random(seed);
  let tree = await openTiny(disk);
  let contents: Contents = new Map();
  let held: Held[] = [];
  let [flushes, merges, drops] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const writes = new ModelWrites(contents, tree.covered.sequence);
    randomWrites(random, writes, random.below(60), KEYS);
    await tree.flush(writes.source(), writes.covered);
    contents = writes.contents;
    expect(tree.covered).toEqual(writes.covered);
    if (random.below(8) === 0) held.push({ snapshot: tree.snapshot(), contents });
    if (random.below(6) === 0) await checkReads(tree, contents, random);
    if (random.below(10) === 0) await checkMoves(tree, contents, random);
    const oldest = held[0];
    if (oldest !== undefined && random.below(12) === 0) {
      await checkReads(oldest.snapshot, oldest.contents, random);
      oldest.snapshot.release();
      held = held.slice(1);
    }
    if (random.below(25) === 0)
      await tree.compact(
        random.below(2) === 0 ? undefined : { start: bytes("key00100"), end: bytes("key00200") },
      );
    if (random.below(20) === 0 || round === rounds - 1) {
      for (const { snapshot, contents: of } of held) {
        await checkReads(snapshot, of, random);
        snapshot.release();
      }
      held = [];
      const stats = tree.stats();
      expect(stats.compactionFailure).toBeUndefined();
      flushes += stats.flushes;
      merges += stats.compactions.merges;
      drops += stats.compactions.drops;
      await tree.close();
      tree = await openTiny(disk);
      expect(tree.warnings).toEqual([]);
      await checkReads(tree, contents, random);
    }
  }
  await tree.compact();
  await checkReads(tree, contents, random);
  const { levels } = tree.stats();
  expect(
    levels.map(({ entries, tombstones, rangeTombstones }) => [entries, tombstones, rangeTombstones]),
  ).toEqual(contents.size === 0 ? [] : [[contents.size, 0, 0]]);
  await tree.close();
  expect(tree.stats().obsoleteFiles).toBe(0);
  expect(await disk.list("sst")).toHaveLength(levels.at(-1)?.tables ?? 0);
  expect(flushes).toBe(rounds);
  expect(merges).toBeGreaterThan(rounds / 5);
  expect(drops).toBeGreaterThan(0);
}

describe("a tree shows what a sorted map shows", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "over hundreds of flushes and compactions, with snapshots held across them (seed %i)",
    async (seed) => {
      await live(new SimDisk({ seed }), seed, 200);
    },
  );

  it("and on a real disk", async () => {
    const root = await mkdtemp(join(tmpdir(), "kaya-lsm-"));
    try {
      await live(new NodeDisk(root), 77, 80);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
