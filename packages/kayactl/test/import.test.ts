import { existsSync, statSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine } from "@kaya/engine";
import { describe, expect, test } from "vitest";
import { run } from "../src/index.js";
import {
  absentDirectory,
  BIN,
  child,
  filledDirectory,
  kayactl,
  Sink,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";
import { mountTmpfs } from "./mounted-tmpfs.js";

const exported = async (data: string) => (await kayactl(["export", "--data", data])).stdout;
const importing = (data: string, stdin: string | Uint8Array, ...argv: string[]) =>
  kayactl(["import", "-", ...argv, "--data", data], { stdin });
const lines = (...documents: unknown[]) => documents.map((each) => `${JSON.stringify(each)}\n`).join("");

/** A store with a row of an index. */
async function makeIndexed(dataDir: string): Promise<void> {
  const engine = await Engine.open({ dataDir });
  const options = {
    prefix: "user:",
    key: "utf8",
    value: "json",
    indexes: { byName: { key: "utf8", of: (user: unknown) => (user as { name: string }).name } },
  } as const;
  await engine.view(options).put("1", { name: "Ada" });
  await engine.close();
}

describe("import", () => {
  test("what export wrote comes out again byte for byte", async () => {
    const from = await absentDirectory();
    const engine = await Engine.open({ dataDir: from });
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await engine.put("", "");
    await engine.put(every, every);
    await engine.put("\u001b\u2028é😀\ufeff\u0000", '\ufeff\n\r\t\\"\u0000', { expiresAt: 4102444800000 });
    for (let i = 0; i < 256; i++)
      await engine.put(new Uint8Array([i, 0x80]), new Uint8Array([i]), { durability: "relaxed" });
    await engine.close();
    const text = await exported(from);
    const file = join(await temporaryDirectory(), "all.jsonl");
    await writeFile(file, text);
    const into = await absentDirectory();
    expect(await kayactl(["import", file, "--data", into])).toEqual({
      code: 0,
      stdout: "OK entries=259 written=259 skipped=0 expired=0 bytes=1303\n",
      stderr: "",
    });
    expect(await exported(into)).toBe(text);
    expect((await importing(into, text, "--json")).stdout).toBe(
      '{"ok":true,"dryRun":false,"entries":259,"written":259,"skipped":0,"expired":0,"bytes":1303}\n',
    );
    expect(await exported(into)).toBe(text);
    expect((await kayactl(["verify", "--data", into])).code).toBe(0);
  });

  test("reads lines whatever chunks they come in, with or without a line break at the end", async () => {
    const text = lines(
      { key: "é😀", value: "1" },
      { key: "b", value: "é".repeat(100) },
      { key: "c", value: "3" },
    );
    const bytes = Buffer.from(`\ufeff${text.replaceAll("\n", "\r\n")}  \n\n`).subarray(0, -2);
    for (const size of [1, 2, 7, 64, 1000]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const data = await absentDirectory();
      const stdout = new Sink();
      expect(
        await run(["import", "-", "--data", data], {
          stdout,
          stderr: new Sink(),
          stdin: Readable.from(chunks),
        }),
      ).toBe(0);
      expect((await exported(data)).trimEnd().split("\n").sort()).toEqual(text.trimEnd().split("\n").sort());
    }
  });

  test("overwrites, the last line of a key counts, or --skip-existing leaves what is there", async () => {
    const text = lines({ key: "a", value: "new" }, { key: "b", value: "1" }, { key: "b", value: "2" });
    const data = await absentDirectory();
    await kayactl(["put", "a", "old", "--ttl", "1h", "--data", data]);
    expect((await importing(data, text, "--skip-existing")).stdout).toBe(
      "OK entries=3 written=1 skipped=2 expired=0 bytes=2\n",
    );
    expect((await kayactl(["scan", "--data", data])).stdout).toBe("a\told\nb\t1\n");
    expect((await importing(data, text)).stdout).toBe("OK entries=3 written=3 skipped=0 expired=0 bytes=8\n");
    expect(await exported(data)).toBe(lines({ key: "a", value: "new" }, { key: "b", value: "2" }));
  });

  test("keeps each expiry, counts what has expired, and --ttl is for the others", async () => {
    const data = await absentDirectory();
    await kayactl(["put", "gone", "there", "--data", data]);
    await kayactl(["put", "kept", "there", "--data", data]);
    const text = lines(
      { key: "gone", value: "x", expiresAt: 1 },
      { key: "later", value: "x", expiresAt: 4102444800000 },
      { key: "plain", value: "x" },
    );
    const before = Date.now();
    expect((await importing(data, text, "--ttl", "2h")).stdout).toContain("written=3 skipped=0 expired=1");
    const entries = (await exported(data))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ key }) => key)).toEqual(["kept", "later", "plain"]);
    expect(entries[1].expiresAt).toBe(4102444800000);
    expect(entries[2].expiresAt).toBeGreaterThanOrEqual(before + 7_200_000);
    expect(entries[2].expiresAt).toBeLessThanOrEqual(Date.now() + 7_200_000);
    const skipping = await importing(
      data,
      lines({ key: "kept", value: "x", expiresAt: 1 }),
      "--skip-existing",
    );
    expect(skipping.stdout).toContain("written=0 skipped=0 expired=1");
    expect((await kayactl(["get", "kept", "--data", data])).stdout).toBe("there\n");
  });

  test.each([
    { bad: "not JSON", message: "is no JSON document: " },
    { bad: '{"key":"a","value":"1"', message: "is no JSON document: " },
    { bad: "[1]", message: "and an entry is an object" },
    { bad: "null", message: "and an entry is an object" },
    { bad: '{"value":"1"}', message: "has neither key nor keyHex" },
    { bad: '{"key":"a"}', message: "has neither value nor valueHex" },
    { bad: '{"key":"a","keyHex":"61","value":"1"}', message: "has both key and keyHex" },
    { bad: '{"key":1,"value":"1"}', message: "has the key 1, which is no text" },
    { bad: '{"key":"a","value":{"b":1}}', message: "which is no text" },
    { bad: '{"key":"a","value":null}', message: "has the value null, which is no text" },
    { bad: '{"keyHex":"0","value":"1"}', message: "has the keyHex" },
    { bad: '{"keyHex":"0g","value":"1"}', message: "has the keyHex" },
    { bad: '{"key":"a","valueHex":5}', message: "has the valueHex 5" },
    { bad: '{"key":"\\ud800","value":"1"}', message: "has half a surrogate pair in key" },
    { bad: '{"key":"a","value":"1","ttl":5}', message: "has the field" },
    { bad: '{"__proto__":{},"key":"a","value":"1"}', message: "has the field" },
    { bad: '{"key":"a","value":"1","expiresAt":0}', message: "has the expiresAt 0" },
    { bad: '{"key":"a","value":"1","expiresAt":1.5}', message: "has the expiresAt 1.5" },
    { bad: '{"key":"a","value":"1","expiresAt":"2030"}', message: "has the expiresAt" },
    {
      bad: Buffer.from('{"key":"\xff","value":"1"}', "latin1"),
      message: "is not UTF-8: bytes that are no text go into keyHex or valueHex",
    },
    { bad: Buffer.from([0x1f, 0x8b, 8, 0]), message: "is not UTF-8: it looks compressed" },
    {
      bad: `{"key":"${"k".repeat(4097)}","value":"1"}`,
      message: "has a key of 4097 bytes, and a key has at most 4096",
    },
    { bad: '{"keyHex":"ff6b6179610064","value":"1"}', message: "which is one of Kaya's own" },
  ])(
    "a line that $message is refused with its place; what stands before it is durable",
    async ({ bad, message }) => {
      const data = await absentDirectory();
      const text = Buffer.concat([
        Buffer.from('{"key":"1","value":"x"}\n\n'),
        Buffer.from(bad),
        Buffer.from('\n{"key":"4","value":"x"}\n'),
      ]);
      const { code, stdout, stderr } = await importing(data, text);
      expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
      expect(stderr).toMatch(/^error KAYA_INVALID_ARGUMENT: line 3 of standard input /);
      expect(stderr).toContain(message);
      expect(stderr).toContain("The first line is imported and durable");
      expect((await kayactl(["scan", "--data", data])).stdout).toBe("1\tx\n");
    },
  );

  test("a line that no entry could fill is refused before it fills memory", async () => {
    const data = await absentDirectory();
    async function* endless() {
      for (;;) yield Buffer.alloc(1 << 20, 0x20);
    }
    const stderr = new Sink();
    expect(
      await run(["import", "-", "--data", data], {
        stdout: new Sink(),
        stderr,
        stdin: Readable.from(endless()),
      }),
    ).toBe(4);
    expect(stderr.bytes.toString()).toContain("line 1 of standard input is over ");
  });

  test.each([
    ["nothing", "", [], 0],
    ["empty lines", "\n \n", [], 0],
    ["a first line that is no JSON", "x\n", [], 4],
    ["a first key that is too long", lines({ key: "k".repeat(70_000), value: "1" }), [], 4],
    [
      "only entries that have expired and would hide nothing",
      lines({ key: "a", value: "1", expiresAt: 1 }),
      ["--skip-existing"],
      0,
    ],
  ])("of %s makes no data directory, and nothing in an empty one", async (_what, stdin, argv, code) => {
    const absent = await absentDirectory();
    expect((await importing(absent, stdin, ...argv)).code).toBe(code);
    expect(existsSync(absent)).toBe(false);
    const empty = await temporaryDirectory();
    expect((await importing(empty, stdin, ...argv)).code).toBe(code);
    expect(await readdir(empty)).toEqual([]);
    expect((await importing(empty, lines({ key: "a", value: "1" }))).code).toBe(0);
    expect((await kayactl(["get", "a", "--data", empty])).stdout).toBe("1\n");
  });

  test("--dry-run checks everything and writes nothing", async () => {
    const text = lines({ key: "a", value: "1" }, { key: "key-00000", value: "2" });
    const absent = await absentDirectory();
    expect((await importing(absent, text, "--dry-run")).stdout).toBe(
      "DRY RUN entries=2 written=2 skipped=0 expired=0 bytes=12\n",
    );
    expect(existsSync(absent)).toBe(false);
    const data = await filledDirectory(1);
    const before = await snapshot(data);
    expect((await importing(data, text, "--dry-run", "--skip-existing")).stdout).toContain(
      "written=1 skipped=1",
    );
    const { code, stderr } = await importing(data, `${text}x\n`, "--dry-run");
    expect({
      code,
      line: stderr.includes("line 3 of standard input"),
      durable: stderr.includes("durable"),
    }).toEqual({
      code: 4,
      line: true,
      durable: false,
    });
    expect(await snapshot(data)).toEqual(before);
  });

  test.each([
    [["import"], "import needs one source"],
    [["import", "a", "--from-level", "b"], "import needs one source"],
    [["import", "a", "--db", "b"], "--db goes with --from-lmdb"],
    [["import", "--from-level", "a", "--key-column", "b"], "--key-column goes with --from-sqlite"],
    [
      ["import", "--from-sqlite", "a", "--table", "t"],
      "--from-sqlite needs --table, --key-column and --value-column",
    ],
    [["import", "/"], "/ is a directory"],
    [["import", "nowhere.jsonl"], "there is no file nowhere.jsonl"],
  ])("%j is refused before anything is made", async (argv, message) => {
    const data = await absentDirectory();
    const { code, stdout, stderr } = await kayactl([...argv, "--data", data]);
    expect({ stdout, isRefused: code === 4 || code === 2 }).toEqual({ stdout: "", isRefused: true });
    expect(stderr).toContain(message);
    expect(existsSync(data)).toBe(false);
  });

  test("rows of an index are refused, unless they are to go past it", async () => {
    const dataDir = await absentDirectory();
    await makeIndexed(dataDir);
    const text = lines({ key: "a", value: "1" }, { key: "user:2", value: '{"name":"Grace"}' });
    const { code, stderr } = await importing(dataDir, text);
    expect(code).toBe(4);
    expect(stderr).toContain('line 2 of standard input belongs to the index "byName"');
    expect((await kayactl(["get", "user:2", "--data", dataDir])).code).toBe(2);
    expect((await kayactl(["get", "a", "--data", dataDir])).stdout).toBe("1\n");
    expect((await importing(dataDir, text, "--past-indexes")).code).toBe(0);
    expect((await kayactl(["get", "user:2", "--data", dataDir])).code).toBe(0);
  });

  test("is refused if a program makes a store with indexes while the first entries are read", async () => {
    const data = await absentDirectory();
    async function* beside() {
      yield Buffer.from(lines({ key: "user:2", value: '{"name":"Grace"}' }));
      await makeIndexed(data);
    }
    const stderr = new Sink();
    const io = { stdout: new Sink(), stderr, stdin: Readable.from(beside()) };
    expect(await run(["import", "-", "--data", data], io)).toBe(4);
    expect(stderr.bytes.toString()).toContain("has indexes now");
    expect((await kayactl(["get", "user:2", "--data", data])).code).toBe(2);
  });

  test("Ctrl-C ends it with 130, and says what is durable", async () => {
    const data = await absentDirectory();
    const interruption = new AbortController();
    async function* slow() {
      yield Buffer.from(lines({ key: "a", value: "1" }));
      setImmediate(() => interruption.abort());
      await new Promise(() => undefined);
    }
    const stderr = new Sink();
    const code = await run(["import", "-", "--data", data], {
      stdout: new Sink(),
      stderr,
      stdin: Readable.from(slow()),
      signal: interruption.signal,
    });
    expect(code).toBe(130);
    expect(stderr.bytes.toString()).toContain("interrupted: The first line is imported and durable");
    expect((await kayactl(["get", "a", "--data", data])).stdout).toBe("1\n");
  });

  test("a relaxed import is durable when it says so", async () => {
    const data = await absentDirectory();
    const { stdout } = await importing(data, lines({ key: "a", value: "1" }), "--durability", "relaxed");
    expect(stdout).toMatch(/^OK /);
    expect((await kayactl(["get", "a", "--data", data])).stdout).toBe("1\n");
  });

  test("values of many megabytes, and records that are bounded", async () => {
    const data = await absentDirectory();
    const value = "\u0001".repeat(1 << 20);
    expect((await importing(data, lines({ key: "a", value }, { key: "b", value }))).code).toBe(0);
    const file = join(await temporaryDirectory(), "x.jsonl");
    expect((await kayactl(["export", "--out", file, "--data", data])).code).toBe(0);
    expect(await readFile(file, "utf8")).toBe(
      ["a", "b"].map((key) => `{"key":"${key}","value":"${"\\u0001".repeat(1 << 20)}"}\n`).join(""),
    );
    const small = await absentDirectory();
    const many = lines(...Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: "v".repeat(500) })));
    expect((await importing(small, many, "--max-record-bytes", "2000")).code).toBe(0);
    const { code, stderr } = await importing(
      small,
      lines({ key: "k", value: "v".repeat(3000) }),
      "--max-record-bytes",
      "2000",
    );
    expect({
      code,
      place: stderr.includes("line 1 of standard input has 3001 bytes, which no record holds"),
    }).toEqual({
      code: 4,
      place: true,
    });
  });
});

describe("an import that is killed", () => {
  test("is run again, and ends in the right state", async () => {
    const count = 25_000;
    const directory = await temporaryDirectory();
    const file = join(directory, "all.jsonl");
    const text = lines(
      ...Array.from({ length: count }, (_, i) => ({
        key: `key-${String(i).padStart(6, "0")}`,
        value: `value ${i} ${"x".repeat(80)}`,
      })),
    );
    await writeFile(file, text);
    const data = join(directory, "data");
    const argv = [BIN, "import", file, "--data", data];
    for (let kills = 0; kills < 2; kills++) {
      await child(process.execPath, argv, {
        afterStart: (started) => void killOnceWriting(started, data, kills),
      });
      const found = await exported(data);
      expect(found.length > 0 && text.startsWith(found)).toBe(true);
    }
    const last = await child(process.execPath, argv);
    expect({ code: last.code, stdout: last.stdout.slice(0, 30) }).toEqual({
      code: 0,
      stdout: `OK entries=${count} written=${count}`,
    });
    expect((await exported(data)) === text).toBe(true);
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
  });
});

/** Kills a process once its log has some bytes more than before. */
async function killOnceWriting(
  started: { kill(signal: "SIGKILL"): boolean; exitCode: number | null },
  data: string,
  kills: number,
) {
  const segment = join(data, "wal", "0000000000000001.wal");
  const bytes = () => statSync(segment, { throwIfNoEntry: false })?.size ?? 0;
  const before = bytes();
  while (started.exitCode === null && bytes() < before + (kills + 1) * 400_000) await sleep(1);
  started.kill("SIGKILL");
}

describe("a full disk", () => {
  test("during an import says what is durable, and the same import ends once there is room", async (context) => {
    const disk = mountTmpfs("6m");
    if (disk === undefined) return context.skip("mounting a tmpfs is not permitted");
    const data = join(disk, "data");
    const ballast = join(disk, "ballast");
    await writeFile(ballast, Buffer.alloc(4 << 20));
    const text = lines(
      ...Array.from({ length: 20_000 }, (_, i) => ({ key: `key-${i}`, value: "x".repeat(100) })),
    );
    const { code, stdout, stderr } = await importing(data, text);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_DISK_FULL: .+The first ([\d,]+) lines are imported and durable/);
    const durable = Number(/The first ([\d,]+) lines/.exec(stderr)?.[1]?.replaceAll(",", ""));
    const rows = (await kayactl(["scan", "--keys-only", "--data", data])).stdout.split("\n").length - 1;
    expect(rows).toBeGreaterThanOrEqual(durable);
    for (const i of [0, durable - 1])
      expect((await kayactl(["get", `key-${i}`, "--data", data])).code).toBe(0);
    await writeFile(ballast, "");
    expect((await importing(data, text)).stdout).toMatch(/^OK entries=20000 written=20000/);
    expect((await exported(data)).split("\n").length - 1).toBe(20_000);
  });

  test("during an export leaves no file", async (context) => {
    const disk = mountTmpfs("256k");
    if (disk === undefined) return context.skip("mounting a tmpfs is not permitted");
    const data = await filledDirectory(20_000);
    const { code, stderr } = await kayactl(["export", "--out", join(disk, "x.jsonl"), "--data", data]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error KAYA_DISK_FULL: cannot write .+ENOSPC\. Free some space there/);
    expect(existsSync(join(disk, "x.jsonl"))).toBe(false);
    expect(await readdir(disk)).toEqual([]);
  });
});
