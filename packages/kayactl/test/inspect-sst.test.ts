import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NodeDisk } from "@kaya/io";
import { TableWriter } from "@kaya/lsm";
import { describe, expect, test } from "vitest";
import { flipInFile, kayactl, temporaryDirectory } from "./helpers.js";

const SEED = new Uint8Array(16).fill(7);

/** A data directory with so many tables of 100 entries. */
async function directoryOfTables(count: number): Promise<string> {
  const data = await temporaryDirectory();
  for (let i = 0; i < count; i++) {
    const path = `sst/${String(i + 1).padStart(16, "0")}.sst`;
    const writer = await TableWriter.create(new NodeDisk(data), path, { seed: SEED, blockBytes: 1024 });
    for (let n = 0; n < 100; n++)
      await writer.add(Buffer.from(`key-${String(n).padStart(3, "0")}`), 0, n, Buffer.from(`value-${n}`));
    await writer.finish();
  }
  return data;
}

const lines = (text: string) => text.split("\n").slice(0, -1);

describe("inspect sst", () => {
  test("has a line for each block of a table, and one for the whole", async () => {
    const data = await directoryOfTables(1);
    const { code, stdout, stderr } = await kayactl([
      "inspect",
      "sst",
      join(data, "sst/0000000000000001.sst"),
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(lines(stdout)[0]).toMatch(
      /^offset=0 bytes=\d+ kind=data entries=\d+ crc32c=[0-9a-f]{8} checksum=ok$/,
    );
    const kinds = lines(stdout).map((line) => / kind=(\S+)/.exec(line)?.[1]);
    expect(kinds).toEqual(["data", "data", "filter", "index", "properties", "footer", undefined]);
    expect(lines(stdout).at(-1)).toMatch(
      /^entries=100 tombstones=0 range_tombstones=0 data_blocks=2 raw_bytes=\d+ stored_bytes=\d+ seq=0\.\.99$/,
    );
  });

  test("of a directory names each table, and --summary leaves the blocks out", async () => {
    const data = await directoryOfTables(3);
    const { stdout } = await kayactl(["inspect", "sst", data, "--summary"]);
    expect(lines(stdout).map((line) => line.split(" ")[0])).toEqual([
      "table=0000000000000001.sst",
      "entries=100",
      "table=0000000000000002.sst",
      "entries=100",
      "table=0000000000000003.sst",
      "entries=100",
    ]);
    expect((await kayactl(["inspect", "sst", join(data, "sst")])).stdout.length).toBeGreaterThan(
      stdout.length,
    );
  });

  test("tells damage with its offset, goes on behind it, and ends with 3", async () => {
    const data = await directoryOfTables(2);
    const first = join(data, "sst/0000000000000001.sst");
    await flipInFile(first, 20);
    const { code, stdout } = await kayactl(["inspect", "sst", data]);
    expect(code).toBe(3);
    const damage = lines(stdout).filter((line) => line.startsWith("CORRUPTION"));
    expect(damage).toHaveLength(1);
    expect(damage[0]).toMatch(
      /^CORRUPTION offset=0 the data block's checksum is 0x[0-9a-f]{8}, but its bytes give 0x/,
    );
    expect(lines(stdout).filter((line) => line.includes("kind=data"))).toHaveLength(3);
    await writeFile(first, (await readFile(first)).subarray(0, 50));
    const cut = await kayactl(["inspect", "sst", first]);
    expect([cut.code, lines(cut.stdout).length]).toEqual([3, 1]);
    expect(cut.stdout).toContain("no table ends so");
  });

  test("as JSON is one document", async () => {
    const data = await directoryOfTables(2);
    await flipInFile(join(data, "sst/0000000000000002.sst"), 20);
    const { code, stdout } = await kayactl(["inspect", "sst", data, "--json"]);
    const { tables } = JSON.parse(stdout);
    expect(code).toBe(3);
    expect(tables[0]).toMatchObject({
      table: "0000000000000001.sst",
      damage: [],
      properties: { entries: 100, smallest: { key: "key-000" }, largest: { key: "key-099" } },
    });
    expect(tables[0].rows).toHaveLength(6);
    expect(tables[1].damage[0].offset).toBe(0);
  });

  test("of nothing, and of what is not there, says so", async () => {
    const empty = await temporaryDirectory();
    await mkdir(join(empty, "sst"));
    const { code, stdout, stderr } = await kayactl(["inspect", "sst", empty]);
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toMatch(/^note: there is no table in /);
    expect((await kayactl(["inspect", "sst", join(empty, "absent")])).code).toBe(2);
  });
});
