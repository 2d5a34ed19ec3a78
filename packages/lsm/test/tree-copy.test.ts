import { KayaError } from "@kaya/core";
import { Random, SimDisk, type WriteFault } from "@kaya/io";
import { describe, expect, it, vi } from "vitest";
import {
  type LsmSnapshot,
  LsmTree,
  TreeCopy,
  type TreeCopyOptions,
  type TreeCopyProgress,
  type TreeCopyResult,
  tablePath,
} from "../src/index.js";
import {
  type Contents,
  contentsOf,
  ModelWrites,
  openTiny,
  randomWrites,
  sorted,
  TINY,
} from "./support/tree-model.js";

vi.setConfig({ testTimeout: 120_000 });

const KEEP = { autoCompact: false };

/** A tree, and what else a store has in memory. */
class Store {
  readonly disk = new SimDisk();
  readonly tree: LsmTree;
  contents: Contents = new Map();
  #seed = 0;

  private constructor(tree: LsmTree) {
    this.tree = tree;
  }

  static async open(): Promise<Store> {
    const disk = new SimDisk();
    const store = new Store(await openTiny(disk, KEEP));
    Object.assign(store, { disk });
    return store;
  }

  /** Writes that are only in memory. */
  inMemory(count = 20): ModelWrites {
    const writes = new ModelWrites(this.contents, this.tree.covered.sequence);
    randomWrites(new Random(++this.#seed), writes, count, 60);
    writes.put(`seed${this.#seed}`, "");
    return writes;
  }

  async flush(rounds = 1, count = 20): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const writes = this.inMemory(count);
      await this.tree.flush(writes.source(), writes.covered);
      this.contents = writes.contents;
    }
  }
}

interface CopyOptions extends Omit<TreeCopyOptions, "from"> {
  readonly newer?: ModelWrites;
  readonly identity?: string;
}

/** A whole copy, as its owner makes one. */
async function copyTo(
  target: SimDisk,
  { tree }: Pick<Store, "tree">,
  { newer, identity = "copy", ...options }: CopyOptions = {},
): Promise<TreeCopyResult> {
  const from: LsmSnapshot = tree.snapshot();
  try {
    const copy = await TreeCopy.begin(target, { tables: { ...TINY }, ...options, from });
    try {
      if (newer !== undefined) await copy.add(newer.source(), newer.covered);
      return await copy.finish(identity);
    } catch (error) {
      await copy.abandon();
      throw error;
    }
  } finally {
    from.release();
  }
}

async function contentsIn(disk: SimDisk): Promise<Contents> {
  const tree = await openTiny(disk, KEEP);
  try {
    return await contentsOf(tree.cursor());
  } finally {
    await tree.close();
  }
}

const tablesIn = async (disk: SimDisk): Promise<string[]> => (await disk.list("sst")).map(({ path }) => path);

async function errorOf(promise: Promise<unknown>): Promise<KayaError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!KayaError.is(error)) throw error ?? new Error("it resolved");
  return error;
}

describe("a copy of a tree", () => {
  it("has what its snapshot shows and what is added on top, durably; the source goes on", async () => {
    const store = await Store.open();
    await store.flush(3, 40);
    await store.tree.compact();
    await store.flush(3);
    const newer = store.inMemory();
    const target = new SimDisk();
    const result = await copyTo(target, store, { newer, identity: "mine" });
    await store.flush(2);
    target.crash({ survive: "nothing" });
    const tree = await openTiny(target, KEEP);
    expect(tree.covered).toEqual(newer.covered);
    expect(tree.logIdentity).toBe("mine");
    expect(tree.warnings).toEqual([]);
    expect(await contentsOf(tree.cursor())).toEqual(sorted(newer.contents));
    const { tables, bytes } = tree.stats();
    expect(result).toEqual({
      covered: newer.covered,
      tables,
      bytes,
      copiedTables: tables,
      copiedBytes: bytes,
    });
    await tree.close();
    await store.tree.close();
  });

  it("of nothing is a tree without tables", async () => {
    const target = new SimDisk();
    const copy = await TreeCopy.begin(target);
    expect(await copy.finish("x")).toMatchObject({ tables: 0, bytes: 0, covered: { lsn: 0, sequence: 0 } });
    expect(await contentsIn(target)).toEqual(new Map());
  });

  it("may have any number of tables added, in the order of the log", async () => {
    const store = await Store.open();
    const target = new SimDisk();
    const copy = await TreeCopy.begin(target, { tables: TINY });
    let writes = store.inMemory();
    for (let round = 0; round < 5; round++) {
      await copy.add(writes.source(), writes.covered);
      const next = new ModelWrites(writes.contents, writes.covered.sequence);
      randomWrites(new Random(100 + round), next, 20, 60);
      next.put("round", `${round}`);
      writes = next;
    }
    await copy.add(writes.source(), writes.covered);
    const again = await errorOf(copy.add(writes.source(), writes.covered));
    expect(again.code).toBe("KAYA_INVALID_ARGUMENT");
    await copy.finish("x");
    expect(await contentsIn(target)).toEqual(sorted(writes.contents));
    await store.tree.close();
  });

  it("tells how far it is, and never goes back; what `check` throws ends it, and leaves nothing", async () => {
    const store = await Store.open();
    await store.flush(4, 200);
    const target = new SimDisk();
    const told: TreeCopyProgress[] = [];
    const { bytes, tables } = await copyTo(target, store, {
      newer: store.inMemory(),
      onProgress: (progress) => told.push(progress),
    });
    expect(told.map((each) => each.bytes)).toEqual(told.map((each) => each.bytes).toSorted((a, b) => a - b));
    expect(told.at(-1)).toEqual({ bytes, totalBytes: bytes, copiedTables: tables, reusedTables: 0 });
    expect(told.length).toBeGreaterThan(tables);
    let calls = 0;
    const newer = store.inMemory();
    await copyTo(new SimDisk(), store, { newer, check: () => void calls++ });
    expect(calls).toBeGreaterThan(10);
    for (let at = 0; at < calls; at++) {
      const broken = new SimDisk();
      let call = 0;
      const check = () => {
        if (call++ === at) throw new Error("enough");
      };
      await expect(copyTo(broken, store, { newer, check })).rejects.toThrow("enough");
      expect([await tablesIn(broken), await broken.list("manifest")], `call ${at}`).toEqual([[], []]);
    }
    await store.tree.close();
  });
});

describe("a second copy into the same directory", () => {
  it("copies only tables that are new, takes away what only the first one had, and reads back all", async () => {
    const store = await Store.open();
    await store.flush(3, 40);
    await store.tree.compact();
    await store.flush(2);
    const target = new SimDisk();
    const first = await copyTo(target, store, { newer: store.inMemory(), identity: "first" });
    const reads = target.nextRead;
    expect((await copyTo(target, store, { newer: store.inMemory() })).copiedTables).toBe(1);
    expect(target.nextRead - reads).toBeGreaterThan(first.tables);
    await store.flush(2);
    const newer = store.inMemory();
    const told: TreeCopyProgress[] = [];
    const second = await copyTo(target, store, {
      newer,
      identity: "second",
      onProgress: (progress) => told.push(progress),
    });
    expect(second).toMatchObject({ tables: first.tables + 2, copiedTables: 3 });
    expect(second.copiedBytes).toBeLessThan(second.bytes);
    expect(told.at(-1)).toMatchObject({
      bytes: second.bytes,
      copiedTables: 3,
      reusedTables: first.tables - 1,
    });
    expect((await tablesIn(target)).length).toBe(second.tables);
    expect((await target.list("manifest")).length).toBe(1);
    target.crash({ survive: "nothing" });
    expect(await contentsIn(target)).toEqual(sorted(newer.contents));
    await store.tree.close();
  });

  it("shows the state of its own snapshot whatever is flushed, compacted and copied in between", async () => {
    for (let seed = 0; seed < 8; seed++) {
      const random = new Random(seed);
      const store = await Store.open();
      const target = new SimDisk();
      const kept: { snapshot: LsmSnapshot; contents: Contents }[] = [];
      for (let round = 0; round < 12; round++) {
        await store.flush(1 + random.below(3), 10 + random.below(30));
        if (random.chance(0.2)) await store.tree.compact();
        if (random.chance(0.3)) kept.push({ snapshot: store.tree.snapshot(), contents: store.contents });
        // Now and then an older state, as of a reader that did not move on: its tables are older than those that are there.
        const old = random.chance(0.3) ? kept[random.below(kept.length)] : undefined;
        if (old === undefined) {
          const newer = store.inMemory();
          await copyTo(target, store, { newer });
          expect(await contentsIn(target), `seed ${seed}, round ${round}`).toEqual(sorted(newer.contents));
        } else {
          const copy = await TreeCopy.begin(target, { from: old.snapshot });
          await copy.finish("old");
          expect(await contentsIn(target), `seed ${seed}, round ${round}`).toEqual(sorted(old.contents));
        }
        if (random.chance(0.3)) {
          const [path] = await tablesIn(target);
          if (path !== undefined) target.flipBit(path, random.below(200), 3);
        }
        if (random.chance(0.2)) target.crash({ survive: "nothing" });
      }
      for (const { snapshot } of kept) snapshot.release();
      await store.tree.close();
    }
  });

  it("copies a table anew whose copy is damaged, missing or another one, and all newer ones of level 0", async () => {
    const store = await Store.open();
    await store.flush(4, 30);
    const spoil: ((disk: SimDisk, path: string) => void)[] = [
      (disk, path) => disk.flipBit(path, 100, 2),
      (disk, path) => disk.truncateDurably(path, 200),
      (disk, path) => disk.breakRange(path, 0, 100),
      (disk, path) => disk.removeDurably(path),
      (disk, path) => disk.writeFile(path, disk.readFile(tablePath(4)) as Uint8Array),
    ];
    for (const [n, damage] of spoil.entries()) {
      for (let nth = 0; nth < 3; nth++) {
        const target = new SimDisk();
        await copyTo(target, store);
        damage(target, (await tablesIn(target))[nth] as string);
        const { copiedTables } = await copyTo(target, store);
        expect(copiedTables, `damage ${n} of table ${nth}`).toBe(4 - nth);
        expect(await contentsIn(target)).toEqual(sorted(store.contents));
      }
    }
    await store.tree.close();
  });
});

describe("damage of a table that is copied", () => {
  it("refuses with its file and offset, and leaves nothing, or the copy that was there", async () => {
    const store = await Store.open();
    await store.flush(2, 40);
    const target = new SimDisk();
    await copyTo(target, store);
    const before = store.contents;
    await store.flush(1, 40);
    const damaged = tablePath(3);
    store.disk.flipBit(damaged, 10, 1);
    const error = await errorOf(copyTo(target, store));
    expect(error.code).toBe("KAYA_CORRUPTION");
    expect(error.message).toContain(`${damaged} is damaged at offset 0: `);
    expect(await contentsIn(target)).toEqual(sorted(before));
    const empty = new SimDisk();
    await errorOf(copyTo(empty, store));
    expect([await tablesIn(empty), await empty.list("manifest")]).toEqual([[], []]);
    await store.tree.close();
  });

  it("of the copy alone is told as that", async () => {
    const store = await Store.open();
    await store.flush(1, 40);
    let copied = "";
    const target = new SimDisk();
    const rotten = Object.create(target, {
      open: {
        value: async (path: string, options?: { readOnly?: boolean }) => {
          if (options?.readOnly === true && path.startsWith("sst/") && copied === "") {
            copied = path;
            target.flipBit(path, 10, 1);
          }
          return SimDisk.prototype.open.call(target, path, options);
        },
      },
      ...Object.fromEntries(
        (["list", "rename", "remove", "syncDir", "lock"] as const).map((name) => [
          name,
          { value: target[name].bind(target) },
        ]),
      ),
    }) as SimDisk;
    const error = await errorOf(copyTo(rotten, store));
    expect(error.message).toContain(
      `${copied} is damaged at offset 0: it does not read back as it was written`,
    );
    expect(await tablesIn(target)).toEqual([]);
    await store.tree.close();
  });
});

/** What a crash may leave of unsynced operations. */
const SURVIVE = [
  { survive: "nothing" },
  { survive: "everything" },
  ...[1, 2, 3, 4].map((seed) => ({ survive: "random", seed }) as const),
] as const;

const FAULTS: readonly WriteFault[] = [
  { kind: "disk-full" },
  { kind: "partial-write", bytes: 30 },
  { kind: "io-error" },
  { kind: "io-error", outcome: "kept" },
  { kind: "fsync-failed" },
  { kind: "fsync-failed", outcome: "kept" },
  { kind: "fsync-failed", outcome: "lost" },
];

/** What a directory shows: the contents, or that it does not open, or that it is no tree. */
async function shownBy(disk: SimDisk): Promise<Contents | "refused" | "nothing"> {
  if ((await disk.list("manifest")).every(({ path }) => path.endsWith(".tmp"))) {
    const isEmpty = (await tablesIn(disk)).length === 0;
    const opened = await LsmTree.open(disk.fork(), KEEP).then(
      async (tree) => {
        await tree.close();
        return true;
      },
      () => false,
    );
    expect(opened).toBe(isEmpty); // a first copy that a crash ended is no empty tree
    return isEmpty ? "nothing" : "refused";
  }
  return contentsIn(disk);
}

describe("a crash at any operation of a copy", () => {
  it("leaves nothing that opens, or all of it; of a second copy the first one, or all of the second", async () => {
    const store = await Store.open();
    await store.flush(2);
    const states: { disk: SimDisk; of: 1 | 2 }[] = [];
    const watched = (of: 1 | 2) => {
      const disk: SimDisk = new SimDisk({ onOperation: () => void states.push({ disk: disk.fork(), of }) });
      return disk;
    };
    const target = watched(1);
    const newer = store.inMemory();
    await copyTo(target, store, { newer });
    const again = target.fork({ onOperation: () => void states.push({ disk: again.fork(), of: 2 }) });
    await store.flush(2);
    await store.tree.compact();
    await store.flush(1);
    const last = store.inMemory();
    await copyTo(again, store, { newer: last });
    expect(states.filter(({ of }) => of === 2).length).toBeGreaterThan(20);
    const outcomes = { 1: new Set<string>(), 2: new Set<string>() };
    for (const [n, { disk, of }] of states.entries()) {
      for (const way of SURVIVE) {
        const left = disk.fork();
        left.crash(way);
        const shown = await shownBy(left);
        const name =
          typeof shown === "string"
            ? shown
            : isSame(shown, newer.contents)
              ? "first"
              : isSame(shown, last.contents)
                ? "second"
                : "mixed";
        outcomes[of].add(name);
        // And it can be gone over by the next one.
        const after = disk.fork();
        after.crash(way);
        await copyTo(after, store, { newer: last });
        after.crash({ survive: "nothing" });
        expect(await contentsIn(after), `state ${n}`).toEqual(sorted(last.contents));
      }
    }
    expect([...outcomes[1]].sort()).toEqual(["first", "nothing", "refused"]);
    expect([...outcomes[2]].sort()).toEqual(["first", "second"]);
    await store.tree.close();
  });
});

function isSame(a: Contents, b: Contents): boolean {
  return JSON.stringify([...sorted(a)]) === JSON.stringify([...sorted(b)]);
}

describe("a fault at any operation of a copy", () => {
  it("leaves what was there, and so does a second fault in the next attempt, whatever a crash keeps", async () => {
    const store = await Store.open();
    await store.flush(2);
    const whole = new SimDisk();
    const newer = store.inMemory();
    await copyTo(whole, store, { newer });
    await store.flush(1);
    const last = store.inMemory();
    const probe = whole.fork();
    const begin = probe.nextOperation;
    await copyTo(probe, store, { newer: last });
    const operations = probe.nextOperation - begin;
    let failures = 0;
    let pairs = 0;
    const random = new Random(7);
    for (let at = 0; at < operations; at++) {
      for (const fault of FAULTS) {
        const target = whole.fork();
        target.addFault({ ...fault, at: target.nextOperation + at });
        const error = await copyTo(target, store, { newer: last }).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error === undefined) continue;
        failures++;
        await mustBeOneOf(target, [newer.contents, last.contents], `${fault.kind} at ${at}`);
        const second = { ...(FAULTS[random.below(FAULTS.length)] as WriteFault) };
        const later = random.below(operations);
        target.addFault({ ...second, at: target.nextOperation + later });
        const failed = await copyTo(target, store, { newer: last }).then(
          () => false,
          () => true,
        );
        if (failed) pairs++;
        const where = `${fault.kind} at ${at}, ${second.kind} at ${later}`;
        await mustBeOneOf(target, failed ? [newer.contents, last.contents] : [last.contents], where);
      }
    }
    expect(failures).toBeGreaterThan(operations);
    expect(pairs).toBeGreaterThan(20);
    await store.tree.close();
  });

  it("leaves one of the two, where the manifest could not be taken back and the next attempt is killed", async () => {
    const store = await Store.open();
    await store.flush(2);
    const whole = new SimDisk();
    const newer = store.inMemory();
    await copyTo(whole, store, { newer });
    await store.flush(1);
    const last = store.inMemory();
    // The manifest gets its name; making that durable fails, and so does making durable that it was removed again.
    const target = whole.fork();
    let renamed = Number.POSITIVE_INFINITY;
    const probe = whole.fork({
      onOperation: (index, kind) => {
        if (kind === "rename") renamed = index;
      },
    });
    await copyTo(probe, store, { newer: last });
    for (const at of [renamed + 1, renamed + 3]) target.addFault({ at, kind: "fsync-failed" });
    await errorOf(copyTo(target, store, { newer: last }));
    const states: SimDisk[] = [];
    const next: SimDisk = target.fork({ onOperation: () => void states.push(next.fork()) });
    await copyTo(next, store, { newer: last });
    expect(states.length).toBeGreaterThan(10);
    for (const [n, disk] of states.entries())
      await mustBeOneOf(disk, [newer.contents, last.contents], `killed before operation ${n}`);
    await store.tree.close();
  });
});

async function mustBeOneOf(disk: SimDisk, states: readonly Contents[], where: string): Promise<void> {
  for (const [n, way] of SURVIVE.entries()) {
    const left = disk.fork();
    left.crash(way);
    const shown = await shownBy(left).catch((error: unknown) => `${where}, crash ${n}: ${String(error)}`);
    if (typeof shown === "string") expect(shown).toBe(`one of the states: ${where}`);
    else
      expect(
        states.some((state) => isSame(shown, state)),
        `${where}, crash ${n}`,
      ).toBe(true);
  }
}
