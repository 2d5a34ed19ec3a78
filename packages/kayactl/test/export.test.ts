import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Engine, KayaError } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { NewFile } from "../src/export/new-file.js";
import { run } from "../src/index.js";
import { absentDirectory, filledDirectory, kayactl, Sink, snapshot, temporaryDirectory } from "./helpers.js";

async function storeWith(fill: (engine: Engine) => Promise<unknown>): Promise<string> {
  const dataDir = await absentDirectory();
  const engine = await Engine.open({ dataDir });
  await fill(engine);
  await engine.close();
  return dataDir;
}

const HOSTILE = '\u001b[2J\u2028\u202e\\"\n\t\ufeff';

describe("export", () => {
  test("writes a line an entry, exact about bytes and expiry", async () => {
    const data = await storeWith(async (engine) => {
      await engine.put("", "");
      await engine.put(new Uint8Array([0xff, 0]), new Uint8Array([0xc3]));
      await engine.put(HOSTILE, HOSTILE);
      await engine.flush();
      await engine.put("zé", "😀", { expiresAt: 4102444800000 });
      await engine.put("gone", "x", { expiresAt: 1 });
    });
    const { code, stdout, stderr } = await kayactl(["export", "--data", data]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { key: "", value: "" },
      { key: HOSTILE, value: HOSTILE },
      { key: "zé", value: "😀", expiresAt: 4102444800000 },
      { keyHex: "ff00", valueHex: "c3" },
    ]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would obey is what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e\ufeff]/);
    const { items } = JSON.parse((await kayactl(["scan", "--json", "--data", data])).stdout);
    expect(items.map((item: unknown) => JSON.stringify(item))).toEqual(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.stringify(JSON.parse(line))),
    );
  });

  test("takes the range options of scan", async () => {
    const data = await filledDirectory(5);
    const keys = async (...argv: string[]) => {
      const { code, stdout } = await kayactl(["export", "--data", data, ...argv]);
      expect(code).toBe(0);
      return stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).key.slice(-1))
        .join("");
    };
    expect(await keys()).toBe("01234");
    expect(await keys("key-", "--limit", "2")).toBe("01");
    expect(await keys("--limit", "0")).toBe("");
    expect(await keys("--reverse", "--limit", "3")).toBe("432");
    expect(await keys("--gt", "key-00001", "--lte", "key-00003")).toBe("23");
    expect(await keys("--key-hex", "6b65792d3030303034")).toBe("4");
    expect(await keys("nothing")).toBe("");
  });

  test("leaves out what stands under indexes, and counts only what it writes against the limit", async () => {
    const data = await storeWith(async (engine) => {
      const users = engine.view({
        prefix: "\uffff",
        key: "utf8",
        value: "json",
        indexes: { byName: { key: "utf8", of: (user: unknown) => (user as { name: string }).name } },
      });
      await users.put("1", { name: "Ada" });
      await engine.put(new Uint8Array([0xff, 0xff]), "behind");
    });
    const lines = async (...argv: string[]) =>
      (await kayactl(["export", "--data", data, ...argv])).stdout.trimEnd().split("\n");
    expect(
      (await kayactl(["scan", "--keys-only", "--data", data])).stdout.split("\n").length,
    ).toBeGreaterThan(4);
    expect(await lines()).toEqual([
      '{"key":"\uffff1","value":"{\\"name\\":\\"Ada\\"}"}',
      '{"keyHex":"ffff","value":"behind"}',
    ]);
    expect(await lines("--limit", "2", "--reverse")).toHaveLength(2);
  });

  test("is of one moment, beside a process that writes", async () => {
    const data = await filledDirectory(3000);
    const writer = await Engine.open({ dataDir: data });
    const stdout = new Sink();
    const exporting = run(["export", "--data", data], { stdout, stderr: new Sink() });
    await writer.clear({ gte: "key-00010" });
    await writer.put("key-00000", "new");
    expect(await exporting).toBe(0);
    await writer.close();
    const lines = stdout.bytes.toString().trimEnd().split("\n");
    const isBefore = lines.length === 3000 && lines[0]?.includes("value-0") === true;
    const isAfterClear = lines.length === 10 && lines[0]?.includes("value-0") === true;
    const isAfterBoth = lines.length === 10 && lines[0]?.includes("new") === true;
    expect([isBefore, isAfterClear, isAfterBoth]).toContain(true);
  });

  test("changes nothing in the data directory", async () => {
    const data = await filledDirectory(3);
    const before = await snapshot(data);
    expect((await kayactl(["export", "--data", data])).code).toBe(0);
    expect(await snapshot(data)).toEqual(before);
  });
});

describe("export --out", () => {
  test("writes what standard output would get, and says how much", async () => {
    const data = await filledDirectory(2500);
    const file = join(await temporaryDirectory(), "all.jsonl");
    const { stdout } = await kayactl(["export", "--data", data]);
    const bytes = Buffer.byteLength(stdout);
    expect(await kayactl(["export", "--out", file, "--data", data])).toEqual({
      code: 0,
      stdout: `OK entries=2500 bytes=${bytes} file=${file}\n`,
      stderr: "",
    });
    expect(await readFile(file, "utf8")).toBe(stdout);
    expect(
      JSON.parse((await kayactl(["export", "--out", `${file}2`, "--json", "--data", data])).stdout),
    ).toEqual({
      ok: true,
      entries: 2500,
      bytes,
      file: `${file}2`,
    });
    expect((await readdir(join(file, ".."))).sort()).toEqual(["all.jsonl", "all.jsonl2"]);
  });

  test("replaces nothing without --force, and never a file of a data directory", async () => {
    const data = await filledDirectory(1);
    const directory = await temporaryDirectory();
    const file = join(directory, "there");
    await writeFile(file, "mine");
    await symlink(file, join(directory, "link"));
    await mkdir(join(directory, "folder"));
    const refused: (readonly [out: string, message: string, ...more: string[]])[] = [
      [file, "is there: give another name, or --force"],
      [join(directory, "link"), "is there: give another name"],
      [join(directory, "folder"), "is no file that an export could take the place of", "--force"],
      [join(data, "LOCK"), "would write into a data directory", "--force"],
      [join(data, "wal", "0000000000000001.wal"), "would write into a data directory", "--force"],
    ];
    const before = await snapshot(data);
    for (const [out, message, ...more] of refused) {
      const { code, stdout, stderr } = await kayactl(["export", "--out", out, ...more, "--data", data]);
      expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
      expect(stderr).toContain(message);
    }
    expect(await snapshot(data)).toEqual(before);
    expect(await readFile(file, "utf8")).toBe("mine");
    await chmod(file, 0o600);
    expect((await kayactl(["export", "--out", file, "--force", "--data", data])).code).toBe(0);
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toBe('{"key":"key-00000","value":"value-0"}\n');
    expect((await readdir(directory)).sort()).toEqual(["folder", "link", "there"]);
  });

  test("leaves nothing behind where it is interrupted or fails", async () => {
    const data = await filledDirectory(5000);
    const directory = await temporaryDirectory();
    const out = join(directory, "x.jsonl");
    expect(
      (await kayactl(["export", "--out", out, "--data", data], { signal: AbortSignal.abort() })).code,
    ).toBe(130);
    const { code, stderr } = await kayactl(["export", "--out", join(directory, "no", "x"), "--data", data]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `error KAYA_IO: cannot write ${join(directory, "no", "x")}: ENOENT\n`,
    });
    expect(await readdir(directory)).toEqual([]);
  });

  test("does not take a file's place that came while it was written", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "x");
    const target = await NewFile.create(file, "--out", false);
    await target.write("ours");
    await writeFile(file, "theirs");
    await expect(target.finish()).rejects.toSatisfy((error) => KayaError.is(error, "KAYA_INVALID_ARGUMENT"));
    await target.discard();
    expect(await readFile(file, "utf8")).toBe("theirs");
    expect(await readdir(directory)).toEqual(["x"]);
  });
});
