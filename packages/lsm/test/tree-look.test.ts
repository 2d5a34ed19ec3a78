import { Random, SimDisk, type WriteFaultRule } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectManifest, LsmTree } from "../src/index.js";
import type { FoundTree } from "../src/tree/found-tree.js";
import { stagedTablePath, tablePath } from "../src/version/table-files.js";
import { bytes } from "./support/keys.js";
import {
  type Contents,
  contentsOf,
  ModelWrites,
  openTiny,
  randomWrites,
  seeds,
  sorted,
  TINY,
} from "./support/tree-model.js";

const KEEP = { autoCompact: false };
const OPTIONS = { ...TINY, ...KEEP, randomSeed: seeds() };

const FAULTS = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 40 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  { kind: "fsync-failed" },
  { kind: "fsync-failed", outcome: "kept" },
  { kind: "fsync-failed", outcome: "lost" },
] as const;

/** A tree that was flushed to a few times and closed. */
async function filled(): Promise<{ disk: SimDisk; contents: Contents; sequence: number }> {
  const disk = new SimDisk();
  const tree = await openTiny(disk, KEEP);
  let contents: Contents = new Map();
  for (let round = 0; round < 3; round++) {
    const writes = someWrites(contents, tree.covered.sequence, round);
    await tree.flush(writes.source(), writes.covered);
    contents = writes.contents;
  }
  await tree.close();
  return { disk, contents, sequence: tree.covered.sequence };
}

function someWrites(contents: Contents, sequence: number, seed: number): ModelWrites {
  const writes = new ModelWrites(contents, sequence);
  randomWrites(new Random(seed), writes, 20, 60);
  writes.put(`seed${seed}`, "");
  return writes;
}

/** Stages a few memtables; gives what they lead to. */
async function stageSome(found: FoundTree, contents: Contents, count = 3): Promise<ModelWrites> {
  let writes = new ModelWrites(contents, found.covered.sequence);
  for (let n = 0; n < count; n++) {
    writes = someWrites(writes.contents, writes.covered.sequence, 100 + n);
    await found.stage(writes.source(), writes.covered);
  }
  return writes;
}

const files = async (disk: SimDisk) => (await disk.list("sst")).map(({ path }) => path);

const stateOf = (disk: SimDisk) => ({ digest: disk.stateDigest("everything"), next: disk.nextOperation });

async function mustShow(tree: Pick<LsmTree, "cursor">, contents: Contents): Promise<void> {
  expect(await contentsOf(tree.cursor())).toEqual(sorted(contents));
}

describe("a tree that is only looked at", () => {
  it("shows everything and changes nothing, also of a directory that is not there", async () => {
    const { disk, contents } = await filled();
    disk.writeFile(tablePath(40), new Uint8Array(3));
    disk.writeFile(stagedTablePath(41), new Uint8Array(3));
    const before = stateOf(disk);
    const found = await LsmTree.look(disk, OPTIONS);
    expect(found).toMatchObject({ tables: 3, logIdentity: "", warnings: [] });
    expect(found.orphans).toEqual([tablePath(40), stagedTablePath(41)]);
    const snapshot = found.snapshot();
    await mustShow(snapshot, contents);
    expect(found.covered).toEqual(snapshot.covered);
    await found.close();
    await found.close();
    expect(stateOf(disk)).toEqual(before);
    expect(() => snapshot.getSync(bytes("key00001"))).toThrow(
      expect.objectContaining({ code: "KAYA_CLOSED" }),
    );
    expect(() => found.snapshot()).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
    await expect(found.open()).rejects.toMatchObject({ code: "KAYA_CLOSED" });

    const empty = new SimDisk();
    const nothing = await LsmTree.look(empty, OPTIONS);
    expect(nothing).toMatchObject({ tables: 0, covered: { lsn: 0, sequence: 0 }, orphans: [] });
    await mustShow(nothing.snapshot(), new Map());
    await nothing.close();
    expect(empty.nextOperation).toBe(0);
  });

  it("becomes a tree; its snapshots stay as they are, and their files too", async () => {
    const { disk, contents } = await filled();
    const found = await LsmTree.look(disk, OPTIONS);
    const snapshot = found.snapshot();
    const writes = await stageSome(found, contents);
    const tree = await found.open();
    await found.close();
    await tree.compact();
    await mustShow(snapshot, contents);
    await mustShow(tree, writes.contents);
    snapshot.release();
    await tree.close();
    expect(await files(disk)).toHaveLength(tree.stats().tables);
  });
});

describe("tables that an opening stages", () => {
  it("M13: are published in one edit, and nobody sees them before", async () => {
    const { disk, contents } = await filled();
    const found = await LsmTree.look(disk, OPTIONS);
    const { covered } = found;
    const writes = await stageSome(found, contents, 4);
    expect(found).toMatchObject({ tables: 3, covered });
    await mustShow(found.snapshot(), contents);
    const other = await LsmTree.look(disk.fork(), OPTIONS);
    expect(other).toMatchObject({ tables: 3, covered });
    const tree = await found.open();
    expect(tree).toMatchObject({ warnings: [], covered: writes.covered });
    expect(tree.stats()).toMatchObject({ tables: 7, flushes: 4 });
    await mustShow(tree, writes.contents);
    const manifest = (await disk.list("manifest")).at(-1)?.path as string;
    const { rows } = await inspectManifest(disk, manifest);
    expect(rows.map(({ type, added }) => [type, added.length])).toEqual([
      ["SNAPSHOT", 3],
      ["EDIT", 4],
    ]);
    disk.crash();
    await mustShow(await openTiny(disk, KEEP), writes.contents);
  });

  it("M13: are removed by close, and nothing else is", async () => {
    const { disk, contents } = await filled();
    const others = [tablePath(40), stagedTablePath(41), "sst/notes.txt"];
    for (const path of others) disk.writeFile(path, new Uint8Array(3));
    const before = await files(disk);
    const found = await LsmTree.look(disk, OPTIONS);
    await stageSome(found, contents);
    expect(await files(disk)).toHaveLength(before.length + 3);
    await found.close();
    expect(await files(disk)).toEqual(before);
  });

  it("M13: are removed by the next opening where the process ends before, without a warning", async () => {
    for (const survive of ["everything", "nothing", "random"] as const) {
      const { disk, contents } = await filled();
      const found = await LsmTree.look(disk, OPTIONS);
      await stageSome(found, contents);
      disk.crash({ survive, seed: 3 });
      const next = await LsmTree.look(disk, OPTIONS);
      await mustShow(next.snapshot(), contents);
      if (survive === "everything") expect(next.orphans).toEqual([4, 5, 6].map(stagedTablePath));
      const writes = await stageSome(next, contents, 1);
      const tree = await next.open();
      expect(tree.warnings).toEqual([]);
      await mustShow(tree, writes.contents);
      const [newest] = (await files(disk)).slice(-1);
      if (survive === "everything") expect(newest).toBe(tablePath(7));
      expect(await files(disk)).toHaveLength(4);
    }
  });

  it("M13: of the first opening of a directory are no tables without a manifest, whenever it ends", async () => {
    const disk = new SimDisk();
    const found = await LsmTree.look(disk, OPTIONS);
    const writes = await stageSome(found, new Map());
    const staged = disk.nextOperation;
    await found.open();
    for (let at = 0; at < disk.nextOperation - staged; at++) {
      const again = new SimDisk();
      const one = await LsmTree.look(again, OPTIONS);
      await stageSome(one, new Map());
      again.addFault({ at: again.nextOperation + at, kind: "io-error" });
      await one.open().catch(() => undefined);
      again.crash({ survive: "everything" });
      const tree = await openTiny(again, KEEP);
      const shown = await contentsOf(tree.cursor());
      expect([sorted(new Map()), sorted(writes.contents)]).toContainEqual(shown);
    }
  });

  it("move what is covered where there is nothing to write, and refuse what does not fit", async () => {
    const { disk, contents } = await filled();
    const found = await LsmTree.look(disk, OPTIONS);
    const { lsn, sequence } = found.covered;
    const entry = { key: bytes("a"), kind: 0, sequence: sequence + 1, value: bytes("") } as const;
    const next = { lsn: lsn + 5, sequence: sequence + 5 };
    await expect(found.stage({ entries: [] }, { lsn: lsn - 1, sequence })).rejects.toThrow(/have .* already/);
    await found.stage({ entries: [] }, next);
    const refused = { code: "KAYA_INVALID_ARGUMENT" };
    await expect(found.stage({ entries: [entry] }, next)).rejects.toMatchObject(refused);
    await expect(found.stage({ entries: [] }, { lsn, sequence })).rejects.toMatchObject(refused);
    await expect(found.refresh()).rejects.toMatchObject(refused);
    expect(await files(disk)).toHaveLength(3);
    const tree = await found.open();
    expect(tree.covered).toEqual(next);
    await mustShow(tree, contents);
  });

  it("show the old state or the new one, whichever operation fails and fails again; the same again succeeds", async () => {
    let met = 0;
    for (const [index, first] of FAULTS.entries()) {
      const second = FAULTS[(index + 3) % FAULTS.length] as (typeof FAULTS)[number];
      for (let place = index % 2; place < 26; place += 2) met += await stageWithFaults(first, second, place);
    }
    expect(met).toBeGreaterThan(30);
  });
});

type Fault = WriteFaultRule extends infer R ? (R extends { at: number } ? Omit<R, "at"> : never) : never;

/** Gives 1 where the first fault was met. */
async function stageWithFaults(first: Fault, second: Fault, place: number): Promise<number> {
  const { disk, contents, sequence } = await filled();
  const one = someWrites(contents, sequence, 100);
  const wanted = someWrites(one.contents, one.covered.sequence, 101);
  disk.addFault({ ...first, at: disk.nextOperation + place });
  disk.addFault({ ...second, at: disk.nextOperation + place + 1 + (place % 5) });
  let failures = 0;
  for (;;) {
    const tree = await openStaged(disk, contents).catch(async (error: { code?: string }) => {
      expect(error.code).toMatch(/KAYA_(DISK_FULL|IO|FSYNC_FAILED)/);
      return undefined;
    });
    await mustBeEither(disk, [contents, wanted.contents]);
    if (tree !== undefined) {
      await mustShow(tree, wanted.contents);
      await mustBeEither(disk, [wanted.contents]);
      await tree.close();
      break;
    }
    expect(++failures).toBeLessThan(3);
  }
  const left = disk.fork();
  const again = await openTiny(left, KEEP);
  await mustShow(again, wanted.contents);
  expect(await files(left)).toHaveLength(again.stats().tables);
  return failures > 0 ? 1 : 0;
}

/** As an engine opens: what the tables do not cover is staged from the log. */
async function openStaged(disk: SimDisk, contents: Contents): Promise<LsmTree> {
  const found = await LsmTree.look(disk, OPTIONS);
  if (found.tables > 3) return found.open();
  try {
    await stageSome(found, contents, 2);
  } catch (error) {
    await found.close();
    throw error;
  }
  return found.open();
}

/** After the process alone ended, and after power cuts. */
async function mustBeEither(disk: SimDisk, possible: readonly Contents[]): Promise<void> {
  for (let seed = 0; seed < 5; seed++) {
    const fork = disk.fork();
    if (seed > 0)
      fork.crash({ survive: seed === 1 ? "nothing" : seed === 2 ? "everything" : "random", seed });
    const tree = await openTiny(fork, KEEP);
    expect(possible.map(sorted)).toContainEqual(await contentsOf(tree.cursor()));
    await tree.close();
  }
}
