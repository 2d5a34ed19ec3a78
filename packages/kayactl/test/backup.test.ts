import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filledDirectory, kayactl, temporaryDirectory } from "./helpers.js";

test("backup writes a data directory that verifies and holds the same", async () => {
  const data = await filledDirectory(20);
  const dir = join(await temporaryDirectory(), "copy");
  const { code, stdout, stderr } = await kayactl(["backup", dir, "--data", data]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^OK lsn=20 tables=1 bytes=\d+ copied_tables=1 copied_bytes=\d+ dir=.*copy\n$/);
  expect((await kayactl(["verify", "--data", dir])).code).toBe(0);
  const scan = (of: string) => kayactl(["scan", "--json", "--data", of]);
  expect((await scan(dir)).stdout).toBe((await scan(data)).stdout);
});

test("backup --json is one document", async () => {
  const data = await filledDirectory(20);
  const dir = join(await temporaryDirectory(), "copy");
  const { stdout } = await kayactl(["backup", dir, "--json", "--data", data]);
  expect(JSON.parse(stdout)).toEqual({
    ok: true,
    lsn: expect.any(Number),
    sequence: expect.any(Number),
    tables: 1,
    bytes: expect.any(Number),
    copiedTables: 1,
    copiedBytes: expect.any(Number),
    durationMs: expect.any(Number),
  });
});

test("backup again into the same directory copies what is new, and takes in what was deleted", async () => {
  const data = await filledDirectory(20);
  const dir = join(await temporaryDirectory(), "copy");
  await kayactl(["flush", "--data", data]);
  const backup = async () => JSON.parse((await kayactl(["backup", dir, "--json", "--data", data])).stdout);
  expect(await backup()).toMatchObject({ lsn: 20, tables: 1, copiedTables: 1 });
  expect(await backup()).toMatchObject({ lsn: 20, tables: 1, copiedTables: 0, copiedBytes: 0 });
  await kayactl(["delete", "key-00003", "--data", data]);
  expect(await backup()).toMatchObject({ lsn: 21, tables: 2, copiedTables: 1 });
  expect((await kayactl(["verify", "--data", dir])).code).toBe(0);
  const scan = (of: string) => kayactl(["scan", "--json", "--data", of]);
  expect((await scan(dir)).stdout).toBe((await scan(data)).stdout);
  await kayactl(["put", "key", "1", "--data", dir]); // from now on it is a store of its own
  const { code, stderr } = await kayactl(["backup", dir, "--data", data]);
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining("a store of its own") });
});

test("backup into a directory that holds something is refused, and touches nothing", async () => {
  const data = await filledDirectory(20);
  const dir = await temporaryDirectory();
  await writeFile(join(dir, "mine.txt"), "");
  const { code, stdout, stderr } = await kayactl(["backup", dir, "--data", data]);
  expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
  expect(stderr).toContain("mine.txt");
  expect(await readdir(dir)).toEqual(["mine.txt"]);
  await mkdir(join(dir, "sub"));
  expect((await kayactl(["backup", join(dir, "sub"), "--data", join(dir, "absent")])).code).toBe(2);
  expect(await readdir(join(dir, "sub"))).toEqual([]);
});
