import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Disk, NodeDisk, Random, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { LsmTree } from "../src/index.js";
import { tablePath } from "../src/version/table-files.js";
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

const OPTIONS = { ...TINY, randomSeed: seeds() };

/** Flushes on and on, with compactions behind each flush and a manifest that soon begins anew. */
class Writer {
  readonly #disk: Disk;
  readonly #random = new Random(7);
  /** By sequence: what is covered then. */
  readonly history = new Map<number, Contents>([[0, new Map()]]);
  isDone = false;
  rounds = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async run(): Promise<void> {
    const tree = await openTiny(this.#disk, { manifestBytes: 600 });
    let contents: Contents = new Map();
    for (; !this.isDone; this.rounds++) {
      const writes = new ModelWrites(contents, tree.covered.sequence);
      randomWrites(this.#random, writes, 30, 200);
      contents = writes.contents;
      this.history.set(writes.covered.sequence, contents); // a reader may see it before it is acknowledged here
      await tree.flush(writes.source(), writes.covered);
    }
    await tree.close();
  }
}

/** Looks again and again; what it sees must be a state of the writer's, and never go back. */
async function watch(disk: Disk, writer: Writer, rounds: number): Promise<void> {
  let seen = 0;
  const mustBeOne = async (tree: Pick<LsmTree, "cursor" | "covered">) => {
    const { sequence } = tree.covered;
    expect(sequence).toBeGreaterThanOrEqual(seen);
    seen = sequence;
    expect(await contentsOf(tree.cursor())).toEqual(sorted(writer.history.get(sequence) as Contents));
  };
  do {
    const found = await LsmTree.look(disk, OPTIONS);
    const first = found.snapshot();
    const firstContents = writer.history.get(first.covered.sequence) as Contents;
    await mustBeOne(first);
    for (let m = 0; m < 5; m++) {
      await found.refresh();
      const next = found.snapshot();
      await mustBeOne(next);
      next.release();
    }
    // Its files may be gone for long.
    expect(await contentsOf(first.cursor())).toEqual(sorted(firstContents));
    first.release();
    await found.close();
  } while (writer.rounds < rounds);
}

describe("M14: a look beside a process that writes", () => {
  it("gives one state of that one's, and goes on from it, while tables and manifests come and go", async () => {
    const disk = new SimDisk();
    const writer = new Writer(disk.session());
    const writing = writer.run();
    const reader = disk.session();
    await watch(reader, writer, 60).finally(() => {
      writer.isDone = true;
    });
    await writing;
    const before = disk.nextOperation;
    await watch(reader, writer, 0);
    expect(disk.nextOperation).toBe(before);
  });

  it("and on a real disk", async () => {
    const root = await mkdtemp(join(tmpdir(), "kaya-beside-"));
    try {
      const writer = new Writer(new NodeDisk(root));
      const writing = writer.run();
      await watch(new NodeDisk(root), writer, 60).finally(() => {
        writer.isDone = true;
      });
      await writing;
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("reads the manifest again where a table went before it was opened, and keeps those that it has open", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, { autoCompact: false });
    let contents: Contents = new Map();
    const flush = async (key: string) => {
      const writes = new ModelWrites(contents, tree.covered.sequence);
      writes.put(key, "value");
      await tree.flush(writes.source(), writes.covered);
      contents = writes.contents;
    };
    for (const key of ["a", "b", "c"]) await flush(key);
    const reader = disk.session();
    const opens: string[] = [];
    const open = reader.open.bind(reader);
    reader.open = async (path, options) => {
      opens.push(path);
      // The manifest was read and the directory listed by then.
      if (path === tablePath(3) && opens.filter((each) => each === path).length === 1) await tree.compact();
      return open(path, options);
    };
    const found = await LsmTree.look(reader, OPTIONS);
    expect(found.tables).toBe(1);
    expect(await contentsOf(found.snapshot().cursor())).toEqual(sorted(contents));
    expect(opens.filter((path) => path.startsWith("manifest")).length).toBeGreaterThan(1);
    await flush("d");
    opens.length = 0;
    expect(await found.refresh()).toBe(true);
    expect(opens.filter((path) => path.startsWith("sst"))).toEqual([(await disk.list("sst")).at(-1)?.path]);
    expect(await found.refresh()).toBe(false);
    await found.close();
    await tree.close();
  });

  it("refuses a table that is missing and stays so, at once, and leaves no file open", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, { autoCompact: false });
    for (let n = 1; n < 4; n++)
      await tree.flush(
        { entries: [{ key: bytes(`k${n}`), kind: 0, sequence: n, value: bytes("") }] },
        { lsn: n, sequence: n },
      );
    const found = await LsmTree.look(disk, OPTIONS);
    disk.removeDurably(tablePath(2));
    let manifests = 0;
    const reader = disk.session();
    const open = reader.open.bind(reader);
    const left = new Set<string>();
    reader.open = async (path, options) => {
      if (path.startsWith("manifest")) manifests++;
      const file = await open(path, options);
      left.add(path);
      const close = file.close.bind(file);
      file.close = async () => {
        left.delete(path);
        await close();
      };
      return file;
    };
    await expect(LsmTree.look(reader, OPTIONS)).rejects.toThrow(`${tablePath(2)}, which is not there`);
    expect(manifests).toBe(2);
    expect([...left]).toEqual([]);
    // Who has it open goes on.
    expect((await found.snapshot().get(bytes("k2")))?.sequence).toBe(2);
    expect(await found.refresh()).toBe(false);
    await found.close();
    await tree.close();
  });

  it("refuses to go back to an older directory", async () => {
    const disk = new SimDisk();
    const tree = await openTiny(disk, { autoCompact: false });
    const older = disk.fork();
    await tree.flush({ entries: [] }, { lsn: 9, sequence: 9 });
    const found = await LsmTree.look(disk, OPTIONS);
    const [manifest] = await older.list("manifest");
    const path = manifest?.path as string;
    disk.writeFile(path, older.readFile(path) as Uint8Array);
    await expect(found.refresh()).rejects.toMatchObject({ code: "KAYA_CORRUPTION" });
    expect(found.covered).toEqual({ lsn: 9, sequence: 9 });
    await found.close();
    await tree.close();
  });
});
