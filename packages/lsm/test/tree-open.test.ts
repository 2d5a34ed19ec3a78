import { Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { formatLsmWarning, LsmTree } from "../src/index.js";
import { resolveLsmOptions } from "../src/tree/options.js";
import { tablePath } from "../src/version/table-files.js";
import { bytes, text } from "./support/keys.js";
import { contentsOf, ModelWrites, openTiny, randomWrites, sorted } from "./support/tree-model.js";

async function filled(options = {}) {
  const disk = new SimDisk();
  const tree = await openTiny(disk, options);
  let writes = new ModelWrites(new Map(), 0);
  for (let n = 0; n < 6; n++) {
    writes = new ModelWrites(writes.contents, writes.covered.sequence);
    randomWrites(new Random(n), writes, 40, 100);
    await tree.flush(writes.source(), writes.covered);
  }
  if (options !== KEEP) await tree.settled();
  await tree.close();
  return { disk, contents: writes.contents, covered: writes.covered };
}
const KEEP = { autoCompact: false };

/** Refused, and the disk as it was. */
async function mustRefuse(disk: SimDisk, code: string, message: RegExp): Promise<void> {
  const before = { digest: disk.stateDigest("everything"), operations: disk.nextOperation };
  const error = await LsmTree.open(disk).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toMatch(message);
  expect({ digest: disk.stateDigest("everything"), operations: disk.nextOperation }).toEqual(before);
}

describe("a tree that is closed", () => {
  it("still says whether all of its manifest is known to be on the disk", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    const writes = new ModelWrites(new Map(), 0);
    randomWrites(new Random(1), writes, 40, 100);
    await tree.flush(writes.source(), writes.covered);
    await tree.close();
    expect(tree.isClean).toBe(true);

    const seen = new Set<boolean>();
    for (let place = 0; place < 12; place++) {
      const other = disk.fork();
      const failing = await openTiny(other, KEEP);
      const more = new ModelWrites(writes.contents, writes.covered.sequence);
      randomWrites(new Random(2), more, 40, 100);
      other.addFault({ at: other.nextOperation + place, kind: "fsync-failed" });
      await failing.flush(more.source(), more.covered).catch(() => undefined);
      const isClean = failing.isClean;
      await failing.close();
      expect(failing.isClean, `${place}`).toBe(isClean);
      seen.add(isClean);
    }
    expect(seen).toEqual(new Set([true, false]));
  });
});

describe("opening a tree", () => {
  it("M7: refuses a table that is missing, shorter, longer or another one, with its name, and changes nothing", async () => {
    const { disk } = await filled(KEEP);
    const tables = (await disk.list("sst")).map(({ path }) => path);
    expect(tables.length).toBeGreaterThan(2);
    for (const [index, path] of tables.entries()) {
      const name = new RegExp(path);
      const missing = disk.fork();
      missing.removeDurably(path);
      await mustRefuse(missing, "KAYA_CORRUPTION", name);
      const whole = disk.readFile(path) as Uint8Array;
      const shorter = disk.fork();
      shorter.truncateDurably(path, whole.length - 1);
      await mustRefuse(shorter, "KAYA_CORRUPTION", name);
      const longer = disk.fork();
      longer.truncateDurably(path, whole.length + 1);
      await mustRefuse(longer, "KAYA_CORRUPTION", name);
      const swapped = disk.fork();
      const other = disk.readFile(tables[(index + 1) % tables.length] as string) as Uint8Array;
      swapped.writeFile(path, other);
      await mustRefuse(swapped, "KAYA_CORRUPTION", name);
    }
  });

  it("M7: tells a table of the same length from the one that is named", async () => {
    const disks = [];
    for (const value of ["a", "b"]) {
      const disk = new SimDisk();
      const tree = await LsmTree.open(disk, KEEP);
      const writes = new ModelWrites(new Map(), 0);
      writes.put("key", value);
      await tree.flush(writes.source(), writes.covered);
      await tree.close();
      disks.push(disk);
    }
    const [one, other] = disks as [SimDisk, SimDisk];
    const foreign = other.readFile(tablePath(1)) as Uint8Array;
    expect(foreign.length).toBe(one.readFile(tablePath(1))?.length);
    one.writeFile(tablePath(1), foreign);
    await mustRefuse(one, "KAYA_CORRUPTION", /another table/);
  });

  it("M6: refuses tables without a manifest", async () => {
    const { disk } = await filled();
    for (const { path } of await disk.list("manifest")) disk.removeDurably(path);
    await mustRefuse(disk, "KAYA_CORRUPTION", /and no manifest/);
  });

  it("M8: removes orphans, tells of a whole one that the manifest ends before, and never uses their ids again", async () => {
    const { disk, contents } = await filled(KEEP);
    const [first] = await disk.list("sst");
    const whole = disk.readFile(first?.path as string) as Uint8Array;
    disk.writeFile(tablePath(50), whole);
    disk.writeFile(tablePath(51), whole.slice(0, 100));
    disk.writeFile("sst/notes.txt", new Uint8Array(1));
    const tree = await openTiny(disk, KEEP);
    expect(tree.warnings).toEqual([
      { kind: "UnknownFile", path: "sst/notes.txt" },
      { kind: "OrphanTable", path: tablePath(50), bytes: whole.length, isRemoved: true },
    ]);
    for (const warning of tree.warnings) expect(formatLsmWarning(warning)).toContain(warning.path);
    expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
    const writes = new ModelWrites(contents, tree.covered.sequence);
    writes.put("new", "");
    await tree.flush(writes.source(), writes.covered);
    expect((await disk.list("sst")).map(({ path }) => path)).toContain(tablePath(52));
    await tree.close();
    expect((await openTiny(disk, KEEP)).warnings).toEqual([{ kind: "UnknownFile", path: "sst/notes.txt" }]);
  });

  it("M8: goes on where an orphan cannot be removed, and tries again the next time", async () => {
    const { disk } = await filled(KEEP);
    disk.writeFile(tablePath(60), new Uint8Array(10));
    const probe = disk.fork();
    await openTiny(probe, { ...KEEP });
    const at = probe.events.find(({ kind, path }) => kind === "remove" && path === tablePath(60))
      ?.index as number;
    disk.addFault({ at, kind: "io-error" });
    const tree = await openTiny(disk, KEEP);
    expect(tree.warnings).toEqual([
      { kind: "OrphanTable", path: tablePath(60), bytes: 10, isRemoved: false },
    ]);
    await tree.close();
    expect((await openTiny(disk, KEEP)).warnings).toEqual([]);
    expect(disk.readFile(tablePath(60))).toBeUndefined();
  });

  it("tells of a torn edit, and goes on without it", async () => {
    const { disk, covered, contents } = await filled(KEEP);
    const [manifest] = await disk.list("manifest");
    const file = await disk.open(manifest?.path as string);
    await file.append(new Uint8Array(60));
    await file.sync();
    const tree = await openTiny(disk, KEEP);
    expect(tree.warnings).toMatchObject([{ kind: "TornEdit", path: manifest?.path, bytes: 60 }]);
    for (const warning of tree.warnings) expect(formatLsmWarning(warning)).toContain("was not whole");
    expect(tree.covered).toEqual(covered);
    expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
  });

  it("asks its owner before it changes anything", async () => {
    const { disk, covered } = await filled(KEEP);
    disk.writeFile(tablePath(70), new Uint8Array(10));
    const tree = await openTiny(disk, KEEP);
    await tree.setLogIdentity("the log");
    await tree.close();
    const before = disk.stateDigest("everything");
    const refuse = () => {
      throw new Error("not mine");
    };
    await expect(openTiny(disk, { accept: refuse })).rejects.toThrow("not mine");
    expect(disk.stateDigest("everything")).toBe(before);
    const found: unknown[] = [];
    await openTiny(disk, { ...KEEP, accept: (each) => void found.push(each) });
    expect(found).toEqual([{ covered, logIdentity: "the log", tables: 6 }]);
  });

  it("writes nothing where the page cache is trusted and all was left in order", async () => {
    const { disk, contents } = await filled(KEEP);
    const operations = disk.nextOperation;
    const tree = await openTiny(disk, { ...KEEP, trustPageCache: true });
    expect(disk.nextOperation).toBe(operations);
    expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
    await tree.close();
  });

  it("tells after it was closed, too, whether all of it is known to be on stable storage", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk);
    await tree.setLogIdentity("a");
    await tree.close();
    expect(tree.isClean).toBe(true);
    const failed = await openTiny(disk);
    disk.addFault({ at: disk.nextOperation + 1, kind: "fsync-failed" });
    await expect(failed.setLogIdentity("b")).rejects.toThrow();
    expect(failed.isClean).toBe(false);
    await failed.close();
    expect(failed.isClean).toBe(false);
  });

  it("refuses the names of files that may be tables and cannot be", async () => {
    const { disk } = await filled(KEEP);
    disk.writeFile("sst/0000000000000000.sst", new Uint8Array(1));
    await mustRefuse(disk, "KAYA_CORRUPTION", /named like a table/);
  });
});

describe("a tree's options", () => {
  it("have defaults", () => {
    expect(resolveLsmOptions()).toMatchObject({
      tableBytes: 32 * 2 ** 20,
      level0Tables: 4,
      compression: "none",
    });
  });

  it.each([
    [{ tableByte: 1 }, /tableByte is not an option/],
    [{ tableBytes: 0 }, /tableBytes must be a whole number/],
    [{ levelRatio: 1.5 }, /levelRatio/],
    [{ compression: "zip" }, /compression must be one of/],
    [{ worker: 1 }, /worker must be true or false/],
    [{ level0Tables: 9, level0Stop: 8 }, /level0Stop/],
    [{ blockBytes: 1, cacheBytes: -1 }, /cacheBytes.*blockBytes/],
  ])("are refused all at once where they are wrong: %j", async (options, message) => {
    const disk = new SimDisk();
    const error = await LsmTree.open(disk, options as never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "KAYA_INVALID_ARGUMENT" });
    expect((error as Error).message).toMatch(message);
    expect(disk.nextOperation).toBe(0);
  });
});

describe("a flush", () => {
  const put = (key: string, sequence: number) => ({
    key: bytes(key),
    kind: 0 as const,
    sequence,
    value: bytes("v"),
  });

  it("refuses what is not newer than the tables, or not covered, or out of order, and leaves nothing behind", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    await tree.flush({ entries: [put("a", 1)] }, { lsn: 5, sequence: 5 });
    const refused: [object[], object][] = [
      [[put("b", 5)], { lsn: 6, sequence: 6 }],
      [[put("b", 7)], { lsn: 6, sequence: 6 }],
      [[put("b", 6)], { lsn: 4, sequence: 6 }],
      [[], { lsn: 6, sequence: 4 }],
      [[put("c", 6), put("b", 7)], { lsn: 7, sequence: 7 }],
    ];
    for (const [entries, covered] of refused) {
      await expect(tree.flush({ entries } as never, covered as never)).rejects.toMatchObject({
        code: "KAYA_INVALID_ARGUMENT",
      });
    }
    expect(tree.covered).toEqual({ lsn: 5, sequence: 5 });
    expect(await disk.list("sst")).toHaveLength(1);
  });

  it("of nothing moves what is covered, durably, and writes no table", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    expect(await tree.flush({ entries: [] }, { lsn: 9, sequence: 3 })).toEqual({
      bytes: 0,
      entries: 0,
      covered: { lsn: 9, sequence: 3 },
    });
    disk.crash();
    const again = await openTiny(disk, KEEP);
    expect(again.covered).toEqual({ lsn: 9, sequence: 3 });
    expect(again.stats().tables).toBe(0);
  });

  it("takes entries that come with time, and a range tombstone alone", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, KEEP);
    async function* entries() {
      yield put("a", 1);
      await new Promise(setImmediate);
      yield put("b", 2);
    }
    await tree.flush({ entries: entries() }, { lsn: 2, sequence: 2 });
    const rangeTombstones = [{ start: bytes(""), end: bytes("b"), sequence: 3 }];
    await tree.flush({ entries: [], rangeTombstones }, { lsn: 3, sequence: 3 });
    expect(await tree.get(bytes("a"))).toBeUndefined();
    expect(text((await tree.get(bytes("b")))?.value as Uint8Array)).toBe("v");
    await tree.compact();
    expect(tree.stats().levels).toMatchObject([{ level: 6, tables: 1, entries: 1, rangeTombstones: 0 }]);
  });

  it("may be asked for many times at once: they go one after the other", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk);
    const flushes = Array.from({ length: 20 }, (_, n) =>
      tree.flush({ entries: [put(`k${n % 3}`, n + 1)] }, { lsn: n + 1, sequence: n + 1 }),
    );
    await Promise.all(flushes);
    await tree.settled();
    const contents = await contentsOf(tree.cursor());
    expect([...contents].map(([key, { sequence }]) => [key, sequence])).toEqual([
      ["k0", 19],
      ["k1", 20],
      ["k2", 18],
    ]);
  });
});

describe("a closed tree", () => {
  it("refuses everything, and so does a snapshot of it that was released", async () => {
    const { disk } = await filled(KEEP);
    const tree = await openTiny(disk, KEEP);
    const snapshot = tree.snapshot();
    snapshot.release();
    snapshot.release();
    for (const read of [() => snapshot.getSync(bytes("a")), () => snapshot.cursor()])
      expect(read).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
    const cursor = tree.cursor();
    await tree.close();
    await tree.close();
    for (const read of [() => tree.getSync(bytes("a")), () => tree.cursor(), () => tree.snapshot()])
      expect(read).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
    await expect(tree.get(bytes("a"))).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    await expect(tree.flush({ entries: [] }, { lsn: 0, sequence: 0 })).rejects.toMatchObject({
      code: "KAYA_CLOSED",
    });
    await expect(tree.compact()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    await expect((async () => cursor.seekFirst())()).rejects.toMatchObject({ code: "KAYA_CLOSED" });
  });

  it("removes nothing any more, whatever is let go of later, and holds no file open", async () => {
    const { disk, contents } = await filled(KEEP);
    const tree = await openTiny(disk, KEEP);
    const snapshot = tree.snapshot();
    const files = (await disk.list("sst")).length;
    await tree.compact();
    await tree.close();
    const [key = ""] = contents.keys();
    await expect(snapshot.get(bytes(key))).rejects.toMatchObject({ code: "KAYA_CLOSED" });
    const again = await openTiny(disk, KEEP); // what the snapshot held is an orphan now
    await again.close();
    expect((await disk.list("sst")).length).toBeLessThan(files);
    const { nextOperation } = disk;
    snapshot.release();
    for (let i = 0; i < 100; i++) await undefined;
    expect(disk.nextOperation).toBe(nextOperation);
  });
});
