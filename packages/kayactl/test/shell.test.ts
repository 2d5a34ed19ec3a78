import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { Engine } from "@kaya/engine";
import { afterEach, describe, expect, test, vi } from "vitest";
import { run } from "../src/index.js";
import { History, historyFile, MOST_ENTRIES } from "../src/shell/history.js";
import { absentDirectory, BIN, filledDirectory, kayactl, temporaryDirectory } from "./helpers.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Lines from a pipe. */
const shell = (data: string, lines: string, ...options: string[]) =>
  kayactl(["shell", "--data", data, ...options], { stdin: lines });

describe("commands from a pipe", () => {
  test("are those of the command line, on one opening", async () => {
    const data = await absentDirectory();
    const { code, stdout, stderr } = await shell(
      data,
      [
        "# a comment",
        "put a 1",
        "",
        'set \'sp ace\' "qu\\"ote" --durability relaxed',
        'put json {"name": "Ada",',
        '  "tags": ["}", 1]} --ttl 1h',
        "get 'sp ace'",
        "scan --keys-only",
        "rm a",
        "ls --json",
        "stats --json",
        "help get",
      ].join("\n"),
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines.slice(0, 9)).toEqual([
      "OK sequence=1 lsn=1 durable=true",
      "OK sequence=2 lsn=2 durable=false",
      "OK sequence=3 lsn=3 durable=true",
      'qu"ote',
      "a",
      "json",
      "sp ace",
      "OK sequence=4 lsn=4 durable=true",
      '{"items":[{"key":"json"},{"key":"sp ace"}]}',
    ]);
    expect(JSON.parse(lines[9] ?? "")).toMatchObject({ lastLsn: 4, wal: { segments: 1 } });
    expect(lines[10]).toBe("Usage: kayactl get [options] <KEY>");
    expect((await kayactl(["get", "json", "--data", data])).stdout).toBe(
      '{"name": "Ada",\n  "tags": ["}", 1]}\n',
    );
  });

  test("the first that fails ends the shell with its exit code", async () => {
    const data = await filledDirectory(1);
    const lines = "get key-00000\nget nope\nput a 1\n";
    expect(await shell(data, lines)).toEqual({
      code: 2,
      stdout: "value-0\nNOT_FOUND\n",
      stderr: "note: line 2 ended with exit code 2\n",
    });
    expect(await shell(data, "frobnicate\n")).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        /^error KAYA_INVALID_ARGUMENT: unknown command .*\(see "help"\)\nnote: line 1 /,
      ),
    });
    const going = await shell(data, lines, "--keep-going");
    expect(going).toMatchObject({
      code: 2,
      stdout: "value-0\nNOT_FOUND\nOK sequence=2 lsn=2 durable=true\n",
    });
  });

  test("exit leaves out what follows, and an open quote is a mistake", async () => {
    const data = await filledDirectory(1);
    expect(await shell(data, "exit\nget nope\n")).toEqual({ code: 0, stdout: "", stderr: "" });
    const { code, stderr } = await shell(data, "ls\nput a 'b\nput c d\n");
    expect(code).toBe(4);
    expect(stderr).toContain("the command that begins in line 2: a quote or a bracket in it is not closed");
  });

  test("exit ends the process although the pipe stays open", async () => {
    const child = spawn(process.execPath, [BIN, "shell", "--data", await filledDirectory(1)]);
    child.stdin.write("exit\n");
    expect(await once(child, "exit")).toEqual([0, null]);
  });

  test("Ctrl-C ends a shell that waits for its next line", async () => {
    const data = await filledDirectory(1);
    const interruption = new AbortController();
    const stdout = new Writable({
      write(_chunk, _encoding, done) {
        setImmediate(() => interruption.abort());
        done();
      },
    });
    const stdin = new PassThrough();
    stdin.write("ls\n");
    const io = { stdin, stdout, stderr: new PassThrough(), signal: interruption.signal };
    expect(await run(["shell", "--data", data], io)).toBe(130);
    await (await Engine.open({ dataDir: data })).close(); // the lock is free
  });

  test("what a shell cannot do is refused", async () => {
    const data = await filledDirectory(1);
    for (const [line, message] of [
      ["shell", "a shell already"],
      ["recover", "leave the shell"],
      ["put a -", "cannot read standard input"],
    ] as const) {
      const { code, stderr } = await shell(data, line);
      expect(code).toBe(4);
      expect(stderr).toContain(message);
    }
    // Other directories are opened for the command alone.
    const other = await absentDirectory();
    expect((await shell(data, `put a 1 --data ${other}\nget a --data ${other}\nls\n`)).stdout).toBe(
      "OK sequence=1 lsn=1 durable=true\n1\nkey-00000\n",
    );
  });

  test("a shell makes a directory only with its first put", async () => {
    const data = await absentDirectory();
    expect((await shell(data, "get a\n")).code).toBe(2);
    await expect(stat(data)).rejects.toThrow("ENOENT");
    expect((await shell(data, "put a 1\nget a\n")).code).toBe(0);
    expect((await shell(await absentDirectory(), "ls", "--read-only")).code).toBe(2);
  });

  test("--read-only looks beside a writer, again for each command", async () => {
    const data = await filledDirectory(1);
    const engine = await Engine.open({ dataDir: data });
    expect((await shell(data, "ls\n")).code).toBe(6);
    const stdin = new PassThrough();
    const written: string[] = [];
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        stdin.emit("answered");
        done();
      },
    });
    const stderr = new Writable({ write: (_chunk, _encoding, done) => done() });
    const ended = run(["shell", "--read-only", "--keep-going", "--data", data], { stdin, stdout, stderr });
    for (const line of ["get new", "ls"]) {
      const answer = once(stdin, "answered");
      stdin.write(`${line}\n`);
      await answer;
      await engine.put("new", "1");
    }
    stdin.end("put a 1\n");
    expect(await ended).toBe(2); // of the first line
    expect(written).toEqual(["NOT_FOUND\n", "key-00000\nnew\n"]);
    await engine.close();
  });
});

test("what a shell acknowledged survives kill -9", async () => {
  const data = await absentDirectory();
  const child = spawn(process.execPath, [BIN, "shell", "--data", data]);
  const closed = once(child, "close");
  let acknowledged = 0;
  for await (const chunk of acknowledgements(child)) {
    acknowledged += chunk;
    if (acknowledged >= 20) break;
  }
  child.kill("SIGKILL");
  expect((await closed)[1]).toBe("SIGKILL");
  const { stdout } = await kayactl(["scan", "--keys-only", "--data", data]);
  const keys = stdout.split("\n").slice(0, -1);
  expect(keys.length).toBeGreaterThanOrEqual(acknowledged);
  for (let i = 0; i < acknowledged; i++) expect(keys).toContain(`k${i}`);
});

/** Gives the shell a put at a time, and how many were acknowledged as durable. */
async function* acknowledgements(child: ChildProcessWithoutNullStreams): AsyncGenerator<number, void> {
  let next = 0;
  child.stdin.write(`put k${next++} v\n`);
  for await (const chunk of child.stdout) {
    const count = String(chunk).split("durable=true\n").length - 1;
    yield count;
    child.stdin.write(`put k${next++} v\nput k${next++} v\n`);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys
const ESCAPES = /\u001b\[[\d;?]*[A-Za-z]/g;

/** A terminal as far as node:readline sees one. */
class Terminal {
  readonly stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  readonly stdout: Writable & { isTTY: boolean; columns: number; rows: number };
  readonly ended: Promise<number>;
  #screen = "";
  #onText: () => void = () => undefined;

  constructor(argv: readonly string[], rows = 24) {
    const write = (chunk: Buffer, _encoding: string, done: () => void) => {
      this.#screen += String(chunk).replace(ESCAPES, "");
      this.#onText();
      done();
    };
    this.stdout = Object.assign(new Writable({ write }), { isTTY: true, columns: 80, rows });
    const stderr = Object.assign(new Writable({ write }), { isTTY: true, columns: 80 });
    this.ended = run(["shell", "--no-color", ...argv], { stdin: this.stdin, stdout: this.stdout, stderr });
  }

  /** Types keys and waits until the text is on the screen; gives what came since. */
  async type(keys: string, until: string | RegExp): Promise<string> {
    this.#screen = "";
    this.stdin.write(keys);
    return this.until(until);
  }

  async until(text: string | RegExp): Promise<string> {
    const isThere = () => (typeof text === "string" ? this.#screen.includes(text) : text.test(this.#screen));
    while (!isThere())
      await new Promise<void>((resolve) => {
        this.#onText = resolve;
      });
    return this.#screen;
  }
}

async function terminal(
  argv: readonly string[],
  rows?: number,
): Promise<{ terminal: Terminal; state: string }> {
  const state = await temporaryDirectory();
  vi.stubEnv("XDG_STATE_HOME", state);
  const opened = new Terminal(argv, rows);
  await opened.until(/\(read-(write|only)\)> /);
  return { terminal: opened, state };
}

const TAB = "\t";
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";

describe("at a terminal", () => {
  test("the prompt says where and how; errors and Ctrl-C do not end it, Ctrl-D does", async () => {
    const data = await filledDirectory(3);
    const { terminal: it } = await terminal(["--data", data], 80);
    expect(await it.type("get key-00001\n", "> ")).toContain("value-1\n");
    expect(await it.type("frobnicate\n", /\n.*> $/)).toContain("error KAYA_INVALID_ARGUMENT");
    expect(await it.type("get nope\n", /\n.*> $/)).toContain("NOT_FOUND");
    await it.type("get key-0000", "key-0000");
    expect(await it.type(CTRL_C, /\^C\n.*> $/)).toContain("^C");
    await it.type("stats --watch\n", "last LSN");
    expect(await it.type(CTRL_C, /\^C\n.*> $/)).not.toContain("error");
    expect(await it.type("put k v\n", /\n.*> $/)).toContain("durable=true");
    it.stdin.write(CTRL_D);
    expect(await it.ended).toBe(0);
  });

  test("a value goes on over lines until its brackets close, and Ctrl-C forgets it", async () => {
    const data = await filledDirectory(1);
    const { terminal: it, state } = await terminal(["--data", data]);
    await it.type('put j {"a": [\n', "... ");
    await it.type("1]\n", "... ");
    expect(await it.type("}\n", /\n.*write\)> $/)).toContain("OK sequence=2");
    await it.type("put k 'x\n", "... ");
    await it.type(CTRL_C, /\^C\n.*write\)> $/);
    expect(await it.type("get j\n", /\n.*write\)> $/)).toContain('{"a": [\n1]\n}\n');
    expect(await it.type("\u001b[A\u001b[A", "put j")).toContain('put j {"a": [ 1] }');
    await it.type(CTRL_C, /\^C\n.*> $/);
    await it.type(" put secret 1\n", /\n.*write\)> $/);
    await it.type("exit\n", "exit");
    expect(await it.ended).toBe(0);
    const history = join(state, "kayactl", "history");
    expect(await readFile(history, "utf8")).toBe('put j {"a": [ 1] }\nget j\nexit\n');
    expect((await stat(history)).mode & 0o777).toBe(0o600);
  });

  test("Tab completes commands, options, keys and paths", async () => {
    const data = await filledDirectory(3);
    const { terminal: it } = await terminal(["--data", data]);
    await it.type(`ver${TAB}`, "verify ");
    await it.type(CTRL_C, /\^C\n.*> $/);
    await it.type(`get k${TAB}`, "key-0000");
    await it.type(TAB, /key-00000 +key-00001 +key-00002/);
    await it.type(`1\n`, "value-1");
    await it.type(`put 'a b' c\n`, "durable=true");
    await it.type(`get 'a${TAB}`, "'a b' ");
    await it.type("\n", /c\n.*> $/);
    await it.type(`inspect wal ${data}/w${TAB}`, "wal/");
    it.stdin.end();
    expect(await it.ended).toBe(0);
  });

  test("a list stops at the height of the screen, with a hint", async () => {
    const data = await filledDirectory(50);
    const { terminal: it } = await terminal(["--data", data, "--read-only"], 10);
    const shown = await it.type("ls\n", "more");
    expect(shown.match(/key-\d+/g)).toHaveLength(7);
    expect(shown).toContain("7 entries, and more: --limit N shows N, --gt KEY those after KEY");
    expect((await it.type("ls --limit 20\n", "20 entries")).match(/key-\d+/g)).toHaveLength(20);
    expect(await it.type("ls --json\n", "]}")).toContain("key-00049");
    expect(await it.type("ls --gt key-00045\n", "4 entries")).not.toContain("more");
    it.stdin.write(CTRL_D);
    expect(await it.ended).toBe(0);
  });

  test("a history that cannot be kept is a note", async () => {
    const file = join(await temporaryDirectory(), "file");
    await writeFile(file, "x");
    vi.stubEnv("XDG_STATE_HOME", file);
    const it = new Terminal(["--data", await filledDirectory(1)]);
    expect(await it.until("write)> ")).toContain("note: the history cannot be kept");
    await it.type("get key-00000\n", "value-0");
    it.stdin.write(CTRL_D);
    expect(await it.ended).toBe(0);
  });
});

describe("the history", () => {
  const command = (line: string) => ({ lines: [line], words: line.split(" ") });

  test("is bounded, and has each command once", async () => {
    const path = join(await temporaryDirectory(), "a", "history");
    const history = await History.open(path);
    for (let i = 0; i < 2 * MOST_ENTRIES + 1; i++) await history.add(command(`get ${i}`));
    await history.add(command("get 2000"));
    await history.add(command("get 1999"));
    expect(history.entries.slice(0, 3)).toEqual(["get 1999", "get 2000", "get 1998"]);
    expect(history.entries).toHaveLength(MOST_ENTRIES);
    await history.add(command(`get ${"x".repeat(5000)}`));
    const again = await History.open(path);
    expect(again.entries[0]).toBe("get 1999");
    expect((await readFile(path, "utf8")).split("\n")).toHaveLength(MOST_ENTRIES + 1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("is shortened beside a file that an earlier process left", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "history");
    const lines = Array.from({ length: 2 * MOST_ENTRIES + 1 }, (_, i) => `get ${i}\n`);
    await writeFile(path, lines.join(""));
    const left = `history.${process.pid}.tmp`;
    await writeFile(join(directory, left), "not ours");
    expect((await History.open(path)).entries).toHaveLength(MOST_ENTRIES);
    expect((await readFile(path, "utf8")).split("\n")).toHaveLength(MOST_ENTRIES + 1);
    expect((await readdir(directory)).sort()).toEqual(["history", left]);
  });

  test("that others could read becomes its owner's", async () => {
    const path = join(await temporaryDirectory(), "history");
    await writeFile(path, "get a\n", { mode: 0o644 });
    expect((await History.open(path)).entries).toEqual(["get a"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("is below XDG_STATE_HOME where that is absolute", () => {
    expect(historyFile({ XDG_STATE_HOME: "/state" })).toBe("/state/kayactl/history");
    for (const state of ["", "relative"])
      expect(historyFile({ XDG_STATE_HOME: state })).toMatch(/\/\.local\/state\/kayactl\/history$/);
  });
});
