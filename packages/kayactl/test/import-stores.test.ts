import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClassicLevel } from "classic-level";
import { open as openLmdb } from "lmdb";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type SqliteOptions, SqliteSource } from "../src/import/from-sqlite.js";
import type { ImportEntry } from "../src/import/import-source.js";
import type { SqlRow } from "../src/import/sqlite-driver.js";
import { absentDirectory, BIN, child, kayactl, snapshot, temporaryDirectory } from "./helpers.js";
import { openTestSqlite } from "./test-sqlite.js";

// Packages of other stores are looked for from the current directory.
beforeEach(() => {
  vi.spyOn(process, "cwd").mockReturnValue(fileURLToPath(new URL("..", import.meta.url)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const exported = async (data: string) => (await kayactl(["export", "--data", data])).stdout;
const lines = (...documents: unknown[]) => documents.map((each) => `${JSON.stringify(each)}\n`).join("");

describe("import --from-level", () => {
  test("copies every key and value byte for byte, sublevels too", async () => {
    const location = join(await temporaryDirectory(), "level");
    const level = new ClassicLevel<string, unknown>(location, { valueEncoding: "json" });
    await level.put("user:1", { name: "Ada" });
    await level.sublevel("sub", { valueEncoding: "utf8" }).put("a", "é");
    const binary = { keyEncoding: "view", valueEncoding: "view" } as const;
    await level.put<Uint8Array, Uint8Array>(new Uint8Array([0xff, 0]), new Uint8Array([0x80]), binary);
    await level.close();
    const data = await absentDirectory();
    const { code, stdout, stderr } = await kayactl(["import", "--from-level", location, "--data", data]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "OK entries=3 written=3 skipped=0 expired=0 bytes=31\n",
      stderr: "",
    });
    expect(await exported(data)).toBe(
      lines(
        { key: "!sub!a", value: "é" },
        { key: "user:1", value: '{"name":"Ada"}' },
        { keyHex: "ff00", valueHex: "80" },
      ),
    );
  });

  test("takes more than a batch, in order, and values that it must not mix up", async () => {
    const location = join(await temporaryDirectory(), "level");
    const level = new ClassicLevel(location);
    const entries = Array.from(
      { length: 2500 },
      (_, i) => [`k${String(i).padStart(4, "0")}`, `v${i}`] as const,
    );
    await level.batch(entries.map(([key, value]) => ({ type: "put", key, value })));
    await level.close();
    const data = await absentDirectory();
    expect((await kayactl(["import", "--from-level", location, "--data", data])).code).toBe(0);
    expect(await exported(data)).toBe(lines(...entries.map(([key, value]) => ({ key, value }))));
  });

  test("leaves a directory alone that is none of LevelDB's, and one that is open", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "file"), "mine");
    const data = await absentDirectory();
    const none = await kayactl(["import", "--from-level", directory, "--data", data]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("is no LevelDB directory");
    expect(await readdir(directory)).toEqual(["file"]);
    const level = new ClassicLevel(join(directory, "level"));
    await level.open();
    const open = await kayactl(["import", "--from-level", level.location, "--data", data]);
    await level.close();
    expect(open.code).toBe(6);
    expect(open.stderr).toContain("a process has");
  });
});

describe("import --from-lmdb", () => {
  async function lmdb(fill: (root: ReturnType<typeof openLmdb>) => Promise<unknown>): Promise<string> {
    const path = join(await temporaryDirectory(), "lmdb");
    const root = openLmdb({ path });
    await fill(root);
    await root.close();
    return path;
  }

  test("copies keys and values as LMDB has them, and tells of databases that it leaves out", async () => {
    const path = await lmdb(async (root) => {
      await root.put("text é", { a: 1 });
      await root.put(5, "five");
      await root.put(["a", 1], true);
      await root.openDB("named", { encoding: "string" }).put("k", "plain");
    });
    const data = await absentDirectory();
    const { code, stdout, stderr } = await kayactl(["import", "--from-lmdb", path, "--data", data]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "OK entries=3 written=3 skipped=0 expired=0 bytes=35\n",
    });
    expect(stderr).toBe(
      `note: ${path} has databases with a name, which were not imported (--db NAME): "named"\n`,
    );
    const items = (await exported(data))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(items.map(({ key, keyHex }) => keyHex ?? key)).toEqual([
      "\u0014\u0001@\u0000",
      "610013ff00000000000000",
      "text é",
    ]);
  });

  test("takes an entry that looks like a database for what it is", async () => {
    const path = join(await temporaryDirectory(), "lmdb");
    const root = openLmdb<Buffer, Buffer>({ path, keyEncoding: "binary", encoding: "binary" });
    await root.put(Buffer.from("like\0"), Buffer.alloc(48));
    await root.close();
    const data = await absentDirectory();
    expect(await kayactl(["import", "--from-lmdb", path, "--data", data])).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await exported(data)).toBe(lines({ key: "like\0", value: "\0".repeat(48) }));
  });

  test("reads a named database, and values as they were before compression or versions", async () => {
    const value = "z".repeat(5000);
    const path = await lmdb(async (root) => {
      await root.openDB("named", { encoding: "string" }).put("k", "plain");
      await root.openDB("compressed", { encoding: "string", compression: true }).put("k", value);
      await root.openDB("versions", { encoding: "string", useVersions: true }).put("k", "v", 7);
    });
    const importing = async (...argv: string[]) => {
      const data = await absentDirectory();
      expect(await kayactl(["import", "--from-lmdb", path, ...argv, "--data", data])).toMatchObject({
        code: 0,
        stderr: "",
      });
      return exported(data);
    };
    expect(await importing("--db", "named")).toBe(lines({ key: "k", value: "plain" }));
    expect(await importing("--db", "compressed", "--lmdb-compression")).toBe(lines({ key: "k", value }));
    expect(await importing("--db", "versions", "--lmdb-versions")).toBe(lines({ key: "k", value: "v" }));
  });

  test("refuses several values to a key, and what is not there", async () => {
    const path = await lmdb(async (root) => {
      const several = root.openDB("several", { dupSort: true, encoding: "ordered-binary" });
      await several.put("a", 1);
      await several.put("k", 1);
      await several.put("k", 2);
    });
    const data = await absentDirectory();
    const dup = await kayactl(["import", "--from-lmdb", path, "--db", "several", "--data", data]);
    expect(dup.code).toBe(4);
    expect(dup.stderr).toMatch(
      /entry 3 of the database "several" of .+ has the key k again: .+The first 2 entries are imported/,
    );
    expect((await kayactl(["import", "--from-lmdb", path, "--db", "none", "--data", data])).stderr).toContain(
      'has no database "none"',
    );
    const nowhere = join(path, "nowhere");
    expect((await kayactl(["import", "--from-lmdb", nowhere, "--data", data])).code).toBe(2);
    expect(await readdir(path)).toEqual(["data.mdb", "lock.mdb"]);
  });

  test("what is no database is refused before LMDB maps it, and nothing is made there", async () => {
    const directory = await temporaryDirectory();
    const [other, short] = [join(directory, "other"), join(directory, "short")];
    await mkdir(join(directory, "empty"));
    await writeFile(other, Buffer.alloc(20_000, "SQLite format 3"));
    await writeFile(short, "x");
    for (const [path, code, message] of [
      [other, 4, `${other} is no LMDB database`],
      [short, 4, `${short} is no LMDB database`],
      [join(directory, "empty"), 2, "data.mdb is not there"],
    ] as const) {
      const argv = ["import", "--from-lmdb", path, "--data", await absentDirectory()];
      // In a process of its own, which a mistake would end.
      const outcome = await child(process.execPath, [BIN, ...argv], { cwd: process.cwd() });
      expect(outcome).toMatchObject({ code, stderr: expect.stringContaining(message) });
    }
    expect((await readdir(directory)).sort()).toEqual(["empty", "other", "short"]);
    expect(await readdir(join(directory, "empty"))).toEqual([]);
  });

  test("takes many entries and changes no data of the database", async () => {
    const count = 3000;
    const path = await lmdb((root) =>
      root.transaction(() => {
        for (let i = 0; i < count; i++)
          void root.put(`k${String(i).padStart(4, "0")}`, new Uint8Array([i % 100]));
      }),
    );
    const dataFile = async () => (await snapshot(path))["data.mdb"];
    const before = await dataFile();
    const data = await absentDirectory();
    expect((await kayactl(["import", "--from-lmdb", path, "--data", data])).code).toBe(0);
    expect(await dataFile()).toBe(before);
    const keys = (await kayactl(["scan", "--keys-only", "--data", data])).stdout.trimEnd().split("\n");
    expect(keys).toEqual(Array.from({ length: count }, (_, i) => `k${String(i).padStart(4, "0")}`));
  });
});

const OPTIONS: SqliteOptions = {
  table: "t",
  keyColumn: "k",
  valueColumn: "v",
  numbersAsText: false,
  skipNulls: false,
};

/** What a driver gives of these rows. */
async function entriesOf(rows: readonly SqlRow[], options: Partial<SqliteOptions> = {}, encoding = "UTF-8") {
  const driver = {
    rows: (sql: string) => (sql.startsWith("PRAGMA") ? [{ encoding }] : rows),
    close: () => undefined,
  };
  const entries: ImportEntry[] = [];
  for await (const page of new SqliteSource("x.db", driver, { ...OPTIONS, ...options }).pages())
    entries.push(...page);
  return entries.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]);
}

const row = (keyType: string, key: unknown, valueType: string, value: unknown): SqlRow => ({
  keyType,
  key: typeof key === "string" ? Buffer.from(key) : key,
  valueType,
  value: typeof value === "string" ? Buffer.from(value) : value,
});

describe("rows of SQLite", () => {
  test("text and blobs stay as they are; an empty blob that a driver calls null too", async () => {
    expect(await entriesOf([row("text", "a", "blob", null), row("blob", "b", "text", "é")])).toEqual([
      ["a", ""],
      ["b", "é"],
    ]);
  });

  test("numbers become text only where that is asked for, with all their digits", async () => {
    const rows = [
      row("integer", "7", "integer", "9007199254740993"),
      row("text", "a", "real", 0.1),
      row("text", "b", "real", -0),
      row("text", "c", "real", 1e300),
    ];
    expect(await entriesOf(rows, { numbersAsText: true })).toEqual([
      ["7", "9007199254740993"],
      ["a", "0.1"],
      ["b", "-0"],
      ["c", "1e+300"],
    ]);
    await expect(entriesOf(rows)).rejects.toThrow(
      "row 1 of the table t of x.db has the k 7, a number: --numbers-as-text",
    );
    await expect(entriesOf(rows.slice(1))).rejects.toThrow(
      "row 1 of the table t of x.db has the v 0.1, a number",
    );
  });

  test.each([
    [[row("null", null, "text", "1")], "has the k NULL, which is no key"],
    [[row("real", 1.5, "text", "1")], "has the k 1.5 (REAL), which is no key"],
    [[row("text", "a", "null", null)], "has the v NULL, and Kaya has no such value"],
    [
      [row("text", "a", "text", "1"), row("blob", "a", "text", "2")],
      "row 2 of the table t of x.db has the k a again",
    ],
  ])("what cannot be kept is refused: %#", async (rows, message) => {
    await expect(entriesOf(rows)).rejects.toThrow(message);
  });

  test("UTF-16 becomes UTF-8, and half a surrogate pair is refused", async () => {
    const utf16 = (text: string) => Buffer.from(text, "utf16le");
    const rows = [row("text", utf16("é😀"), "text", utf16("ü"))];
    expect(await entriesOf(rows, {}, "UTF-16le")).toEqual([["é😀", "ü"]]);
    await expect(
      entriesOf([row("text", utf16("a"), "text", Buffer.from([0, 0xd8]))], {}, "UTF-16le"),
    ).rejects.toThrow("has text that is no valid UTF-16LE");
    const mixed = [row("text", utf16("a"), "blob", "1"), row("blob", "a", "blob", "1")];
    await expect(entriesOf(mixed, {}, "UTF-16le")).rejects.toThrow("of another type than the rows before it");
  });

  test("rows without a value are left out where that is asked for", async () => {
    expect(
      await entriesOf([row("text", "a", "null", null), row("text", "b", "text", "1")], { skipNulls: true }),
    ).toEqual([["b", "1"]]);
  });
});

describe("import --from-sqlite", () => {
  test("reads a table", async (context) => {
    const file = join(await temporaryDirectory(), "app.db");
    const db = openTestSqlite(file);
    if (db === undefined) return context.skip("neither better-sqlite3 nor node:sqlite can be loaded here");
    db.exec(`
      CREATE TABLE "odd ""name" (k TEXT PRIMARY KEY, v, "other v" BLOB);
      INSERT INTO "odd ""name" VALUES ('b', 'é', x'00ff'), ('a', 'x' || char(0) || 'y', x''), ('c', NULL, NULL);
      CREATE TABLE numbers (id INTEGER PRIMARY KEY, v REAL);
      INSERT INTO numbers VALUES (10, 0.1), (9007199254740993, 2.5);
      CREATE TABLE twice (k TEXT, v TEXT);
      INSERT INTO twice VALUES ('a', '1'), ('b', '1'), ('a', '2');
    `);
    db.close();
    const data = await absentDirectory();
    const from = (table: string, key: string, value: string, ...argv: string[]) =>
      kayactl([
        "import",
        "--from-sqlite",
        file,
        "--table",
        table,
        "--key-column",
        key,
        "--value-column",
        value,
        ...argv,
        "--data",
        data,
      ]);
    expect((await from("nowhere", "k", "v")).code).toBe(4);
    expect(existsSync(data)).toBe(false); // a mistake is told before anything is made
    const odd = await from('odd "name', "k", "v", "--skip-nulls");
    expect(odd.stdout).toBe("OK entries=2 written=2 skipped=0 expired=0 bytes=7\n");
    expect(odd.stderr).toBe(`note: 1 row of the table odd "name of ${file} was left out: v is NULL\n`);
    expect(await exported(data)).toBe(lines({ key: "a", value: "x\u0000y" }, { key: "b", value: "é" }));
    expect((await from('odd "name', "k", "other v", "--skip-nulls")).code).toBe(0);
    expect(await exported(data)).toBe(lines({ key: "a", value: "" }, { key: "b", valueHex: "00ff" }));
    expect((await from("numbers", "id", "v")).stderr).toContain("has the id 10, a number: --numbers-as-text");
    expect((await from("numbers", "id", "v", "--numbers-as-text")).code).toBe(0);
    expect((await kayactl(["get", "9007199254740993", "--data", data])).stdout).toBe("2.5\n");
    expect((await from("twice", "k", "v")).stderr).toContain("row 2 of the table twice of");
    expect((await from("twice", "k", "no such column")).stderr).toMatch(/SQLite refuses .+no such column/);
    expect((await from("nowhere", "k", "v")).stderr).toMatch(/SQLite refuses .+no such table/);
    await writeFile(file, "this is no database, and long enough to look at. ".repeat(20));
    expect((await from("t", "k", "v")).stderr).toMatch(/SQLite refuses .+not a database/);
  });
});

test.each([
  ["--from-level", "classic-level"],
  ["--from-lmdb", "lmdb"],
])("%s says how to install %s where it is not", async (option, name) => {
  const elsewhere = await temporaryDirectory();
  await mkdir(join(elsewhere, "x"));
  const command = `cd '${elsewhere}' && exec '${process.execPath}' '${BIN}' import ${option} x`;
  const { code, stderr } = await child("sh", ["-c", command], { env: { NODE_PATH: "" } });
  expect(code).toBe(4);
  expect(stderr).toBe(
    `error KAYA_INVALID_ARGUMENT: ${option} needs the package ${name}, which is not installed in ${elsewhere} or above: npm install ${name}\n`,
  );
  expect(await readdir(elsewhere)).toEqual(["x"]);
});
