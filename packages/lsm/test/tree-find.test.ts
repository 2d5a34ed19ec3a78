import { type Disk, SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { PUT, type Run, TOMBSTONE } from "../src/index.js";
import { Skyline } from "../src/merge/skyline.js";
import { ArrayCursor, type ArrayEntry } from "./support/array-cursor.js";
import { bytes, text } from "./support/keys.js";
import { keysBackward, ModelWrites, openTiny } from "./support/tree-model.js";
import { watchReads } from "./support.js";

const KEEP = { autoCompact: false };
const name = (n: number) => `key${String(n).padStart(3, "0")}`;

/** Two tables of level 0: the older has keys 0 to 99, the newer the even ones, and none from 40 on below 50. */
async function written(): Promise<SimDisk> {
  const disk = new SimDisk();
  const tree = await openTiny(disk, KEEP);
  const first = new ModelWrites(new Map(), 0);
  for (let n = 0; n < 100; n++) first.put(name(n), `old ${n}`);
  await tree.flush(first.source(), first.covered);
  const second = new ModelWrites(first.contents, first.covered.sequence);
  for (let n = 0; n < 100; n += 2) second.put(name(n), `new ${n}`);
  second.deleteRange(name(40), name(50));
  await tree.flush(second.source(), second.covered);
  await tree.close();
  return disk;
}

const open = (disk: Disk) => openTiny(disk, { ...KEEP, trustPageCache: true });
const valueIn = (found: { value: Uint8Array } | undefined) => found && text(found.value);

describe("find", () => {
  it("gives a promise where a block must be read, and the value at once where all are cached", async () => {
    const tree = await open(await written());
    for (const readable of [tree, tree.snapshot()]) {
      for (const [key, value] of [
        [7, "old 7"],
        [8, "new 8"],
        [44, undefined],
      ] as const) {
        const first = readable.find(bytes(name(key)));
        if (readable === tree && value !== undefined) expect(first).toBeInstanceOf(Promise);
        expect(valueIn(await first)).toBe(value);
        const second = readable.find(bytes(name(key)));
        expect(second).not.toBeInstanceOf(Promise);
        expect(valueIn(await second)).toBe(value);
      }
    }
    expect(await tree.find(bytes("nothing"))).toBeUndefined();
  });

  it("reads a block once for all that look for it meanwhile", async () => {
    const { disk, reads } = watchReads(await written());
    const tree = await open(disk);
    await tree.find(bytes(name(97))); // the index of one table, and the filters of both
    reads.length = 0;
    const found = await Promise.all(Array.from({ length: 20 }, () => tree.find(bytes(name(1)))));
    expect(found.map(valueIn)).toEqual(Array.from({ length: 20 }, () => "old 1"));
    expect(reads).toHaveLength(1);
    const { hits, misses } = tree.stats().cache;
    await tree.find(bytes(name(1)));
    expect(tree.stats().cache).toMatchObject({ hits: hits + 1, misses });
    expect(reads).toHaveLength(1);
  });

  it("does not see what the caller does to the key, nor that its tables go, meanwhile", async () => {
    const { disk, hold } = watchReads(await written());
    const tree = await open(disk);
    const release = hold();
    const key = bytes(name(7));
    const found = tree.find(key);
    key.fill(0);
    const compacting = tree.compact();
    release();
    await compacting;
    expect(valueIn(await found)).toBe("old 7");
    await tree.close();
    expect(await disk.list("sst")).toHaveLength(tree.stats().tables);
    expect(() => tree.find(key)).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
  });

  it("rejects where a read fails, and holds no files for it", async () => {
    const disk = await written();
    const tree = await open(disk);
    await tree.find(bytes(name(97)));
    disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
    await expect(tree.find(bytes(name(1)))).rejects.toMatchObject({ code: "KAYA_IO" });
    expect(valueIn(await tree.find(bytes(name(1))))).toBe("old 1");
    await tree.compact();
    await tree.close();
    expect(tree.stats().obsoleteFiles).toBe(0);
  });
});

describe("a cursor with runs that are newer than all tables", () => {
  const entry = (n: number, kind: typeof PUT | typeof TOMBSTONE, sequence: number): ArrayEntry => ({
    key: bytes(name(n)),
    kind,
    sequence,
    value: bytes(kind === PUT ? `newest ${n}` : ""),
  });

  /** Keys 60 to 69 go with a range, 1 is deleted, 2 and 65 are put again; the newest of all puts 1. */
  function newerRuns(): { runs: Run[]; cursors: ArrayCursor[] } {
    const isSlow = () => true;
    const cursors = [
      new ArrayCursor([entry(1, PUT, 1001)]),
      new ArrayCursor([entry(1, TOMBSTONE, 901), entry(2, PUT, 902), entry(65, PUT, 904)], isSlow),
    ];
    const skyline = Skyline.of([{ start: bytes(name(60)), end: bytes(name(70)), sequence: 903 }]);
    const [newest, sealed] = cursors as [ArrayCursor, ArrayCursor];
    const runs = [
      { cursor: newest, hasRangeTombstones: false, covering: () => undefined },
      { cursor: sealed, hasRangeTombstones: true, covering: (key: Uint8Array) => skyline.covering(key) },
    ];
    return { runs, cursors };
  }

  it("shows all of it as one, in both directions, of the tree and of a snapshot, and closes them", async () => {
    const tree = await open(await written());
    const expected = Array.from({ length: 100 }, (_, n) => n).filter(
      (n) => !(n >= 40 && n < 50) && (n === 65 || !(n >= 60 && n < 70)),
    );
    for (const readable of [tree, tree.snapshot()]) {
      const { runs, cursors } = newerRuns();
      const cursor = readable.cursor({ newer: runs, readAhead: false });
      const shown: string[] = [];
      for (let more = await cursor.seekFirst(); more; more = await cursor.next())
        shown.push(`${text(cursor.key)} ${text(cursor.value)}`);
      expect(shown).toEqual(
        expected.map((n) => {
          const age = n === 1 || n === 2 || n === 65 ? "newest" : n % 2 === 0 ? "new" : "old";
          return `${name(n)} ${age} ${n}`;
        }),
      );
      expect(await cursor.seek(bytes(name(61)))).toBe(true);
      expect(text(cursor.value)).toBe("newest 65");
      cursor.close();
      expect(cursors.every(({ isClosed }) => isClosed)).toBe(true);
      expect(await keysBackward(readable.cursor({ newer: newerRuns().runs }))).toEqual(
        expected.map(name).reverse(),
      );
    }
  });
});
