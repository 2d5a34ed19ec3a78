import { appendFile, copyFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import {
  absentDirectory,
  filledDirectory,
  flipInFile,
  kayactl,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";

/** Three entries `key-0000N`: `value-N` in a table, nothing in the log. */
async function flushed(): Promise<string> {
  const data = await filledDirectory(3);
  await kayactl(["flush", "--data", data]);
  return data;
}

/** Of level 0, four tables of 100 keys: the first three overlap, and the last one deletes keys. */
async function layered(): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({ dataDir: data, tables: { autoFlush: false, autoCompact: false } });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) await engine.put(`key-${i * (round + 1)}`, "x".repeat(200), RELAXED);
    await engine.flush();
  }
  for (let i = 0; i < 50; i++) await engine.delete(`key-${i}`, RELAXED);
  await engine.clear({ prefix: "key-9" }, RELAXED);
  await engine.flush();
  await engine.close();
  return data;
}

const RELAXED = { durability: "relaxed" } as const;

async function only(data: string, directory: string): Promise<string> {
  const [name = ""] = await readdir(join(data, directory));
  return `${directory}/${name}`;
}

/** The data directory as it is, but for the mark of who had it open. */
async function withoutLock(data: string): Promise<Record<string, string>> {
  const { LOCK: _lock, ...rest } = await snapshot(data);
  return rest;
}

const timeless = (text: string) => text.replace(/(?<=\b(?:in|took) +)[\d.]+ m?s$/gm, "TIME");
const json = async (...argv: string[]) => JSON.parse((await kayactl([...argv, "--json"])).stdout);

describe("flush", () => {
  test("takes the log's place, and the data stays", async () => {
    const data = await filledDirectory(20, 400);
    const before = await kayactl(["scan", "--data", data]);
    const { code, stdout, stderr } = await kayactl(["flush", "--data", data]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^OK lsn=20 entries=20 bytes=\d+ segments_dropped=\d\n$/);
    expect(await readdir(join(data, "sst"))).toHaveLength(1);
    expect((await kayactl(["inspect", "wal", data])).stdout).toBe("");
    expect(await kayactl(["scan", "--data", data])).toEqual(before);
    expect((await kayactl(["put", "more", "1", "--data", data])).stdout).toBe(
      "OK sequence=21 lsn=21 durable=true\n",
    );
  });

  test("--json says the same, also where there was nothing to do", async () => {
    const data = await filledDirectory(3);
    const document = {
      ok: true,
      lsn: 3,
      sequence: 3,
      entries: 3,
      bytes: expect.any(Number),
      segmentsDropped: 1,
      durationMs: expect.any(Number),
    };
    expect(await json("flush", "--data", data)).toEqual(document);
    expect(await json("flush", "--data", data)).toEqual({
      ...document,
      entries: 0,
      bytes: 0,
      segmentsDropped: expect.any(Number),
    });
  });

  test("is refused while another process has the directory open, as compact is", async () => {
    const data = await filledDirectory(3);
    const engine = await Engine.open({ dataDir: data });
    try {
      for (const command of ["flush", "compact"])
        expect((await kayactl([command, "--data", data])).code).toBe(6);
    } finally {
      await engine.close();
    }
  });
});

describe("compact", () => {
  test("leaves one level and no tombstones, and all that can be read", async () => {
    const data = await layered();
    await kayactl(["put", "key-1", "in the log", "--data", data]);
    const before = await kayactl(["scan", "--data", data]);
    expect((await kayactl(["compact", "--data", data])).stdout).toMatch(
      /^OK tables=1 bytes=\d+ bytes_before=\d+ bytes_written=\d+\n$/,
    );
    expect(await kayactl(["scan", "--data", data])).toEqual(before);
    const { levels } = (await json("stats", "--data", data)).tables;
    expect(levels).toMatchObject([{ tables: 1, tombstones: 0, rangeTombstones: 0 }]);
  });

  test("takes a prefix and bounds, and says in --json what it came to", async () => {
    const data = await layered();
    const nothing = await json("compact", "none", "--data", data);
    expect(nothing).toEqual({
      ok: true,
      before: { tables: 4, bytes: expect.any(Number) },
      after: nothing.before,
      writtenBytes: 0,
      durationMs: expect.any(Number),
    });
    const some = await json("compact", "--gte", "key-1", "--lt", "key-2", "--data", data);
    expect(some.after.bytes).toBeLessThan(some.before.bytes);
    expect(some.writtenBytes).toBeGreaterThan(0);
    expect((await kayactl(["compact", "--gte", "x", "--key-hex", "--data", data])).code).toBe(4);
  });
});

test("stats shows the shape of the levels", async () => {
  const data = await layered();
  await kayactl(["put", "key-1", "in the log", "--data", data]);
  const { stdout } = await kayactl(["stats", "--data", data]);
  expect(stdout).toMatch(/^entries +about \d+$/m);
  expect(stdout).toMatch(/^memtable +1 entry, \d+ B$/m);
  expect(stdout).toMatch(/^tables +4 of [\d.]+ KiB, covering the log through LSN 351$/m);
  expect(stdout).toMatch(/^space amplification +3\.\d\d /m);
  expect(stdout).toMatch(/\n\nlevel +tables +bytes +entries +tombstones\n +0 +4 +[\d.]+ KiB +349 +50\n$/);
  await kayactl(["compact", "--data", data]);
  expect((await kayactl(["stats", "--data", data])).stdout).toMatch(
    /\n\nlevel .*\n +\d +1 +[\d.]+ KiB +\d+ +0\n$/,
  );
});

describe("verify and recover", () => {
  test("report the tables, then the log behind them", async () => {
    const data = await flushed();
    await kayactl(["put", "more", "1", "--data", data]);
    const { tables } = await json("verify", "--data", data);
    const rows = [
      `tables         1 of ${tables.bytes} B, covering the log through LSN 3`,
      "records        1",
      "LSN            4 to 4",
      "last sequence  4",
      "segments       1",
      "log bytes      53 B",
    ];
    const verified = await kayactl(["verify", "--data", data]);
    expect({ ...verified, stdout: timeless(verified.stdout) }).toEqual({
      code: 0,
      stdout: [
        `CLEAN ${data}`,
        `whole blocks   5, ${tables.bytes} B`,
        ...rows,
        "would be cut   nothing",
        "took           TIME",
        "",
      ].join("\n"),
      stderr: "",
    });
    const dry = await kayactl(["recover", "--dry-run", "--data", data]);
    expect(timeless(dry.stdout)).toBe(
      [`Dry run for ${data} in TIME`, ...rows, "would be cut   nothing", "Nothing was changed.", ""].join(
        "\n",
      ),
    );
    expect(await json("verify", "--data", data)).toMatchObject({
      ok: true,
      tree: { manifest: await only(data, "manifest"), tables: 1, blocks: 5, bytes: tables.bytes },
    });
    for (const argv of [["verify"], ["recover"], ["recover", "--dry-run"]])
      expect(await json(...argv, "--data", data)).toMatchObject({
        tables: { covered: { lsn: 3, sequence: 3 }, tables: 1, bytes: tables.bytes },
        recordCount: 1,
      });
  });

  test("find any byte that is not as it was, of the manifest and of a table, with its file and offset", async () => {
    const data = await flushed();
    for (const directory of ["manifest", "sst"]) {
      const name = await only(data, directory);
      const path = join(data, name);
      const whole = await readFile(path);
      const before = await withoutLock(data);
      for (let offset = 0; offset < whole.length; offset += 7) {
        await flipInFile(path, offset);
        const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
        expect(code, `${name} at ${offset}`).toBe(3);
        expect(stdout + stderr).toMatch(new RegExp(`${name}: offset \\d+: `));
        await writeFile(path, whole);
      }
      expect(Object.keys(await withoutLock(data))).toEqual(Object.keys(before));
    }
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  });

  test("a damaged block is told, and that no recovery mends it", async () => {
    const data = await flushed();
    const table = await only(data, "sst");
    await flipInFile(join(data, table), 12);
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain(`DAMAGED ${data}\n  ${table}: offset 0: the data block's checksum is `);
    expect(stdout).toMatch(
      /\nA recovery \(--recovery tail\) would change nothing\.\nA recovery does not read the blocks of tables\. .+ Restore the directory from a backup\.\n$/,
    );
    expect(await json("verify", "--data", data)).toMatchObject({
      ok: false,
      action: "none",
      damageCount: 1,
      damage: [{ path: table, offset: 0, message: expect.any(String) }],
      tree: { tables: 1, blocks: 4 },
    });
    const refused = await kayactl(["get", "key-00000", "--data", data]);
    expect(refused).toMatchObject({ code: 3, stdout: "" });
    expect(refused.stderr).toMatch(/^error KAYA_CORRUPTION: .*\nhint: .+verify.+no --recovery skips/);
  });

  test("refuse where a table is missing or another one, in every mode", async () => {
    for (const change of [
      (path: string) => rm(path),
      (path: string) => truncate(path, 40),
      (path: string) => appendFile(path, Buffer.alloc(64)),
    ]) {
      const data = await flushed();
      const table = await only(data, "sst");
      await change(join(data, table));
      const before = await withoutLock(data);
      for (const mode of ["tail", "prefix", "absolute"]) {
        const { code, stdout } = await kayactl(["verify", "--recovery", mode, "--data", data]);
        expect(code).toBe(3);
        expect(stdout).toContain(`  ${table}: offset `);
        expect(stdout).toContain(`A recovery (--recovery ${mode}) would refuse:\n  `);
        expect((await kayactl(["recover", "--recovery", mode, "--data", data])).code).toBe(3);
      }
      expect(await withoutLock(data)).toEqual(before);
    }
  });

  test("name what lies beside the tables, which is no damage; the next opening clears up", async () => {
    const data = await flushed();
    const table = await only(data, "sst");
    await copyFile(join(data, table), join(data, "sst/0000000000000009.sst"));
    await writeFile(join(data, "sst/000000000000000a.sst.tmp"), "half");
    await writeFile(join(data, "sst/note\u001b.txt"), "mine");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(0);
    const fate =
      "is named by no manifest: it is being written, or a crash left it and the next opening removes it";
    expect(stdout.split("\n").filter((line) => line.startsWith("note: "))).toEqual([
      `note: sst/0000000000000009.sst ${fate}`,
      `note: sst/000000000000000a.sst.tmp ${fate}`,
      "note: sst/note\\u001b.txt is not ours",
    ]);
    expect(await json("verify", "--data", data)).toMatchObject({
      ok: true,
      tree: {
        orphans: ["sst/0000000000000009.sst", "sst/000000000000000a.sst.tmp"],
        warnings: [{ kind: "UnknownFile", path: "sst/note\u001b.txt" }],
      },
    });
    await kayactl(["recover", "--data", data]);
    expect(await readdir(join(data, "sst"))).toEqual([table.slice("sst/".length), "note\u001b.txt"]);
  });

  test("a name that no table has is refused by that name", async () => {
    const data = await flushed();
    await writeFile(join(data, "sst/0000000000000000.sst"), "");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain("sst/0000000000000000.sst is named like a table");
  });

  test("an edit of the manifest that a crash left unfinished is told, and that it is left out", async () => {
    const data = await flushed();
    const manifest = await only(data, "manifest");
    const { length } = await readFile(join(data, manifest));
    await appendFile(join(data, manifest), "torn");
    const { code, stdout } = await kayactl(["verify", "--data", data]);
    expect(code).toBe(3);
    expect(stdout).toContain(`  ${manifest}: offset ${length}: the last edit, 4 bytes, is not whole`);
    expect(stdout).toContain("would leave out the last edit of the manifest, which was never durable.\n");
    expect((await kayactl(["recover", "--data", data])).code).toBe(0);
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  });

  test("segments below the tables that a crash brought back are no damage, with or without a gap between them", async () => {
    const data = await filledDirectory(20, 400);
    const aside = await temporaryDirectory();
    const back = ["0000000000000001.wal", "0000000000000003.wal"];
    for (const name of back) await copyFile(join(data, "wal", name), join(aside, name));
    await kayactl(["flush", "--data", data]);
    for (const name of back) await copyFile(join(aside, name), join(data, "wal", name));
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
    expect((await kayactl(["inspect", "wal", data])).code).toBe(0);
    await flipInFile(join(data, "wal", back[0] ?? ""), 50);
    expect(await json("verify", "--data", data)).toMatchObject({
      ok: false,
      action: "none",
      damage: [{ segment: back[0] }, {}],
    });
  });
});

test("inspect wal goes on where the manifest cannot be read, and says so", async () => {
  const data = await flushed();
  await kayactl(["put", "more", "1", "--data", data]);
  await flipInFile(join(data, await only(data, "manifest")), 3);
  const { code, stdout, stderr } = await kayactl(["inspect", "wal", data]);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "offset=0 lsn=4 seq=4 type=PUT key_len=4 value_len=1 checksum=ok key=more\n",
  });
  expect(stderr).toMatch(/^note: the manifest cannot be read.*manifest\/.* at offset 0/);
});

describe("a look at a directory in use", () => {
  test("takes what a flush and a compaction do meanwhile for no damage", async () => {
    const data = await absentDirectory();
    const engine = await Engine.open({
      dataDir: data,
      wal: { segmentMaxBytes: 4000, maxRecordBytes: 1000 },
      memory: { memtableBytes: 64 * 1024 },
    });
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i++) await engine.put(`key ${i % 20}`, "x".repeat(100), RELAXED);
    })();
    try {
      const first = engine.stats().flush.finished;
      // Until there were some, however slow the machine is.
      for (let looks = 0; looks < 20 || engine.stats().flush.finished < first + 3; looks++) {
        const { code, stdout, stderr } = await kayactl(["verify", "--data", data]);
        // A record that is being written looks torn; nothing else may be wrong.
        if (code !== 0) expect(stdout + stderr).toContain("a look at a log in use");
      }
    } finally {
      isOver = true;
      await writing;
      await engine.close();
    }
  });
});
