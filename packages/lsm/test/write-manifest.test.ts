import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import {
  type LsmSnapshot,
  LsmTree,
  type ManifestState,
  readManifest,
  verifyTree,
  writeManifest,
} from "../src/index.js";
import { type Contents, contentsOf, ModelWrites, openTiny, sorted } from "./support/tree-model.js";

const KEEP = { autoCompact: false };

/** Copies what the target does not have, as a backup does. */
async function copyTables(from: SimDisk, snapshot: LsmSnapshot, to: SimDisk): Promise<number> {
  let copied = 0;
  for (const { path } of snapshot.tables) {
    if (to.readFile(path) !== undefined) continue;
    const file = await to.open(path, { create: true });
    await file.append(from.readFile(path) as Uint8Array);
    await file.sync();
    await file.close();
    copied++;
  }
  return copied;
}

class Source {
  readonly tree: LsmTree;
  readonly disk: SimDisk;
  contents: Contents = new Map();

  private constructor(tree: LsmTree, disk: SimDisk) {
    this.tree = tree;
    this.disk = disk;
  }

  static async open(): Promise<Source> {
    const disk = new SimDisk();
    return new Source(await openTiny(disk, KEEP), disk);
  }

  async flush(...keys: string[]): Promise<void> {
    const writes = new ModelWrites(this.contents, this.tree.covered.sequence);
    for (const key of keys) writes.put(key, `of ${writes.covered.sequence}`);
    await this.tree.flush(writes.source(), writes.covered);
    this.contents = writes.contents;
  }
}

async function shownBy(disk: SimDisk): Promise<Contents> {
  const found = await LsmTree.look(disk);
  const contents = await contentsOf(found.snapshot().cursor());
  await found.close();
  return contents;
}

const mustStay = async (
  disk: SimDisk,
  run: () => Promise<unknown>,
  message: RegExp,
  code = "KAYA_INVALID_ARGUMENT",
) => {
  const before = [disk.stateDigest("everything"), disk.nextOperation];
  const error = await run().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toMatch(message);
  expect([disk.stateDigest("everything"), disk.nextOperation]).toEqual(before);
};

describe("a manifest for tables that were copied", () => {
  it("makes them a tree, and again into the same directory after only the new ones were copied", async () => {
    const source = await Source.open();
    await source.tree.setLogIdentity("the log");
    await source.flush("a", "b");
    await source.flush("c");
    const backup = new SimDisk();
    const first = source.tree.snapshot();
    expect(await copyTables(source.disk, first, backup)).toBe(2);
    await writeManifest(backup, first.state);
    const firstContents = source.contents;
    backup.crash();
    expect(await shownBy(backup)).toEqual(sorted(firstContents));

    await source.flush("b", "d");
    const second = source.tree.snapshot();
    expect(second.tables.map(({ level, id }) => [level, id])).toEqual([
      [0, 3],
      [0, 2],
      [0, 1],
    ]);
    expect(await copyTables(source.disk, second, backup)).toBe(1);
    expect(await shownBy(backup)).toEqual(sorted(firstContents));
    await writeManifest(backup, { ...second.state, logIdentity: "another" });
    const { number, state, directory } = await readManifest(backup);
    expect([number, state.logIdentity, directory.older, directory.leftovers]).toEqual([2, "another", [], []]);
    backup.crash();
    expect(await shownBy(backup)).toEqual(sorted(source.contents));
    expect((await verifyTree(backup)).damage).toEqual([]);

    // What the first one showed is still there, and the backup is a tree like any other.
    expect(await contentsOf(first.cursor())).toEqual(sorted(firstContents));
    const tree = await openTiny(backup, KEEP);
    await tree.compact();
    expect(await contentsOf(tree.cursor())).toEqual(sorted(source.contents));
    await tree.close();
  });

  it("counts, or the older one does, whichever operation fails and wherever it crashes", async () => {
    const source = await Source.open();
    await source.flush("a", "b");
    const first = source.tree.snapshot();
    const older = source.contents;
    const target = new SimDisk();
    await copyTables(source.disk, first, target);
    await writeManifest(target, first.state);
    await source.flush("b", "c");
    const second = source.tree.snapshot();
    await copyTables(source.disk, second, target);
    const probe = target.fork();
    await writeManifest(probe, second.state);
    const operations = probe.nextOperation - target.nextOperation;
    expect(operations).toBeGreaterThan(6);
    for (let place = 0; place < operations; place++) {
      for (const outcome of ["kept", "lost"] as const) {
        const disk = target.fork();
        disk.addFault({
          at: disk.nextOperation + place,
          kind: "io-error",
          ...(outcome === "kept" && { outcome }),
        });
        disk.addFault({ at: disk.nextOperation + place + 2, kind: "fsync-failed", outcome });
        const isDone = await writeManifest(disk, second.state).then(
          () => true,
          () => false,
        );
        const possible = [sorted(source.contents), ...(isDone ? [] : [sorted(older)])];
        for (const survive of ["nothing", "everything", "random"] as const) {
          const fork = disk.fork();
          fork.crash({ survive, seed: place });
          expect(possible).toContainEqual(await shownBy(fork));
        }
        const fork = disk.fork();
        await writeManifest(fork, second.state).catch(() => writeManifest(fork, second.state));
        fork.crash();
        expect(await shownBy(fork)).toEqual(sorted(source.contents));
      }
    }
  });

  it("is refused, and nothing changed, where a table is not there, or shorter, or the state is none", async () => {
    const source = await Source.open();
    await source.flush("a");
    await source.flush("b");
    const snapshot = source.tree.snapshot();
    const { state, tables } = snapshot;
    const path = tables[0]?.path as string;
    const target = new SimDisk();
    await mustStay(target, () => writeManifest(target, state), /is not there/);
    await copyTables(source.disk, snapshot, target);
    const shorter = target.fork();
    shorter.truncateDurably(path, 100);
    await mustStay(shorter, () => writeManifest(shorter, state), new RegExp(`${path} has 100 bytes`));
    const twice: ManifestState = { ...state, levels: [state.levels[0] ?? [], state.levels[0] ?? []] };
    await mustStay(target, () => writeManifest(target, twice), /there already/);
    await mustStay(
      target,
      () => writeManifest(target, { ...state, covered: { lsn: 0, sequence: 0 } }),
      /covered/,
    );
    await writeManifest(target, state);
    const manifest = (await target.list("manifest"))[0]?.path as string;
    target.flipBit(manifest, 50, 1);
    await mustStay(target, () => writeManifest(target, state), new RegExp(manifest), "KAYA_CORRUPTION");
  });
});
