import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeDisk, SimDisk } from "@kaya/io";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BlockCache, Table, TableWriter } from "../src/index.js";
import {
  asText,
  bytes,
  codeOf,
  collect,
  type Entry,
  expectContents,
  manyEntries,
  openTable,
  put,
  watchReads,
  writeAll,
  writeTable,
} from "./support.js";

const MANY = { entries: manyEntries(1000) };
const [FIRST] = MANY.entries as [Entry];

const LONG = Array.from({ length: 4000 }, (_, i) => put(`k${String(i).padStart(6, "0")}`, "v".repeat(500)));

/** Whether it needs no read that is held. */
function isDoneSoon(moved: boolean | Promise<boolean>): Promise<boolean> {
  const done = Promise.resolve(moved).then(() => true);
  return Promise.race([done, new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
}

describe("gets under way at once (T9)", () => {
  it("share one read of the index, of the filter and of the block, and all get the value", async () => {
    const { disk: written } = await writeTable(MANY, { blockBytes: 1024 });
    const { disk, reads } = watchReads(written);
    const table = await openTable(disk);
    reads.length = 0;
    const found = await Promise.all(Array.from({ length: 50 }, () => table.get(FIRST.key)));
    expect(found.every((each) => each?.sequence === FIRST.sequence)).toBe(true);
    expect(new Set(reads).size).toBe(3);
    expect(reads.length).toBe(3);
    await table.get(FIRST.key);
    expect(reads.length).toBe(3);
  });

  it("all hear of a read that fails, and the next one reads again", async () => {
    const { disk } = await writeTable(MANY, { blockBytes: 1024 });
    const table = await openTable(disk);
    const last = MANY.entries.at(-1) as Entry;
    await table.get(last.key); // index and filter
    disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(table.get(FIRST.key))));
    expect(codes).toEqual(Array.from({ length: 5 }, () => "KAYA_IO"));
    expect((await table.get(FIRST.key))?.sequence).toBe(FIRST.sequence);
  });

  it("do not see what the caller does to the key meanwhile", async () => {
    const { disk } = await writeTable(MANY, { blockBytes: 1024 });
    const table = await openTable(disk);
    const key = new Uint8Array(FIRST.key);
    const found = table.get(key);
    key.fill(0);
    expect((await found)?.sequence).toBe(FIRST.sequence);
  });

  it("of a key that the filter knows not read no block", async () => {
    const { disk: written } = await writeTable(MANY, { bitsPerKey: 24 });
    const { disk, reads } = watchReads(written);
    const table = await openTable(disk);
    await table.get(bytes("key:x"));
    reads.length = 0;
    for (let i = 0; i < 50; i++) expect(await table.get(bytes(`key:${i}x`))).toBeUndefined();
    expect(reads).toEqual([]);
  });
});

describe("a scan", () => {
  it("reads in large pieces, forward and backward alike, and leaves the cache as it is, but for its first blocks", async () => {
    const { disk: written, summary } = await writeTable({ entries: LONG });
    expect(summary.dataBlocks).toBeGreaterThan(120);
    const { disk, reads } = watchReads(written);
    const cache = new BlockCache({ bytes: 2 ** 22 });
    const table = await Table.open(disk, "t.sst", { cache });
    const counts = [];
    for (const direction of ["next", "previous"] as const) {
      const cursor = table.cursor();
      reads.length = 0;
      let seen = 0;
      const begun = direction === "next" ? cursor.seekFirst() : cursor.seekLast();
      for (let more = await begun; more; more = await cursor[direction]()) seen++;
      expect(seen).toBe(4000);
      cursor.close();
      counts.push(reads.length);
    }
    for (const count of counts) expect(count).toBeLessThan(20);
    // Index and filter, and four blocks from either end.
    expect(cache.stats.items).toBeLessThanOrEqual(2 + 2 * 4);
  });

  it("that is synchronous reads in large pieces too, gives no promise, and leaves the cache as it is", async () => {
    const { disk: written } = await writeTable({ entries: LONG });
    const { disk, reads, syncReads } = watchReads(written);
    const cache = new BlockCache({ bytes: 2 ** 22 });
    const table = await Table.open(disk, "t.sst", { cache });
    for (const direction of ["next", "previous"] as const) {
      const cursor = table.cursor({ sync: true });
      reads.length = 0;
      syncReads.length = 0;
      let seen = 0;
      const begun = direction === "next" ? cursor.seekFirst() : cursor.seekLast();
      for (let more = begun; more === true; more = cursor[direction]()) seen++;
      expect(seen).toBe(4000);
      cursor.close();
      expect(reads).toEqual([]);
      expect(syncReads.length).toBeLessThan(20);
    }
    expect(cache.stats.items).toBeLessThanOrEqual(2 + 2 * 4);
  });

  it("of a short range reads the blocks that it is told to at once, keeps those that it looks at, and needs no read again", async () => {
    const { disk: written } = await writeTable({ entries: LONG });
    const { disk, reads } = watchReads(written);
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const table = await Table.open(disk, "t.sst", { cache });
    await table.get(bytes("k000000"));
    const key = (at: number) => bytes(`k${String(at).padStart(6, "0")}`);
    // Blocks have 31 entries or so.
    for (const [at, count, direction, expected] of [
      [1000, 32, "next", 1],
      [1000, 32, "next", 0],
      [3000, 32, "previous", 1],
      [3000, 32, "previous", 0],
      [2000, 90, "next", 3],
      [2000, 90, "next", 0],
    ] as const) {
      const cursor = table.cursor({ seekBlocks: 2 });
      reads.length = 0;
      const isNext = direction === "next";
      let there = await (isNext ? cursor.seek(key(at)) : cursor.seekBefore(key(at), true));
      for (let n = 0; n < count; n++) {
        expect(there).toBe(true);
        expect(cursor.key).toEqual(key(isNext ? at + n : at - n));
        expect(cursor.value).toHaveLength(500);
        there = await cursor[direction]();
      }
      expect(reads).toHaveLength(expected);
      cursor.close();
    }
    expect(await codeOf(() => table.cursor({ seekBlock: 2 } as object))).toBe("KAYA_INVALID_ARGUMENT");
  });

  it("reads ahead into buffers that the next scans use again", async () => {
    const { disk: written } = await writeTable({ entries: LONG });
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const table = await Table.open(written, "t.sst", { cache });
    let expected: readonly string[] | undefined;
    let free = 0;
    for (let n = 0; n < 5; n++) {
      const cursors = [table.cursor(), table.cursor()];
      const contents = await Promise.all(
        cursors.map(async (cursor) => asText(await collect(cursor, cursor.seekFirst(), "next"))),
      );
      expect(cache.readAheadPool.freeBytes).toBeLessThan(free === 0 ? 2 ** 21 : free);
      for (const cursor of cursors) cursor.close();
      await new Promise(setImmediate);
      expected ??= contents[0];
      for (const each of contents) expect(each).toEqual(expected);
      if (n > 0) expect(cache.readAheadPool.freeBytes).toBe(free);
      free = cache.readAheadPool.freeBytes;
      expect(free).toBeLessThanOrEqual(2 ** 21);
    }
    expect(expected).toHaveLength(LONG.length);
  });

  it("that is closed while it moves gives its buffer back once nothing is read into it", async () => {
    const { disk: written } = await writeTable({ entries: LONG });
    const { disk, hold } = watchReads(written);
    const cache = new BlockCache({ bytes: 2 ** 20 });
    const table = await Table.open(disk, "t.sst", { cache });
    const cursor = table.cursor();
    await cursor.seekFirst();
    for (let n = 0; n < 2000; n++) await cursor.next(); // it reads many blocks at a time by now
    const release = hold();
    let moved: boolean | Promise<boolean>;
    do moved = cursor.next();
    while (await isDoneSoon(moved));
    const code = codeOf(Promise.resolve(moved));
    cursor.close();
    const free = cache.readAheadPool.freeBytes;
    await new Promise(setImmediate);
    expect(cache.readAheadPool.freeBytes).toBe(free);
    release();
    expect(await code).toBe("KAYA_CLOSED");
    await new Promise(setImmediate);
    expect(cache.readAheadPool.freeBytes).toBeGreaterThan(free);
  });

  it("gives a promise only where a block has to be read", async () => {
    const { disk } = await writeTable(MANY, { blockBytes: 1024 });
    const table = await openTable(disk);
    for (const { key } of MANY.entries) table.getSync(key); // all of it is in the cache
    const cursor = table.cursor();
    let seen = 0;
    for (let more = cursor.seekFirst(); more === true; more = cursor.next()) seen++;
    expect(seen).toBe(MANY.entries.length);
  });

  it("of which a move is not awaited, or that stands nowhere, is told so", async () => {
    const { disk } = await writeTable(MANY, { blockBytes: 1024 });
    const table = await openTable(disk);
    const cursor = table.cursor();
    expect(await codeOf(() => cursor.key)).toBe("KAYA_INVARIANT_VIOLATION");
    expect(await codeOf(() => cursor.next())).toBe("KAYA_INVARIANT_VIOLATION");
    const moved = cursor.seekFirst();
    expect(await codeOf(() => cursor.seekLast())).toBe("KAYA_INVARIANT_VIOLATION");
    expect(await codeOf(() => cursor.value)).toBe("KAYA_INVARIANT_VIOLATION");
    expect(await moved).toBe(true);
    expect(await cursor.seek(bytes("zzz"))).toBe(false);
    expect(await codeOf(() => cursor.sequence)).toBe("KAYA_INVARIANT_VIOLATION");
    cursor.close();
    cursor.close();
    expect(await codeOf(() => cursor.seekFirst())).toBe("KAYA_CLOSED");
    expect(await codeOf(() => cursor.key)).toBe("KAYA_CLOSED");
  });

  it("stands where it stood, whatever cursors are opened, moved and closed beside it", async () => {
    const { disk } = await writeTable(MANY, { blockBytes: 512 });
    const table = await openTable(disk);
    const first = table.cursor();
    await first.seekFirst();
    for (const { key, sequence } of MANY.entries) {
      const other = table.cursor();
      await other.seekLast();
      const another = table.cursor();
      await another.seek(key);
      expect([Buffer.from(first.key), first.sequence]).toEqual([Buffer.from(key), sequence]);
      expect(Buffer.from(another.key)).toEqual(Buffer.from(key));
      expect(Buffer.from(other.key)).toEqual(Buffer.from(MANY.entries.at(-1)?.key ?? key));
      other.close();
      other.close();
      another.close();
      await first.next();
    }
    await table.close();
  });

  it.each([{ sync: false }, { sync: true }])(
    "that fails stands nowhere, and goes on after the next seek (%o)",
    async (options) => {
      const { disk } = await writeTable(MANY, { blockBytes: 512 });
      const table = await openTable(disk);
      const cursor = table.cursor(options);
      let moved = await cursor.seekFirst();
      for (let i = 0; i < 100; i++) moved = await cursor.next();
      disk.addFault({ atRead: disk.nextRead, kind: "read-error" });
      const code = await codeOf(async () => {
        while (moved) moved = await cursor.next();
      });
      expect(code).toBe("KAYA_IO");
      expect(await codeOf(() => cursor.key)).toBe("KAYA_INVARIANT_VIOLATION");
      let seen = 0;
      for (let more = await cursor.seekFirst(); more; more = await cursor.next()) seen++;
      expect(seen).toBe(MANY.entries.length);
    },
  );
});

describe("a table that is closed", () => {
  it("refuses everything, lets the reads under way end, and closes its cursors", async () => {
    const { disk: written } = await writeTable(MANY, { blockBytes: 1024 });
    const { disk, hold } = watchReads(written);
    const table = await openTable(disk);
    const release = hold();
    const cursor = table.cursor();
    const underWay = [codeOf(table.get(FIRST.key)), codeOf(async () => cursor.seekFirst())];
    const closed = table.close();
    release();
    await Promise.all([closed, table.close()]);
    for (const code of await Promise.all(underWay)) expect([undefined, "KAYA_CLOSED"]).toContain(code);
    expect(await codeOf(table.get(FIRST.key))).toBe("KAYA_CLOSED");
    expect(await codeOf(() => table.getSync(FIRST.key))).toBe("KAYA_CLOSED");
    expect(await codeOf(() => table.cursor())).toBe("KAYA_CLOSED");
    expect(await codeOf(table.properties())).toBe("KAYA_CLOSED");
    expect(await codeOf(() => cursor.seekFirst())).toBe("KAYA_CLOSED");
  });

  it("that is not there is KAYA_NOT_FOUND", async () => {
    expect(await codeOf(openTable(new SimDisk(), "absent.sst"))).toBe("KAYA_NOT_FOUND");
  });
});

describe("on a real disk", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "kaya-lsm-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it("a table is written and read, compressed or not, with a small cache and with none", async () => {
    const disk = new NodeDisk(directory);
    for (const compression of ["none", "snappy"] as const) {
      const path = `sst/${compression}.sst`;
      const entries = manyEntries(3000);
      await writeAll(await TableWriter.create(disk, path, { compression, syncBytes: 100_000 }), { entries });
      for (const cacheBytes of [0, 100_000, 2 ** 22]) {
        const table = await Table.open(disk, path, { cache: new BlockCache({ bytes: cacheBytes }) });
        await expectContents(table, { entries });
        const found = await Promise.all(entries.map(({ key }) => table.get(key)));
        expect(found.map((each) => each?.sequence)).toEqual(entries.map(({ sequence }) => sequence));
        await table.close();
      }
    }
  });

  it("two tables with the same entries are told apart: their seeds are random", async () => {
    const disk = new NodeDisk(directory);
    const summaries = [];
    for (const path of ["a", "b"])
      summaries.push(await writeAll(await TableWriter.create(disk, path), { entries: [put("a", "b")] }));
    expect(summaries[0]?.footerCrc).not.toBe(summaries[1]?.footerCrc);
    expect(
      await codeOf(
        Table.open(disk, "a", {
          cache: new BlockCache({ bytes: 0 }),
          ...(summaries[1] && { expected: summaries[1] }),
        }),
      ),
    ).toBe("KAYA_CORRUPTION");
  });
});
