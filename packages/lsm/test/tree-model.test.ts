import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Disk, NodeDisk, Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { EXPIRING, type Found } from "../src/entry.js";
import type { LsmTree } from "../src/tree/lsm-tree.js";
import type { LsmSnapshot } from "../src/tree/snapshot.js";
import { bytes, text } from "./support/keys.js";
import {
  alive,
  type Contents,
  contentsOf,
  contentsOfSync,
  keysBackward,
  type ModelEntry,
  ModelWrites,
  openTiny,
  randomWrites,
  sorted,
} from "./support/tree-model.js";

const KEYS = 400;

interface Held {
  readonly snapshot: LsmSnapshot;
  readonly contents: Contents;
  /** When it was made. */
  readonly now: number;
}

type Readable = Pick<LsmTree, "get" | "getSync" | "cursor">;

/** @param all also what has expired by `now` */
async function checkReads(tree: Readable, all: Contents, random: Random, now: number): Promise<void> {
  const contents = alive(all, now);
  expect(await contentsOf(tree.cursor({ now }))).toEqual(sorted(contents));
  expect(await keysBackward(tree.cursor({ readAhead: false, now }))).toEqual(
    [...sorted(contents).keys()].reverse(),
  );
  expect(contentsOfSync(tree.cursor({ sync: true, now }))).toEqual(sorted(contents));
  for (let n = 0; n < 60; n++) {
    const key = `key${String(random.below(KEYS)).padStart(5, "0")}`;
    const expected = contents.get(key);
    const found = n % 2 === 0 ? tree.getSync(bytes(key)) : await tree.get(bytes(key));
    expect(entryOf(found, now)).toEqual(expected);
  }
}

/** A look-up leaves it to its caller to see that an entry has expired. */
function entryOf(found: Found | undefined, now: number): ModelEntry | undefined {
  if (found === undefined || (found.kind === EXPIRING && found.expiresAt <= now)) return undefined;
  const { kind, sequence, value, expiresAt } = found;
  return { sequence, value: text(value), ...(kind === EXPIRING && { expiresAt }) };
}

/** Seeks and turns in the middle, as no whole scan has them. */
async function checkMoves(tree: Readable, all: Contents, random: Random, now: number): Promise<void> {
  const keys = [...sorted(alive(all, now)).keys()];
  const sync = random.below(2) === 0;
  const cursor = tree.cursor({ sync, now });
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

/** @param expires puts expire, and time goes on; at times it goes back, which nobody may notice */
async function live(disk: Disk, seed: number, rounds: number, expires = false): Promise<void> {
  const random = new Random(seed);
  let [clock, now] = [1000, 1000];
  const options = { now: () => clock };
  let tree = await openTiny(disk, options);
  let contents: Contents = new Map();
  let held: Held[] = [];
  let [flushes, merges, drops] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    if (expires) clock += random.below(10) === 0 ? -random.below(50) : random.below(20);
    now = Math.max(now, clock);
    const writes = new ModelWrites(contents, tree.covered.sequence);
    randomWrites(random, writes, random.below(60), KEYS, expires ? now : undefined);
    await tree.flush(writes.source(), writes.covered);
    contents = writes.contents;
    expect(tree.covered).toEqual(writes.covered);
    if (random.below(8) === 0) held.push({ snapshot: tree.snapshot(), contents, now });
    if (random.below(6) === 0) await checkReads(tree, contents, random, now);
    if (random.below(10) === 0) await checkMoves(tree, contents, random, now);
    if (expires && random.below(4) === 0) tree.lookForExpired();
    const oldest = held[0];
    if (oldest !== undefined && random.below(12) === 0) {
      await checkReads(oldest.snapshot, oldest.contents, random, oldest.now);
      oldest.snapshot.release();
      held = held.slice(1);
    }
    if (random.below(25) === 0)
      await tree.compact(
        random.below(2) === 0 ? undefined : { start: bytes("key00100"), end: bytes("key00200") },
      );
    if (random.below(20) === 0 || round === rounds - 1) {
      for (const { snapshot, contents: of, now: then } of held) {
        await checkReads(snapshot, of, random, then);
        snapshot.release();
      }
      held = [];
      const stats = tree.stats();
      expect(stats.compactionFailure).toBeUndefined();
      flushes += stats.flushes;
      merges += stats.compactions.merges;
      drops += stats.compactions.drops;
      await tree.close();
      tree = await openTiny(disk, options);
      expect(tree.warnings).toEqual([]);
      await checkReads(tree, contents, random, now);
    }
  }
  clock = now;
  await tree.compact();
  await checkReads(tree, contents, random, now);
  contents = alive(contents, now);
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

  it.each([11, 12])(
    "where puts expire, before and after what is older was written (seed %i)",
    async (seed) => {
      await live(new SimDisk({ seed }), seed, 200, true);
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
