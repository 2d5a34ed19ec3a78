import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { unreadable } from "../src/data-dir.js";
import { absentDirectory, filledDirectory, kayactl, temporaryDirectory } from "./helpers.js";

const ok = (stdout: string) => ({ code: 0, stdout, stderr: "" });

describe("put and delete", () => {
  test("say what was written, and make the directory", async () => {
    const data = await absentDirectory();
    expect(await kayactl(["put", "user:1", "Ada", "--data", data])).toEqual(
      ok("OK sequence=1 lsn=1 durable=true\n"),
    );
    expect(await kayactl(["--json", "--data", data, "put", "user:2", "Bob"])).toEqual(
      ok('{"ok":true,"sequence":2,"lsn":2,"durable":true}\n'),
    );
    expect(await kayactl(["delete", "user:1", "--data", data])).toEqual(
      ok("OK sequence=3 lsn=3 durable=true\n"),
    );
    expect(await kayactl(["delete", "user:1", "--data", data, "--json"])).toEqual(
      ok('{"ok":true,"sequence":4,"lsn":4,"durable":true}\n'),
    );
    expect((await kayactl(["get", "user:1", "--data", data])).stdout).toBe("NOT_FOUND\n");
  });

  test("leave a directory of somebody else alone, unless they are told to begin a store there", async () => {
    const data = await temporaryDirectory();
    await writeFile(join(data, "passwd"), "root");
    const refused = await kayactl(["put", "a", "b", "--data", data]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(
      /^error KAYA_INVALID_ARGUMENT: .+ holds passwd,.+\nhint: use --allow-foreign-files\n/,
    );
    expect(await readdir(data)).toEqual(["passwd"]);
    expect((await kayactl(["put", "a", "b", "--data", data, "--allow-foreign-files"])).code).toBe(0);
    expect((await kayactl(["get", "a", "--data", data])).stdout).toBe("b\n");
  });

  test("a value may go away by itself, and get --json says when", async () => {
    const data = await absentDirectory();
    const put = (...args: string[]) => kayactl(["put", ...args, "--data", data]);
    const get = (key: string) => kayactl(["get", key, "--json", "--data", data]);
    const before = Date.now();
    expect((await put("a", "1", "--ttl", "2h")).code).toBe(0);
    const { expiresAt } = JSON.parse((await get("a")).stdout);
    expect(expiresAt).toBeGreaterThanOrEqual(before + 7_200_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 7_200_000);
    await put("a", "2", "--expires-at", "2100-01-01T00:00Z");
    expect((await get("a")).stdout).toBe('{"key":"a","value":"2","expiresAt":4102444800000}\n');
    await put("a", "3");
    expect((await get("a")).stdout).toBe('{"key":"a","value":"3"}\n');
    await put("a", "4", "--expires-at", "1");
    expect((await get("a")).code).toBe(2);
    for (const wrong of [
      ["--ttl", "0s"],
      ["--ttl", "5"],
      ["--ttl", "1w"],
      ["--expires-at", "0"],
      ["--expires-at", "soon"],
      ["--ttl", "1s", "--expires-at", "5"],
    ])
      expect((await put("b", "1", ...wrong)).code, wrong.join(" ")).toBe(4);
    expect((await get("b")).code).toBe(2);
  });

  test("a relaxed write does not claim to be durable", async () => {
    const data = await absentDirectory();
    const { stdout } = await kayactl(["put", "a", "b", "--durability", "relaxed", "--data", data]);
    expect(stdout).toBe("OK sequence=1 lsn=1 durable=false\n");
    expect((await kayactl(["get", "a", "--data", data])).stdout).toBe("b\n");
  });

  test("an empty directory is an empty store", async () => {
    const data = await temporaryDirectory();
    expect(await kayactl(["get", "a", "--data", data])).toEqual({
      code: 2,
      stdout: "NOT_FOUND\n",
      stderr: "",
    });
    expect((await kayactl(["delete", "a", "--data", data])).code).toBe(0);
  });

  test("- is standard input, byte for byte", async () => {
    const data = await absentDirectory();
    const value = Buffer.from([0, 255, 10, 13]);
    expect((await kayactl(["put", "a", "-", "--data", data], { stdin: value })).code).toBe(0);
    expect((await kayactl(["get", "a", "--json", "--data", data])).stdout).toBe(
      '{"key":"a","valueHex":"00ff0a0d"}\n',
    );
    await kayactl(["put", "b", "-", "--data", data], { stdin: "" });
    expect((await kayactl(["get", "b", "--data", data])).stdout).toBe("\n");
    await kayactl(["put", "c", "-", "--value-hex", "--data", data], { stdin: "00ff\n 0a\n" });
    expect((await kayactl(["get", "c", "--data", data])).stdout).toBe("hex:00ff0a\n");
  });

  test("-- lets keys and values begin with a dash", async () => {
    const data = await absentDirectory();
    expect((await kayactl(["--data", data, "put", "--", "--json", "-x"])).stdout).toMatch(/^OK/);
    expect((await kayactl(["--data", data, "get", "--", "--json"])).stdout).toBe("-x\n");
    expect((await kayactl(["--data", data, "get", "-x"])).stderr).toContain("Put -- before");
    expect((await kayactl(["--data", data, "stats", "-x"])).stderr).not.toContain("Put -- before");
  });
});

describe("a path that is no data directory", () => {
  test("a file is refused as such by commands that read and by those that write", async () => {
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "x");
    for (const argv of [["scan"], ["put", "a", "b"], ["doctor"]]) {
      const { code, stderr } = await kayactl([...argv, "--data", file]);
      expect(stderr).toContain(`${file} is a file, and a data directory is needed`);
      expect(code).toBe(4);
    }
  });

  test("a directory of another user gives advice", () => {
    const denied = Object.assign(new Error("permission denied"), { code: "EACCES" });
    const { code, message } = unreadable("/data", denied);
    expect(code).toBe("KAYA_IO");
    expect(message).toBe(
      "cannot read the directory /data: EACCES. Run kayactl as the user whose files these are",
    );
  });
});

describe("hex", () => {
  test("goes in and comes out", async () => {
    const data = await absentDirectory();
    await kayactl(["put", "--key-hex", "--value-hex", "00FF", "c3a9", "--data", data]);
    expect((await kayactl(["get", "--key-hex", "00ff", "--data", data])).stdout).toBe("é\n");
    expect((await kayactl(["get", "--key-hex", "00ff", "--data", data, "--json"])).stdout).toBe(
      '{"keyHex":"00ff","value":"é"}\n',
    );
    expect((await kayactl(["scan", "--data", data])).stdout).toBe("hex:00ff\té\n");
    expect((await kayactl(["scan", "--key-hex", "00", "--data", data])).stdout).toBe("hex:00ff\té\n");
    expect((await kayactl(["scan", "--key-hex", "--gt", "00ff", "--data", data])).stdout).toBe("");
    expect((await kayactl(["delete", "--key-hex", "00ff", "--data", data])).code).toBe(0);
    expect((await kayactl(["scan", "--data", data])).stdout).toBe("");
  });

  test.each([
    [["put", "--key-hex", "abc", "x"], "KEY is not hex: two digits make a byte, and it has 3"],
    [["put", "--value-hex", "k", "0g"], "VALUE is not hex: only 0-9 and a-f may be in it"],
    [["scan", "--key-hex", "x"], "PREFIX is not hex"],
    [["scan", "--key-hex", "--lt", "0"], "--lt is not hex"],
    [["get", "\ufffd"], "KEY is not valid UTF-8"],
  ])("%j is refused before anything is made", async (argv, message) => {
    const data = await absentDirectory();
    const { code, stdout, stderr } = await kayactl([...argv, "--data", data]);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toContain(`error KAYA_INVALID_ARGUMENT: ${message}`);
    expect(existsSync(data)).toBe(false);
  });
});

describe("get", () => {
  test("gives the value and a line break, or with --raw the bytes alone", async () => {
    const data = await absentDirectory();
    await kayactl(["put", "a", "two\nlines\tü", "--data", data]);
    expect(await kayactl(["get", "a", "--data", data])).toEqual(ok("two\nlines\tü\n"));
    expect(await kayactl(["get", "a", "--raw", "--data", data])).toEqual(ok("two\nlines\tü"));
    expect(await kayactl(["get", "a", "--json", "--data", data])).toEqual(
      ok('{"key":"a","value":"two\\nlines\\tü"}\n'),
    );
  });

  test("says so where there is nothing", async () => {
    const data = await filledDirectory(1);
    expect(await kayactl(["get", "nobody", "--data", data])).toEqual({
      code: 2,
      stdout: "NOT_FOUND\n",
      stderr: "",
    });
    expect(await kayactl(["get", "nobody", "--data", data, "--json"])).toEqual({
      code: 2,
      stdout: '{"ok":false,"code":"KAYA_NOT_FOUND"}\n',
      stderr: "",
    });
  });

  test("no value can command a terminal", async () => {
    const data = await absentDirectory();
    const value = "a\u001b[2J\u009b1m\u202eb\\";
    await kayactl(["put", "k\u001b[0m", value, "--data", data]);
    expect((await kayactl(["get", "k\u001b[0m", "--data", data])).stdout).toBe(
      "a\\u001b[2J\\u009b1m\\u202eb\\\\\n",
    );
    expect((await kayactl(["scan", "--data", data])).stdout).toBe(
      "k\\u001b[0m\ta\\u001b[2J\\u009b1m\\u202eb\\\\\n",
    );
    const { stdout } = await kayactl(["scan", "--data", data, "--json"]);
    expect(stdout).toMatch(/^[\x20-\x7e]*\n$/);
    expect(JSON.parse(stdout)).toEqual({ items: [{ key: "k\u001b[0m", value }] });
    expect((await kayactl(["get", "k\u001b[0m", "--raw", "--data", data])).stdout).toBe(value);
  });
});

describe("scan", () => {
  test("lists a range in order", async () => {
    const data = await filledDirectory(5);
    const keys = async (...argv: string[]) => {
      const { code, stdout } = await kayactl(["scan", "--keys-only", "--data", data, ...argv]);
      expect(code).toBe(0);
      return stdout.replaceAll("key-0000", "").trimEnd().split("\n").join("");
    };
    expect(await keys()).toBe("01234");
    expect(await keys("key-")).toBe("01234");
    expect(await keys("key-00003")).toBe("3");
    expect(await keys("nothing")).toBe("");
    expect(await keys("--limit", "2")).toBe("01");
    expect(await keys("--limit", "0")).toBe("");
    expect(await keys("--reverse", "--limit", "2")).toBe("43");
    expect(await keys("--gt", "key-00001", "--lte", "key-00003")).toBe("23");
    expect(await keys("--gte", "key-00001", "--lt", "key-00003")).toBe("12");
  });

  test("as lines, and as one document", async () => {
    const data = await filledDirectory(2);
    expect(await kayactl(["scan", "--data", data])).toEqual(ok("key-00000\tvalue-0\nkey-00001\tvalue-1\n"));
    expect(await kayactl(["scan", "--data", data, "--json"])).toEqual(
      ok('{"items":[{"key":"key-00000","value":"value-0"},{"key":"key-00001","value":"value-1"}]}\n'),
    );
    expect(await kayactl(["scan", "--data", data, "--json", "--keys-only", "--limit", "1"])).toEqual(
      ok('{"items":[{"key":"key-00000"}]}\n'),
    );
    expect(await kayactl(["scan", "none", "--data", data, "--json"])).toEqual(ok('{"items":[]}\n'));
  });

  test("over many pages", async () => {
    const data = await filledDirectory(3500);
    const { stdout } = await kayactl(["scan", "--data", data, "--json"]);
    const { items } = JSON.parse(stdout) as { items: { key: string; value: string }[] };
    expect(items.map(({ value }) => value)).toEqual(
      Array.from({ length: 3500 }, (_, index) => `value-${index}`),
    );
  });
});

describe("stats", () => {
  test("for people and for scripts", async () => {
    const data = await filledDirectory(1200);
    const { stdout } = await kayactl(["stats", "--data", data]);
    expect(ok(stdout.replace(/(?<=entries, )[\d.]+ [KM]iB$/m, "MEMORY"))).toEqual(
      ok(
        [
          "entries        1,200",
          "last LSN       1,200",
          "last sequence  1,200",
          "memtable       1,200 entries, MEMORY",
          "log segments   1",
          "log bytes      77.4 KiB",
          "tables         none",
          "",
        ].join("\n"),
      ),
    );
    expect(JSON.parse((await kayactl(["stats", "--data", data, "--json"])).stdout)).toMatchObject({
      state: "open",
      entries: 1200,
      lastLsn: 1200,
      pendingBytes: 0,
      wal: { segments: 1 },
    });
  });
});
