import { KayaError } from "@kaya/core";
import { SimDisk } from "@kaya/io";
import { describe, expect, it } from "vitest";
import { inspectTable, isTableRow, type TableInspectionRow, verifyTable, verifyTree } from "../src/index.js";
import { readManifest } from "../src/manifest/read-manifest.js";
import { contradictions } from "../src/verify/verify-tree.js";
import { tablePath } from "../src/version/table-files.js";
import { ModelWrites, openTiny } from "./support/tree-model.js";

const KEEP = { autoCompact: false };

async function filled(tables = 3): Promise<SimDisk> {
  const disk = new SimDisk();
  const tree = await openTiny(disk, KEEP);
  let writes = new ModelWrites(new Map(), 0);
  for (let round = 0; round < tables; round++) {
    writes = new ModelWrites(writes.contents, tree.covered.sequence);
    for (let n = 0; n < 60; n++) writes.put(`key${String(n * (round + 1)).padStart(4, "0")}`, "v".repeat(30));
    writes.delete("key0007");
    writes.deleteRange("x", "y");
    await tree.flush(writes.source(), writes.covered);
  }
  await tree.close();
  return disk;
}

async function rowsOf(disk: SimDisk, path: string): Promise<TableInspectionRow[]> {
  const rows: TableInspectionRow[] = [];
  for await (const item of inspectTable(disk, path)) if (isTableRow(item)) rows.push(item);
  return rows;
}

describe("verifying a table", () => {
  it("looks at every block of every kind, and tells how far it is", async () => {
    const disk = await filled();
    const path = tablePath(2);
    const rows = await rowsOf(disk, path);
    expect(new Set(rows.map(({ kind }) => kind))).toEqual(
      new Set(["data", "filter", "range-tombstones", "index", "properties", "footer"]),
    );
    const length = disk.readFile(path)?.length;
    const progress: number[] = [];
    const whole = await verifyTable(disk, path, { onProgress: (bytes) => progress.push(bytes) });
    expect(whole).toMatchObject({ path, blocks: rows.length, bytes: length, damage: [] });
    expect(whole.properties).toMatchObject({ entries: 61, tombstones: 1, rangeTombstones: 1 });
    expect(progress.reduce((sum, each) => sum + each, 0)).toBe(length);
    for (const { offset, length: bytes } of rows) {
      for (const at of [offset, offset + (bytes >> 1), offset + bytes - 1]) {
        const damaged = disk.fork();
        damaged.flipBit(path, at, 5);
        const { damage } = await verifyTable(damaged, path);
        expect(damage.length).toBeGreaterThan(0);
        expect(damage.some((each) => each.offset <= at)).toBe(true);
      }
    }
  });

  it("takes no failed read for damage, whichever block it meets", async () => {
    const disk = await filled();
    const begin = disk.nextRead;
    await verifyTable(disk, tablePath(2));
    const reads = disk.nextRead - begin;
    let met = 0;
    for (let at = 0; at < reads; at++) {
      const failing = disk.fork();
      failing.addFault({ atRead: failing.nextRead + at, kind: "read-error" });
      const outcome = await verifyTable(failing, tablePath(2)).catch((error: unknown) => error);
      if (KayaError.is(outcome)) met++;
      expect(outcome).toMatchObject(KayaError.is(outcome) ? { code: "KAYA_IO" } : { damage: [] });
    }
    expect(met).toBeGreaterThan(5);
  });

  it("tells a whole table from the one that must be there", async () => {
    const disk = await filled();
    const [{ checksum }] = (await rowsOf(disk, tablePath(1))).slice(-1) as [TableInspectionRow];
    const fileBytes = disk.readFile(tablePath(1))?.length as number;
    const expected = { fileBytes, footerCrc: checksum };
    expect((await verifyTable(disk, tablePath(1), { expected })).damage).toEqual([]);
    const { damage } = await verifyTable(disk, tablePath(2), { expected });
    expect(damage).toHaveLength(1);
    expect(
      (await verifyTable(disk, tablePath(1), { expected: { fileBytes, footerCrc: 1 } })).damage,
    ).toMatchObject([{ message: expect.stringContaining("another table") as string }]);
  });

  it("ends when it is told to, and refuses what is no option or not there", async () => {
    const disk = await filled();
    const reason = new Error("enough");
    const ending = new AbortController();
    const onProgress = () => ending.abort(reason);
    await expect(verifyTable(disk, tablePath(1), { onProgress, signal: ending.signal })).rejects.toBe(reason);
    await expect(verifyTree(disk, { signal: ending.signal })).rejects.toBe(reason);
    await expect(verifyTable(disk, tablePath(9))).rejects.toMatchObject({ code: "KAYA_NOT_FOUND" });
    await expect(verifyTable(disk, tablePath(1), { progress: 1 } as never)).rejects.toMatchObject({
      code: "KAYA_INVALID_ARGUMENT",
    });
  });
});

describe("verifying a tree", () => {
  it("tells all that is wrong with all tables, and what an opening would remove, and changes nothing", async () => {
    const disk = await filled(4);
    disk.flipBit(tablePath(1), 5, 1);
    disk.removeDurably(tablePath(2));
    disk.writeFile(tablePath(3), disk.readFile(tablePath(4)) as Uint8Array);
    disk.writeFile(tablePath(30), new Uint8Array(3));
    disk.writeFile("sst/notes", new Uint8Array(3));
    const before = disk.stateDigest("everything");
    const told: { bytes: number; tables: number }[] = [];
    const { tables, damage, orphans, warnings, covered } = await verifyTree(disk, {
      onProgress: (progress) => told.push(progress),
    });
    expect(tables.map(({ path }) => path)).toEqual([4, 3, 2, 1].map(tablePath));
    expect(new Set(damage.map(({ path }) => path))).toEqual(new Set([3, 2, 1].map(tablePath)));
    expect(damage.find(({ path }) => path === tablePath(2))?.message).toContain("is not there");
    expect(orphans).toEqual([tablePath(30)]);
    expect(warnings).toEqual([{ kind: "UnknownFile", path: "sst/notes" }]);
    expect(covered.sequence).toBeGreaterThan(0);
    expect(told.at(-1)).toMatchObject({ tables: 4, totalTables: 4 });
    expect(disk.stateDigest("everything")).toBe(before);
    const whole = await filled();
    let last = { bytes: 0, totalBytes: -1 };
    const { damage: none } = await verifyTree(whole, { onProgress: (each) => (last = each) });
    expect(none).toEqual([]);
    expect(last.bytes).toBe(last.totalBytes);
  });

  it("tells where the manifest says something else of a table than the table does", async () => {
    const disk = await filled(1);
    const { state } = await readManifest(disk);
    const [meta] = state.levels[0] ?? [];
    if (meta === undefined) throw new Error("no table");
    const { properties } = await verifyTable(disk, tablePath(1));
    if (properties === undefined) throw new Error("no properties");
    expect(contradictions(meta, properties)).toEqual([]);
    for (const change of [
      { entries: 5 },
      { largestSequence: 1 },
      { start: Buffer.from("z") },
      { end: Buffer.from("b") },
    ])
      expect(contradictions({ ...meta, ...change }, properties)).toHaveLength(1);
  });

  it("leaves out a table that another process drops meanwhile", async () => {
    const disk = await filled();
    const tree = await openTiny(disk, KEEP);
    const reader = disk.session();
    let isCompacted = false;
    const open = reader.open.bind(reader);
    reader.open = async (path, options) => {
      if (path.startsWith("sst") && !isCompacted) {
        isCompacted = true;
        await tree.compact();
      }
      return open(path, options);
    };
    expect(await verifyTree(reader)).toMatchObject({ tables: [], damage: [] });
    expect((await verifyTree(reader)).tables).toHaveLength(tree.stats().tables);
    await tree.close();
  });
});
