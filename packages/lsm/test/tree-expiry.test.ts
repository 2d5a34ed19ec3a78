import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "@kaya/core";
import { NodeDisk, SimDisk } from "@kaya/io";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type CompactionMessage,
  EXPIRING,
  formatTableProperties,
  inspectTable,
  isTableDamage,
  isTableRow,
  LSM_CHANNELS,
  type LsmTree,
  verifyTree,
} from "../src/index.js";
import { ExpiryCounter } from "../src/table/table-expiry.js";
import { tablePath } from "../src/version/table-files.js";
import { bytes, text } from "./support/keys.js";
import { ModelWrites, openTiny } from "./support/tree-model.js";
import { codeOf } from "./support.js";

const MANUAL = { autoCompact: false } as const;

/** Flushes what `write` does. */
async function flush(tree: LsmTree, write: (writes: ModelWrites) => void): Promise<void> {
  const writes = new ModelWrites(new Map(), tree.covered.sequence);
  write(writes);
  await tree.flush(writes.source(), writes.covered);
}

function putMany(count: number, expiresAt: (n: number) => number | undefined, prefix = "key") {
  return (writes: ModelWrites) => {
    for (let n = 0; n < count; n++)
      writes.put(`${prefix}${String(n).padStart(5, "0")}`, "v".repeat(50), expiresAt(n));
  };
}

const counts = (tree: LsmTree) =>
  tree
    .stats()
    .levels.map(({ level, entries, tombstones, expiring }) => [level, entries, tombstones, expiring]);

async function keysOf(tree: LsmTree, now?: number): Promise<string[]> {
  const cursor = tree.cursor({ now });
  const keys: string[] = [];
  for (let more = await cursor.seekFirst(); more; more = await cursor.next()) keys.push(text(cursor.key));
  cursor.close();
  return keys;
}

afterEach(() => {
  vi.useRealTimers();
});

describe("an entry that expires", () => {
  it("is found with its time before and after it, and hidden by a cursor that has the time", async () => {
    const tree = await openTiny(new SimDisk(), { ...MANUAL, now: () => 1 });
    await flush(tree, (writes) => writes.put("a", "old"));
    await flush(tree, (writes) => writes.put("a", "new", 100));
    for (const found of [tree.getSync(bytes("a")), await tree.get(bytes("a"))])
      expect(found).toMatchObject({ kind: EXPIRING, expiresAt: 100, sequence: 2, value: bytes("new") });
    expect([await keysOf(tree), await keysOf(tree, 99), await keysOf(tree, 100)]).toEqual([["a"], ["a"], []]);
    await tree.close();
  });

  it("that has expired when it is flushed is flushed as a tombstone, which still hides what is older", async () => {
    const tree = await openTiny(new SimDisk(), { ...MANUAL, now: () => 100 });
    await flush(tree, (writes) => writes.put("a", "old"));
    await flush(tree, (writes) => {
      writes.put("a", "new", 100);
      writes.put("b", "new", 101);
    });
    expect(counts(tree)).toEqual([[0, 3, 1, 1]]);
    expect(await tree.get(bytes("a"))).toBeUndefined();
    expect(await keysOf(tree)).toEqual(["b"]);
    await tree.close();
  });

  it("at no time is refused by a flush, which changes nothing", async () => {
    const tree = await openTiny(new SimDisk(), MANUAL);
    for (const expiresAt of [undefined, 0, -1, 1.5, Number.NaN, 2 ** 53]) {
      const entry = { key: bytes("a"), kind: EXPIRING, sequence: 1, value: bytes("v"), expiresAt };
      const flushed = tree.flush({ entries: [entry as never] }, { lsn: 1, sequence: 1 });
      expect(await codeOf(flushed)).toBe("KAYA_INVALID_ARGUMENT");
    }
    expect(counts(tree)).toEqual([]);
    await tree.close();
  });
});

describe("compaction", () => {
  it("never lets an older version of a key come back, at any level, and snapshots keep what they show", async () => {
    let now = 1;
    const tree = await openTiny(new SimDisk(), { ...MANUAL, now: () => now });
    await flush(
      tree,
      putMany(50, () => undefined),
    ); // the oldest, without a time
    await tree.compact();
    await flush(
      tree,
      putMany(50, (n) => (n % 2 === 0 ? 100 : undefined)),
    );
    const snapshot = tree.snapshot();
    now = 100;
    // Into level 0 only: the expired ones become tombstones above what they hide.
    await flush(tree, (writes) => writes.put("other", "v"));
    const odd = Array.from({ length: 25 }, (_, n) => `key${String(2 * n + 1).padStart(5, "0")}`);
    const check = async () => {
      expect(await keysOf(tree, now)).toEqual([...odd, "other"]);
      const found = await tree.get(bytes("key00002"));
      expect(found === undefined || found.kind === EXPIRING).toBe(true);
    };
    await check();
    // One range after the other: every state in between is checked.
    for (const [start, end] of [
      ["key00000", "key00010"],
      ["key00030", "key00040"],
      ["a", "z"],
    ] as const) {
      await tree.compact({ start: bytes(start), end: bytes(end) });
      await check();
    }
    expect(counts(tree)).toEqual([[6, 26, 0, 0]]);
    // The snapshot has its tables, and its own time.
    const cursor = snapshot.cursor({ now: 99 });
    let seen = 0;
    for (let more = await cursor.seekFirst(); more; more = await cursor.next()) seen++;
    cursor.close();
    expect([seen, (await snapshot.get(bytes("key00002")))?.kind]).toEqual([50, EXPIRING]);
    snapshot.release();
    await tree.close();
  });

  it("keeps an expired entry as a tombstone where something older may be below, and drops it where nothing is", async () => {
    let now = 1;
    const options = { ...MANUAL, now: () => now, baseLevelBytes: 2000, tableBytes: 1500 };
    const tree = await openTiny(new SimDisk(), options);
    await flush(
      tree,
      putMany(200, () => undefined),
    );
    await tree.compact();
    await flush(tree, (writes) => {
      writes.put("key00005", "newer", 100);
      writes.put("zzz", "alone", 100);
    });
    now = 100;
    await flush(tree, (writes) => writes.put("key00006", "x"));
    await tree.compact({ start: bytes("key00005"), end: bytes("key00006") });
    expect(await tree.get(bytes("key00005"))).toBeUndefined();
    expect(await tree.get(bytes("zzz"))).toBeUndefined();
    expect(await keysOf(tree, now)).toHaveLength(199);
    await tree.close();
  });

  it("writes a table of version 1 again once nothing in it expires", async () => {
    const disk = new SimDisk();
    let now = 1;
    const tree = await openTiny(disk, { ...MANUAL, now: () => now });
    const version = async () => {
      const [name] = (await disk.list("sst")).map(({ path }) => path);
      const file = disk.readFile(name as string) as Uint8Array;
      return new DataView(file.buffer, file.byteOffset).getUint16(file.length - 10, true);
    };
    await flush(tree, (writes) => {
      writes.put("a", "v", 100);
      writes.put("b", "v");
    });
    expect(await version()).toBe(2);
    now = 200;
    await tree.compact();
    expect([await version(), counts(tree)]).toEqual([1, [[6, 1, 0, 0]]]);
    await tree.close();
  });

  it("of everything leaves nothing that has expired, also of what is in the last level already", async () => {
    let now = 1;
    const tree = await openTiny(new SimDisk(), { ...MANUAL, now: () => now });
    for (const prefix of ["a", "b"]) {
      const some = putMany(100, (n) => (n % 2 === 0 ? 100 : undefined), prefix);
      await flush(tree, some);
      await tree.compact();
    }
    const all = [[6, 200, 0, 100]];
    expect([counts(tree), tree.stats().tables]).toEqual([all, 2]);
    now = 99;
    await tree.compact();
    expect(counts(tree)).toEqual(all);
    now = 100;
    await tree.compact({ start: bytes("a"), end: bytes("b") });
    expect(counts(tree)).toEqual([[6, 150, 0, 50]]);
    await tree.compact();
    expect(counts(tree)).toEqual([[6, 100, 0, 0]]);
    await tree.close();
  });

  it("takes the time of a worker's job, not that of its thread", async () => {
    const root = await mkdtemp(join(tmpdir(), "kaya-expiry-"));
    try {
      const far = Date.now() + 2 ** 40;
      let now = 1;
      // As its users have it: a worker is started from a built file.
      const { LsmTree: Built } = await import("@kaya/lsm");
      const tree = await Built.open(new NodeDisk(root), {
        ...MANUAL,
        worker: true,
        now: () => now,
        quietMs: 0,
      });
      const value = Buffer.alloc(1000);
      const entries = Array.from({ length: 1500 }, (_, n) => ({
        key: Buffer.from(`key${String(n).padStart(5, "0")}`),
        kind: EXPIRING,
        sequence: n + 1,
        value,
        expiresAt: n < 700 ? far : far + 1,
      }));
      await tree.flush({ entries }, { lsn: 1500, sequence: 1500 });
      now = far;
      await tree.compact();
      expect(tree.stats().levels).toMatchObject([{ level: 6, entries: 800, expiring: 800 }]);
      await tree.close();
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("goes by the latest time that its clock gave, where that goes back", async () => {
    let now = 100;
    const tree = await openTiny(new SimDisk(), { ...MANUAL, now: () => now });
    await flush(tree, (writes) => writes.put("a", "v", 90));
    now = 10;
    await flush(tree, (writes) => writes.put("b", "v", 90));
    expect(counts(tree)).toEqual([[0, 2, 2, 0]]);
    await tree.close();
  });
});

describe("in an idle store", () => {
  const AUTO = { autoCompact: true, level0Tables: 4, quietMs: 0 } as const;

  it("a look takes away what has expired since, in place, and says when the next one pays", async () => {
    let now = 1;
    const tree = await openTiny(new SimDisk(), { ...AUTO, now: () => now, baseLevelBytes: 2 ** 20 });
    await flush(
      tree,
      putMany(100, (n) => 1000 + n),
    );
    await tree.compact();
    expect(counts(tree)).toEqual([[6, 100, 0, 100]]);
    const looks: number[] = [];
    for (let next = tree.nextExpiryLook; next !== undefined; next = tree.nextExpiryLook) {
      expect(next).toBeGreaterThan(now);
      looks.push(next);
      now = next;
      tree.lookForExpired();
      await tree.settled();
      const left = counts(tree)[0]?.[3] ?? 0;
      const alive = 1100 - now - 1;
      expect(await keysOf(tree, now)).toHaveLength(Math.max(0, alive));
      // At most a seventh of what is there has expired: a look is due before there is more.
      expect(left - alive).toBeLessThanOrEqual(left * 0.15 + 3);
    }
    expect(looks.length).toBeGreaterThan(5);
    expect(looks.length).toBeLessThan(60);
    expect(counts(tree)).toEqual([]);
    await tree.close();
  });

  it("a time series with retention is dropped table after table, without reading one", async () => {
    let now = 1;
    const tree = await openTiny(new SimDisk(), { ...AUTO, now: () => now, baseLevelBytes: 2 ** 20 });
    for (let hour = 0; hour < 10; hour++) {
      await flush(
        tree,
        putMany(100, () => 1000 + hour, `hour${hour}-`),
      );
      await tree.compact();
    }
    const before = tree.stats();
    expect(before.tables).toBeGreaterThan(9);
    const kinds: string[] = [];
    const listen = (message: unknown) => {
      const { phase, kind } = message as CompactionMessage;
      if (phase === "finished") kinds.push(kind);
    };
    subscribe(LSM_CHANNELS.compaction, listen);
    const left: number[] = [];
    for (let hour = 0; hour < 10; hour++) {
      now = tree.nextExpiryLook as number;
      tree.lookForExpired();
      await tree.settled();
      left.push(tree.stats().levels.reduce((sum, { entries }) => sum + entries, 0));
    }
    unsubscribe(LSM_CHANNELS.compaction, listen);
    expect(left).toEqual([900, 800, 700, 600, 500, 400, 300, 200, 100, 0]);
    const after = tree.stats();
    expect(new Set(kinds)).toEqual(new Set(["drop"]));
    expect([after.compactionReadBytes, after.compactionWrittenBytes]).toEqual([
      before.compactionReadBytes,
      before.compactionWrittenBytes,
    ]);
    expect(tree.nextExpiryLook).toBeUndefined();
    await tree.close();
  });

  it("the tree looks by itself when it pays, also where its clock was put forward meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let now = 1;
    const options = { ...AUTO, quietMs: 100, now: () => now, baseLevelBytes: 2 ** 20 };
    const tree = await openTiny(new SimDisk(), options);
    await flush(
      tree,
      putMany(100, (n) => 10_000 + n),
    );
    const pass = async (ms: number) => {
      now += ms;
      vi.advanceTimersByTime(ms);
      await tree.settled();
    };
    await tree.settled();
    await pass(100); // quiet: nothing has expired
    expect(counts(tree)).toEqual([[6, 100, 0, 100]]);
    await pass(5000);
    expect(counts(tree)).toEqual([[6, 100, 0, 100]]);
    now += 10_000_000; // put forward
    await pass(60 * 60 * 1000);
    expect(counts(tree)).toEqual([]);
    await tree.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("no store without expiry has such a timer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const tree = await openTiny(new SimDisk(), { ...AUTO, quietMs: 100 });
    await flush(
      tree,
      putMany(100, () => undefined),
    );
    await tree.settled();
    expect(vi.getTimerCount()).toBe(1); // for the quiet
    vi.advanceTimersByTime(100);
    await tree.settled();
    expect([vi.getTimerCount(), tree.nextExpiryLook]).toEqual([0, undefined]);
    await tree.close();
  });
});

describe("looking into it", () => {
  async function withTable(): Promise<SimDisk> {
    const disk = new SimDisk();
    const tree = await openTiny(disk, { ...MANUAL, now: () => 1 });
    await flush(
      tree,
      putMany(100, (n) => (n % 4 === 0 ? undefined : 1000 + n)),
    );
    await tree.close();
    return disk;
  }

  it("an inspection shows how many entries expire, and when", async () => {
    const disk = await withTable();
    for await (const item of inspectTable(disk, tablePath(1))) {
      expect(isTableDamage(item)).toBe(false);
      if (isTableDamage(item) || isTableRow(item)) continue;
      expect(item.expiry).toEqual({ entries: 75, earliest: 1001, half: 1050, latest: 1099 });
      expect(formatTableProperties(item)).toMatch(
        / expiring=75 earliest_expiry=1001 half_expired=1050 latest_expiry=1099$/,
      );
    }
    expect(await verifyTree(disk)).toMatchObject({ damage: [] });
  });

  it("a footer that says other times than its blocks is damage, also where its checksum is right", async () => {
    const disk = await withTable();
    const path = tablePath(1);
    const whole = disk.readFile(path) as Uint8Array;
    for (const [at, number] of [
      [76, 74],
      [84, 1000],
      [92, 1049],
      [100, 1100],
    ] as const) {
      const file = whole.slice();
      const footer = new DataView(file.buffer, file.length - 120);
      footer.setBigUint64(at, BigInt(number), true);
      footer.setUint32(112, 0, true);
      footer.setUint32(112, crc32c(file.subarray(-120)), true);
      disk.writeFile(path, file);
      const damage: string[] = [];
      for await (const item of inspectTable(disk, path)) if (isTableDamage(item)) damage.push(item.message);
      expect(damage).toEqual([
        expect.stringMatching(/^the footer says .*entries that expire.*the blocks have /),
      ]);
    }
  });

  it("half of the entries is the middle of a sample, however many there are", () => {
    for (const count of [1, 2, 255, 256, 257, 100_000]) {
      const counter = new ExpiryCounter();
      for (let n = 0; n < count; n++) counter.add(1 + ((n * 7919) % count));
      const expiry = counter.expiry as NonNullable<typeof counter.expiry>;
      expect([expiry.entries, expiry.earliest, expiry.latest]).toEqual([count, 1, count]);
      expect(Math.abs(expiry.half / count - 0.5)).toBeLessThan(count < 10 ? 1 : 0.1);
    }
    expect(new ExpiryCounter().expiry).toBeUndefined();
  });
});
