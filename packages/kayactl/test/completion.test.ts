import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Engine } from "@kaya/engine";
import { beforeEach, describe, expect, test } from "vitest";
import { keysBelow } from "../src/completion/keys.js";
import { splitLine } from "../src/completion/split-line.js";
import {
  absentDirectory,
  BIN,
  child,
  filledDirectory,
  kayactl,
  snapshot,
  temporaryDirectory,
} from "./helpers.js";

const BREAKS = " \t\n\"'><=;|&(:";

/** What bash gets for a line: the kind of the answer and its replies. */
async function bash(line: string): Promise<readonly string[]> {
  const { code, stdout, stderr } = await kayactl(["__complete", "bash", line, BREAKS]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.split("\n").slice(0, -1);
}

async function storeWith(...keys: readonly (string | Uint8Array)[]): Promise<string> {
  const data = await absentDirectory();
  const engine = await Engine.open({ dataDir: data, durability: "relaxed" });
  for (const key of keys) await engine.put(key, "v");
  await engine.close();
  return data;
}

/** Each would do harm, or be another key, if a shell took it for anything but a word. */
const HOSTILE = [
  "sp ace",
  "$(touch pwned)",
  "`touch pwned`",
  "semi;touch pwned",
  "and&touch pwned",
  "pipe|touch pwned",
  "quo'te",
  'dou"ble',
  "back\\slash",
  "star*",
  "q?[a-z]{b,c}",
  "~root",
  "!bang!!",
  "#hash",
  "<in>out",
  "(paren)",
  "$HOME",
  "日本 語",
  "eq=ual:colon",
];

describe("a line of bash", () => {
  test.each([
    ["kayactl ins", ["values", "inspect"]],
    ["kayactl inspect ", ["values", "wal", "sst", "manifest"]],
    ["kayactl --no-color inspect w", ["values", "wal"]],
    ["kayactl help inspect s", ["values", "sst"]],
    ["kayactl se", ["values", "set"]],
    ["kayactl r", ["values", "rm", "recover", "replicate", "restore"]],
    ["kayactl put --dur", ["values", "--durability"]],
    ["kayactl --durability ", ["values", "strict", "relaxed"]],
    ["kayactl put --durability=re", ["values", "relaxed"]],
    ["kayactl completion f", ["values", "fish"]],
    ["kayactl inspect wal ", ["files"]],
    ["kayactl inspect wal --html ", ["files"]],
    ["kayactl sim replay x", ["files"]],
    ["kayactl backup ", ["directories"]],
    ["kayactl get --data ", ["directories"]],
    ["kayactl get --data=", ["directories"]],
    ["kayactl put k ", ["values"]],
    ["kayactl nonsense ", ["values"]],
    ["kayactl get 'open", []],
    ["kayactl get -- --st", []],
  ])("%s", async (line, expected) => {
    expect(await bash(line)).toEqual(expected);
  });

  test("gets keys up to where they part, from the directory that it names", async () => {
    const data = await storeWith("user:1", "user:2", "us", "order/7/a", "order/7/b", "-dash");
    for (const option of [`--data ${data}`, `--data=${data}`]) {
      expect(await bash(`kayactl get ${option} `)).toEqual(["parts", "order/", "us", "user:"]);
      expect(await bash(`kayactl ${option} get user:`)).toEqual(["values", "1", "2"]);
      expect(await bash(`kayactl scan ${option} order/7/`)).toEqual(["values", "order/7/a", "order/7/b"]);
      expect(await bash(`kayactl scan ${option} --gte=use`)).toEqual(["parts", "user:"]);
      expect(await bash(`kayactl get ${option} "user:`)).toEqual(["values", "user:1", "user:2"]);
      expect(await bash(`kayactl get ${option} -- -d`)).toEqual(["values", "-dash"]);
    }
  });

  test("errors give no answer, and nothing is changed", async () => {
    expect(await bash("kayactl get --data /nowhere/at/all ")).toEqual([]);
    expect((await kayactl(["__complete", "csh"])).code).toBe(4);
    const data = await filledDirectory(3);
    const before = await snapshot(data);
    expect(await bash(`kayactl get --data ${data} key-00002`)).toEqual(["values", "key-00002"]);
    expect(await snapshot(data)).toEqual(before);
    const engine = await Engine.open({ dataDir: data });
    expect(await bash(`kayactl get --data ${data} key-00001`)).toEqual(["values", "key-00001"]);
    await engine.close();
  });
});

describe("keys", () => {
  async function below(data: string, prefix: string) {
    const engine = await Engine.open({ dataDir: data, readOnly: true });
    try {
      return await keysBelow(engine, prefix);
    } finally {
      await engine.close();
    }
  }

  test("are bounded; the last one says what all have in common", async () => {
    const data = await filledDirectory(3000);
    const keys = await below(data, "key-");
    expect(keys).toHaveLength(51);
    expect([keys[0]?.value, keys.at(-2)?.value, keys.at(-1)?.value]).toEqual([
      "key-00000",
      "key-00049",
      "key-02999",
    ]);
  });

  test("that are no printable text are left out", async () => {
    const data = await storeWith(
      "a",
      "a\u001b[31m",
      "a\nb",
      "a\tb",
      "a\u202eb",
      Buffer.of(0x61, 0xff),
      "a".repeat(300),
      "b",
    );
    expect(await below(data, "")).toEqual([{ value: "a" }, { value: "b" }]);
  });

  test("are no search without an end", async () => {
    const data = await storeWith(...Array.from({ length: 2000 }, (_, index) => `k\n${index}`), "z");
    expect(await below(data, "")).toEqual([]);
    const engine = await Engine.open({ dataDir: data, readOnly: true });
    expect(await keysBelow(engine, "z", () => true)).toEqual([]);
    await engine.close();
  });
});

test.each([
  ["get a", ["get", "a"], undefined, true],
  ["get a ", ["get", "a"], undefined, false],
  ["  ", [], undefined, false],
  ['a\\ b \'c d\' "e \\" \\n"f', ["a b", "c d", 'e " \\nf'], undefined, true],
  ["put '' x", ["put", "", "x"], undefined, true],
  ["put 'a b", ["put", "a b"], "'", true],
  ['put "a b', ["put", "a b"], '"', true],
  ["put a\\", ["put", "a"], "\\", true],
  ['put k {"a": [1, "}"]} x', ["put", "k", '{"a": [1, "}"]}', "x"], undefined, true],
  ['put k {"a": "\\"}"', ["put", "k", '{"a": "\\"}"'], "{", true],
  ["put k [1,\n  2] ", ["put", "k", "[1,\n  2]"], undefined, false],
])("%j is split", (line, words, open, endsInWord) => {
  const split = splitLine(line, { withJson: true });
  expect({
    words: split.words.map(({ text }) => text),
    open: split.open,
    endsInWord: split.endsInWord,
  }).toEqual({
    words,
    open,
    endsInWord,
  });
});

/** A directory with `kayactl` in it, and an environment that finds it. */
async function shellHome(): Promise<{ home: string; env: Record<string, string> }> {
  const home = await temporaryDirectory();
  await mkdir(join(home, "bin"));
  await writeFile(join(home, "bin", "kayactl"), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
  await chmod(join(home, "bin", "kayactl"), 0o755);
  const path = `${join(home, "bin")}${delimiter}${process.env.PATH}`;
  return {
    home,
    env: { PATH: path, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, LC_ALL: "C.UTF-8" },
  };
}

function isInstalled(shell: string): boolean {
  try {
    execFileSync(shell, ["-c", "exit 0"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Runs a script in a shell and gives the lines that it prints. */
async function inShell(command: string, script: string, env: Record<string, string>): Promise<string[]> {
  const { stdout, stderr } = await child(command, ["-c", script], { env });
  expect(stderr).toBe("");
  return stdout.split("\n").slice(0, -1);
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

describe("in a real shell", () => {
  let data = "";
  beforeEach(async () => {
    data = await storeWith("user:1", "user:2", ...HOSTILE);
  });

  describe("bash", () => {
    const complete = (line: string, cword: number) =>
      `COMP_LINE=${quote(line)} COMP_POINT=\${#COMP_LINE} COMP_CWORD=${cword}; compopt() { printf 'compopt %s\\n' "$2"; }; _kayactl; `;

    test("completes commands, paths and keys", async ({ skip }) => {
      skip(!isInstalled("bash"), "bash is not installed");
      const { env } = await shellHome();
      const load = 'eval "$(kayactl completion bash)"; ';
      const print = `printf '%s\\n' "\${COMPREPLY[@]}"`;
      expect(await inShell("bash", `${load}complete -p kayactl`, env)).toEqual([
        "complete -F _kayactl kayactl",
      ]);
      expect(await inShell("bash", load + complete("kayactl ver", 1) + print, env)).toEqual(["verify"]);
      expect((await inShell("bash", load + complete("kayactl inspect wal ", 3) + print, env))[0]).toBe(
        "compopt default",
      );
      expect((await inShell("bash", load + complete("kayactl --data ", 2) + print, env))[0]).toBe(
        "compopt dirnames",
      );
      expect(
        await inShell("bash", load + complete(`kayactl get --data ${data} use`, 4) + print, env),
      ).toEqual(["compopt nospace", "user:"]);
    });

    test.skipIf(!isInstalled("bash"))(
      "a hostile key comes back as the same word, and does nothing",
      async () => {
        const { home, env } = await shellHome();
        // Each reply is evaluated as bash would evaluate the line with it.
        const script = `cd ${quote(home)}; eval "$(kayactl completion bash)"; ${complete(`kayactl get --data ${data} `, 4)}
        compopt() { :; }
        for reply in "\${COMPREPLY[@]}"; do eval "set -- $reply"; printf '%s:%s\\n' "$#" "$1"; done; ls`;
        const lines = (await inShell("bash", script, env)).filter((line) => !line.startsWith("compopt"));
        expect(lines.sort()).toEqual(["bin", ...HOSTILE.map((key) => `1:${key}`), "1:user:"].sort());
      },
    );
  });

  describe("zsh", () => {
    // The function runs outside of the line editor: a function stands for what gives the matches to it, which quotes them itself.
    const stub = `compdef() { :; }; _files() { print -r -- "files $*"; }
      compadd() { print -rl -- "\${values[@]}" "\${displays[@]}"; }; `;
    const complete = (words: readonly string[], prefix: string) =>
      `words=(${words.map((word) => quote(quote(word))).join(" ")} ${quote(prefix)}); CURRENT=${words.length + 1}; PREFIX=${quote(prefix)}; _kayactl`;

    test("completes commands, paths and keys, hostile ones too", async ({ skip }) => {
      skip(!isInstalled("zsh"), "zsh is not installed");
      const { home, env } = await shellHome();
      const load = `cd ${quote(home)}; ${stub}eval "$(kayactl completion zsh)"; `;
      expect(await inShell("zsh", load + complete(["kayactl"], "ver"), env)).toEqual([
        "verify",
        expect.stringMatching(/^verify {2}-- check /),
      ]);
      expect(await inShell("zsh", load + complete(["kayactl", "inspect", "wal"], ""), env)).toEqual([
        "files ",
      ]);
      expect(await inShell("zsh", load + complete(["kayactl", "--data"], ""), env)).toEqual(["files -/"]);
      const keys = await inShell(
        "zsh",
        `${load + complete(["kayactl", "--data", data, "get"], "")}; ls`,
        env,
      );
      expect(keys).toEqual([
        ...[...HOSTILE, "user:"].sort(byBytes),
        ...[...HOSTILE, "user:"].sort(byBytes),
        "bin",
      ]);
    });
  });

  describe("fish", () => {
    const load = "kayactl completion fish | source; ";
    const complete = (line: string) => `complete -C ${quote(line.replaceAll("\\", "\\\\"))}`;

    test("completes commands, paths and keys, hostile ones too", async ({ skip }) => {
      skip(!isInstalled("fish"), "fish is not installed");
      const { home, env } = await shellHome();
      expect(await inShell("fish", load + complete("kayactl ver"), env)).toEqual([
        expect.stringMatching(/^verify\tcheck /),
      ]);
      expect(
        await inShell("fish", `cd ${quote(home)}; ${load}${complete("kayactl inspect wal b")}`, env),
      ).toEqual([expect.stringMatching(/^bin\//)]);
      expect(await inShell("fish", load + complete(`kayactl get --data ${data} user:`), env)).toEqual([
        "user:1",
        "user:2",
      ]);
      // fish escapes a completion where it inserts it; here it prints it as it is.
      const script = `cd ${quote(home)}; ${load}${complete(`kayactl get --data ${data} `)}; test -e pwned; and echo pwned`;
      const keys = (await child("fish", ["-c", script], { env })).stdout.split("\n").slice(0, -1);
      expect(keys.sort()).toEqual([...HOSTILE, "user:"].sort());
    });
  });

  const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
});

test("the scripts are what `completion` prints", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await kayactl(["completion", shell]);
    expect(code).toBe(0);
    expect(stdout).toContain(`kayactl __complete ${shell}`);
  }
  expect((await kayactl(["completion", "csh"])).stderr).toMatch(/Allowed choices are bash, zsh, fish/);
  expect(await readFile(BIN, "utf8")).toContain("node");
});
