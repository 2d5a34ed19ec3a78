import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { kayactl, temporaryDirectory } from "./helpers.js";

/** Ten entries, LSN 1 to 10, and their deletion, LSN 11. */
async function emptied(): Promise<string> {
  const data = join(await temporaryDirectory(), "data");
  const engine = await Engine.open({ dataDir: data });
  for (let i = 0; i < 10; i++) await engine.put(`key ${i}`, "value");
  await engine.clear();
  await engine.close();
  return data;
}

async function contents(dir: string): Promise<Record<string, string>> {
  const names = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  );
  const read = names.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path, (await readFile(path)).toString("base64")] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

describe("recover --to-lsn --into", () => {
  test("builds a directory with the state as of that LSN, and changes nothing here, also beside an engine", async () => {
    const data = await emptied();
    const before = await contents(data);
    const dir = join(await temporaryDirectory(), "before");
    const args = ["recover", "--data", data, "--into"];
    expect(await kayactl([...args, dir, "--to-lsn", "10"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^OK lsn=10 tables=1 bytes=\d+ dir=.*before\n$/),
      stderr: "",
    });
    expect(await contents(data)).toEqual(before);
    expect((await kayactl(["verify", "--data", dir])).code).toBe(0);
    expect((await kayactl(["scan", "--data", dir])).stdout.split("\n")).toHaveLength(11);

    const engine = await Engine.open({ dataDir: data });
    const beside = join(await temporaryDirectory(), "beside");
    const { code, stdout } = await kayactl([...args, beside, "--to-lsn", "5", "--json"]);
    await engine.close();
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, lsn: 5, sequence: 5, tables: 1 });
  });

  test("tells what cannot be had, and leaves nothing", async () => {
    const data = await emptied();
    const dir = join(await temporaryDirectory(), "before");
    const to = (lsn: string, ...more: string[]) =>
      kayactl(["recover", "--data", data, "--to-lsn", lsn, "--into", dir, ...more]);
    expect(await to("12")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("the last one is 11"),
    });
    await kayactl(["flush", "--data", data]);
    expect(await to("3")).toMatchObject({ code: 1, stderr: expect.stringContaining("KAYA_LOG_TRUNCATED") });
    await expect(readdir(dir)).rejects.toThrow("ENOENT");
  });

  test("refuses damage before the LSN, and does not look behind it", async () => {
    const data = await emptied();
    const segment = join(data, "wal", "0000000000000001.wal");
    const bytes = await readFile(segment);
    const third = 2 * (40 + 8 + 5 + 5);
    bytes[third + 50] = 0;
    await writeFile(segment, bytes);
    const dir = join(await temporaryDirectory(), "before");
    const to = (lsn: string) => kayactl(["recover", "--data", data, "--to-lsn", lsn, "--into", dir]);
    expect(await to("3")).toMatchObject({ code: 3, stderr: expect.stringContaining(`offset ${third}: `) });
    expect(await to("2")).toMatchObject({ code: 0 });
  });

  test("are given together, and not with a dry run", async () => {
    const data = await emptied();
    for (const args of [
      ["--to-lsn", "1"],
      ["--into", "x"],
      ["--to-lsn", "1", "--into", "x", "--dry-run"],
      ["--to-lsn", "x", "--into", "x"],
      ["--to-lsn", "0", "--into", "x"],
      ["--to-lsn", "1", "--into", data],
      ["--to-lsn", "1", "--into", join(data, "sub")],
    ]) {
      const { code, stdout } = await kayactl(["recover", "--data", data, ...args]);
      expect({ code, stdout }, args.join(" ")).toEqual({ code: 4, stdout: "" });
    }
    const absent = join(data, "..", "absent");
    const { code } = await kayactl(["recover", "--data", absent, "--to-lsn", "1", "--into", "x"]);
    expect(code).toBe(2);
  });
});
