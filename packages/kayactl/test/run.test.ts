import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Writable } from "node:stream";
import { Engine } from "@kaya/engine";
import { afterEach, describe, expect, test, vi } from "vitest";
import { run } from "../src/index.js";
import { absentDirectory, filledDirectory, kayactl, Sink, temporaryDirectory } from "./helpers.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("mistakes in the call end with 4", () => {
  test.each([
    [[], /no command was given: see "kayactl help"/],
    [["inspect"], /"inspect" needs a subcommand: see "kayactl help inspect"/],
    [["inspect", "wl", "x"], /unknown command 'wl'.*Did you mean wal\?.*kayactl help inspect"/],
    [["inspect", "wal"], /missing required argument 'PATH'.*"kayactl help inspect wal"/],
    [["help", "inspect", "frobnicate"], /there is no command "inspect frobnicate".*"kayactl help inspect"/],
    [["frobnicate"], /unknown command 'frobnicate'/],
    [["pt", "a", "b"], /unknown command 'pt'.*Did you mean put\?/],
    [["help", "frobnicate"], /there is no command "frobnicate"/],
    [["put", "a"], /missing required argument 'VALUE'.*kayactl help put/],
    [["get", "a", "b"], /too many arguments/],
    [["get", "a", "--nope"], /unknown option '--nope'/],
    [["get", "a", "--recovery", "some"], /Allowed choices are tail, prefix, absolute/],
    [["put", "a", "b", "--durability", "some"], /Allowed choices are strict, relaxed/],
    [["scan", "--limit", "-1"], /whole number/],
    [["scan", "--limit", "1e3"], /whole number/],
    [["stats", "--max-record-bytes", "0"], /maxRecordBytes/],
    [["get", "a", "--data"], /argument missing/],
  ])("%j", async (argv, message) => {
    const directory = await temporaryDirectory();
    const withData = argv.length === 0 || argv.at(-1) === "--data" ? argv : ["--data", directory, ...argv];
    const { code, stdout, stderr } = await kayactl(withData);
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_INVALID_ARGUMENT: /);
    expect(stderr).toMatch(message);
  });

  test("with --json a document stands behind the line", async () => {
    const { stderr } = await kayactl(["get", "--json"]);
    const [line, document, rest] = stderr.split("\n");
    expect(line).toMatch(/^error KAYA_INVALID_ARGUMENT: missing/);
    expect(JSON.parse(document ?? "")).toMatchObject({ ok: false, code: "KAYA_INVALID_ARGUMENT" });
    expect(rest).toBe("");
  });

  test("values over the limit", async () => {
    const data = await absentDirectory();
    const { code, stderr } = await kayactl(["put", "a", "-", "--data", data], {
      stdin: Buffer.alloc((16 << 20) + 1),
    });
    expect(code).toBe(4);
    expect(stderr).toContain("maxValueBytes");
  });
});

describe("a directory that is not there", () => {
  test.each([
    [["get", "a"]],
    [["delete", "a"]],
    [["scan"]],
    [["stats"]],
    [["recover"]],
    [["recover", "--dry-run"]],
    [["verify"]],
    [["flush"]],
    [["compact"]],
  ])("%j makes none and says what to do", async (argv) => {
    const data = await absentDirectory();
    const { code, stdout, stderr } = await kayactl([...argv, "--data", data]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error KAYA_NOT_FOUND: there is no data directory .+--data DIR.+\n$/);
    expect(existsSync(data)).toBe(false);
  });

  test("a directory of something else is left alone", async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "photos"));
    const { code, stderr } = await kayactl(["scan", "--data", directory]);
    expect(code).toBe(2);
    expect(stderr).toContain("is not a data directory");
    expect(existsSync(join(directory, "LOCK"))).toBe(false);
  });

  test("a file is a mistake", async () => {
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "x");
    for (const argv of [["get", "a"], ["put", "a", "b"], ["verify"]]) {
      expect((await kayactl([...argv, "--data", file])).code).toBe(4);
    }
  });
});

test("a directory that is open elsewhere ends with 6, but may be looked at", async () => {
  const data = await filledDirectory(1);
  const engine = await Engine.open({ dataDir: data });
  try {
    const { code, stderr } = await kayactl(["put", "a", "b", "--data", data]);
    expect(code).toBe(6);
    expect(stderr).toMatch(/^error KAYA_LOCK_CONFLICT: .*pid/);
    expect((await kayactl(["scan", "--data", data])).code).toBe(0);
    expect((await kayactl(["recover", "--data", data])).code).toBe(6);
    expect((await kayactl(["verify", "--data", data])).code).toBe(0);
    expect((await kayactl(["recover", "--dry-run", "--data", data])).code).toBe(0);
    expect((await kayactl(["inspect", "wal", data])).code).toBe(0);
  } finally {
    await engine.close();
  }
});

describe("help and version", () => {
  test("go to standard output", async () => {
    const help = await kayactl(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout.indexOf("Data:")).toBeLessThan(help.stdout.indexOf("Options:"));
    for (const word of [
      "inspect wal|sst|manifest ",
      "put|set KEY VALUE",
      "--json",
      "Examples:",
      "Exit codes:",
    ]) {
      expect(help.stdout).toContain(word);
    }
    expect((await kayactl(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    expect((await kayactl(["help"])).stdout).toBe(help.stdout);
  });

  test.each([
    "put",
    "get",
    "delete",
    "scan",
    "stats",
    "recover",
    "verify",
    "flush",
    "compact",
    "inspect",
    "export",
    "import",
    "doctor",
    "bench",
  ])("help %s", async (command) => {
    const help = await kayactl(["help", command]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain(`Usage: kayactl ${command}`);
    expect((await kayactl([command, "--help"])).stdout).toBe(help.stdout);
  });

  test.each([70, 80, 200])("fits a terminal of %d columns, but for examples", async (columns) => {
    const width = Math.min(columns, 100);
    for (const command of ["compact", "inspect wal", "shell", "verify"]) {
      const { stdout } = await kayactl(["help", ...command.split(" "), "--no-color"], { columns });
      const [text = ""] = stdout.split("Examples:");
      for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  test("help of a command inside another one", async () => {
    const help = await kayactl(["help", "inspect", "wal"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toMatch(/^Usage: kayactl inspect wal /);
    for (const argv of [
      ["inspect", "help", "wal"],
      ["inspect", "wal", "--help"],
    ])
      expect((await kayactl(argv)).stdout).toBe(help.stdout);
    expect((await kayactl(["help", "rm"])).stdout).toMatch(/^Usage: kayactl delete\|del /);
  });

  test("options that every command takes are listed once, and work before and after its name", async () => {
    const options = await kayactl(["help", "options"]);
    expect(options.stdout).toContain("--data <dir>");
    expect(options.stdout).not.toContain("scan");
    for (const argv of [["put"], ["inspect", "wal"], ["sim", "run"]]) {
      const { stdout } = await kayactl(["help", ...argv]);
      expect(stdout).not.toContain("--durability");
      expect(stdout).toContain('"kayactl help options"');
    }
    const data = await filledDirectory(1);
    for (const argv of [
      ["--data", data, "--json", "ls"],
      ["ls", "--json", "--data", data],
    ])
      expect((await kayactl(argv)).stdout).toBe('{"items":[{"key":"key-00000"}]}\n');
  });
});

describe("names that people type", () => {
  test("do what the commands do that they stand for", async () => {
    const data = await absentDirectory();
    const typed = (...argv: string[]) => kayactl([...argv, "--data", data]);
    expect(await typed("set", "a", "1")).toMatchObject({
      code: 0,
      stdout: "OK sequence=1 lsn=1 durable=true\n",
    });
    for (const key of ["b", "c"]) await typed("put", key, "2");
    expect(await typed("cat", "a")).toMatchObject({ code: 0, stdout: "1" });
    expect(await typed("cat", "x")).toMatchObject({ code: 2, stdout: "NOT_FOUND\n" });
    expect(await typed("ls", "--reverse")).toMatchObject({ code: 0, stdout: "c\nb\na\n" });
    for (const [name, key] of [
      ["del", "a"],
      ["rm", "b"],
    ] as const)
      expect((await typed(name, key)).code).toBe(0);
    expect(await typed("ls")).toMatchObject({ code: 0, stdout: "c\n" });
  });
});

describe("a terminal", () => {
  test("gets columns, an ellipsis, colours and a summary", async () => {
    vi.stubEnv("NO_COLOR", "");
    vi.stubEnv("TERM", "xterm");
    const data = await absentDirectory();
    await kayactl(["put", "a", "x".repeat(100), "--data", data]);
    await kayactl(["put", "日本", "値".repeat(50), "--data", data]);
    await kayactl(["put", "--value-hex", "hex", "ff".repeat(1000), "--data", data]);
    const { stdout, stderr } = await kayactl(["scan", "--data", data], { columns: 30 });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
    expect(stdout).toMatch(/\u001b\[1m/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    expect(stdout.replace(/\u001b\[\d+m/g, "").split("\n")).toEqual([
      `a     ${"x".repeat(23)}…`,
      `hex   hex:${"f".repeat(19)}…`,
      `日本  ${"値".repeat(11)}…`,
      "",
    ]);
    expect(stderr).toBe("3 entries\n");
    expect((await kayactl(["scan", "--json", "--data", data], { columns: 30 })).stderr).toBe("");
    expect(
      (await kayactl(["scan", "--keys-only", "--limit", "1", "--data", data], { columns: 30 })).stderr,
    ).toBe("1 entry\n");
  });

  test("gets no colours where NO_COLOR or TERM=dumb says so", async () => {
    const data = await filledDirectory(1);
    vi.stubEnv("TERM", "dumb");
    expect((await kayactl(["scan", "--data", data], { columns: 80 })).stdout).toBe("key-00000  value-0\n");
    vi.stubEnv("TERM", "xterm");
    vi.stubEnv("NO_COLOR", "1");
    expect((await kayactl(["scan", "--data", data], { columns: 80 })).stdout).toBe("key-00000  value-0\n");
  });

  test.each([
    // FORCE_COLOR, NO_COLOR, --no-color, a terminal: colours
    ["", "", false, true, true],
    ["", "1", false, true, false],
    ["", "", true, true, false],
    ["", "", false, false, false],
    ["1", "", false, false, true],
    ["1", "1", false, false, true],
    ["1", "", true, false, false],
    ["0", "", false, true, false],
  ])(
    "FORCE_COLOR=%s NO_COLOR=%s --no-color %s terminal %s: %s",
    async (force, none, isOff, isTty, expected) => {
      vi.stubEnv("TERM", "xterm");
      vi.stubEnv("FORCE_COLOR", force);
      vi.stubEnv("NO_COLOR", none);
      const data = await filledDirectory(1);
      const off = isOff ? ["--no-color"] : [];
      const columns = isTty ? { columns: 80 } : {};
      for (const argv of [
        ["verify", "--data", data, ...off],
        [...off, "--help"],
        ["get", ...off],
      ]) {
        const { stdout, stderr } = await kayactl(argv, columns);
        expect((stdout + stderr).includes("\u001b")).toBe(expected);
      }
    },
  );
});

describe("the end of a run", () => {
  test("an interrupted scan ends with 130 and lets go of the directory", async () => {
    const data = await filledDirectory(5000);
    const interruption = new AbortController();
    const stuck = new Writable({ write: () => interruption.abort() }); // a reader that takes no more
    const code = await run(["scan", "--data", data], {
      stdout: stuck,
      stderr: new Sink(),
      signal: interruption.signal,
    });
    expect(code).toBe(130);
    expect((await kayactl(["stats", "--data", data])).code).toBe(0);
  });

  test("an interrupted opening ends with 130", async () => {
    const data = await filledDirectory(1);
    for (const argv of [["get", "a"], ["verify"], ["inspect", "wal", data]]) {
      expect((await kayactl([...argv, "--data", data], { signal: AbortSignal.abort() })).code).toBe(130);
    }
  });

  test("a reader that went away is no error; a full disk is one", async () => {
    const data = await filledDirectory(1);
    const failing = (code: string) =>
      new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
    const stderr = new Sink();
    expect(await run(["scan", "--data", data], { stdout: failing("EPIPE"), stderr })).toBe(0);
    expect(stderr.bytes.toString()).toBe("");
    expect(await run(["scan", "--data", data], { stdout: failing("ENOSPC"), stderr })).toBe(1);
    expect(stderr.bytes.toString()).toBe("error KAYA_DISK_FULL: cannot write the output: ENOSPC\n");
    expect(await run(["get", "--data", data], { stdout: new Sink(), stderr: failing("EPIPE") })).toBe(4);
  });

  test("an unknown error shows its stack only with DEBUG", async () => {
    const data = await filledDirectory(1);
    const failing = new Sink();
    Object.defineProperty(failing, "write", {
      value: () => {
        throw new TypeError("a bug");
      },
    });
    const stderr = async (debug: string) => {
      vi.stubEnv("DEBUG", debug);
      const sink = new Sink();
      expect(await run(["scan", "--data", data], { stdout: failing, stderr: sink })).toBe(1);
      return sink.bytes.toString();
    };
    expect(await stderr("")).toBe("error KAYA_INTERNAL: a bug\n");
    expect(await stderr("1")).toMatch(/^error KAYA_INTERNAL: a bug\nTypeError: a bug\n +at /);
  });
});
