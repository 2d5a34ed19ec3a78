import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KayaError, type KayaErrorCode } from "@kaya/core";
import { describe, expect, test } from "vitest";
import {
  allBlocks,
  type Block,
  documents,
  isProgram,
  isSession,
  ROOT,
  readDocument,
  withoutBlocks,
} from "./documents.js";

const at = ({ document, line }: Block) => `${document}:${line}`;

/** Shell commands that no test types in, by the first of them, and why. What `npx pnpm@10` is asked for is looked up below. */
const NOT_TYPED_IN = new Map([
  ["npx pnpm@10 demo", "this is how the tests are run"],
  ["npx pnpm@10 test", "this is how the tests are run"],
  ["npx pnpm@10 build", "packs and installs the packages, which .ci/packed does"],
  ["npx pnpm@10 bench", "takes a minute, and its figures are not to be compared"],
  ["npx pnpm@10 torture", "takes minutes; CI runs it by itself"],
  [
    "npx pnpm@10 bump",
    "changes the repository, and publishes; .ci/release tries it with a registry of its own",
  ],
  ["npm install", "needs the packages in a registry; .ci/packed installs them from tarballs"],
  [
    'eval "$(kayactl completion',
    "changes files of the shell; completion.test.ts loads the scripts in each of them",
  ],
  ["kayactl import", "needs databases of other stores; import-stores.test.ts makes and imports them"],
  ["kayactl replicate", "needs a bucket; replicate.test.ts runs both commands with a directory"],
  ["kayactl studio", "serves until it is interrupted; studio-command.test.ts starts it"],
  ["rev=$(etcdctl", "needs an etcd that is full; the tests of etcdLog do the same through its API"],
  ["etcdctl role", "needs an etcd with users; the tests of etcdLog do the same through its API"],
  ["etcd --data-dir", "needs etcd and four terminals; etcd-nodes.test.ts of @kaya/cluster opens such nodes"],
  ["export KAYA_ETCD", "needs etcd; cluster-etcd.test.ts runs each where it is installed"],
  ["kayactl sim", "takes minutes, and prints how long; sim.test.ts runs both commands"],
]);

const blocks = await allBlocks();

describe("every snippet", () => {
  test("is run, or is nothing that could be", () => {
    const languages = new Set(["", "text", "mermaid", "diff", "json", "sh"]);
    const strange = blocks.filter((block) => !isProgram(block) && !languages.has(block.language));
    expect(strange.map(at)).toEqual([]);
    const hidden = blocks.filter(
      (block) => !isSession(block) && !isProgram(block) && /^\$ /m.test(block.text),
    );
    expect(hidden.map(at)).toEqual([]);
  });

  test("of JSON is JSON", () => {
    for (const block of blocks.filter(({ language }) => language === "json"))
      expect(() => JSON.parse(block.text), at(block)).not.toThrow();
  });

  test("of shell commands that is not a session says here why it is not typed in", () => {
    const shell = blocks.filter(({ language }) => language === "sh");
    const reasonFor = ({ text }: Block) =>
      [...NOT_TYPED_IN.keys()].find((command) => text.startsWith(command));
    expect(shell.filter((block) => reasonFor(block) === undefined).map(at)).toEqual([]);
    expect(new Set(shell.map(reasonFor))).toEqual(new Set(NOT_TYPED_IN.keys()));
  });

  test("asks pnpm for scripts that there are", async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const known = [...Object.keys(scripts), "changeset", "exec", "run", "pack"];
    for (const document of await documents()) {
      for (const [, name] of (await readDocument(document)).matchAll(/npx pnpm@10 ([a-z]+)/g))
        expect(known, document).toContain(name);
    }
  });
});

describe("a link between documents", async () => {
  for (const document of await documents()) {
    test(`leads somewhere: ${document}`, async () => {
      const links = withoutBlocks(await readDocument(document)).matchAll(
        /(?<!`)\[[^\]]*\]\((?<target>[^)\s]+)\)/g,
      );
      for (const { groups: { target = "" } = {} } of links) {
        if (/^[a-z]+:/.test(target)) continue; // of the web
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? document : join(dirname(document), path);
        expect(existsSync(join(ROOT, file)), `${document}: ${target}`).toBe(true);
        if (anchor === undefined) continue;
        expect(await anchorsOf(file), `${document}: ${target}`).toContain(anchor);
      }
    });
  }
});

/** As GitHub makes them of headings. */
async function anchorsOf(document: string): Promise<readonly string[]> {
  const seen = new Map<string, number>();
  return [...withoutBlocks(await readDocument(document)).matchAll(/^#{1,6} (.+)$/gm)].map(
    ([, heading = ""]) => {
      const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
      const slug = text
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(" ", "-");
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    },
  );
}

describe("what a document says of the code", async () => {
  const files = await sourceFiles();

  for (const document of [
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/guarantees.md",
    "packages/wal/FORMAT.md",
    "packages/lsm/TABLE.md",
    "packages/lsm/MANIFEST.md",
    "packages/engine/FLUSH.md",
    "packages/engine/BACKUP.md",
    "packages/engine/CHANGES.md",
    "packages/engine/INDEXES.md",
  ]) {
    test(`is there, where it names a file: ${document}`, async () => {
      const named = withoutBlocks(await readDocument(document)).matchAll(/`(?<name>[\w./-]+\.(?:ts|mjs))`/g);
      const absent = [...named]
        .map(({ groups: { name = "" } = {} }) => name)
        .filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`)));
      expect(absent).toEqual([]);
    });
  }

  for (const document of ["docs/guarantees.md", "packages/engine/FLUSH.md", "packages/engine/BACKUP.md"]) {
    test(`is there, where it names a test: ${document}`, async () => {
      const tests = files.filter((file) => /^packages\/[a-z]+\/test\//.test(file));
      const text = (await Promise.all(tests.map((file) => readFile(join(ROOT, file), "utf8")))).join("\n");
      const cells = (await readDocument(document)).split("\n").filter((line) => /^\| \*\*/.test(line));
      const named = cells.flatMap((line) => [...(line.split(" | ").at(-1) ?? "").matchAll(/"([^"]+)"/g)]);
      expect(named.length).toBeGreaterThan(5);
      expect(named.map(([, name = ""]) => name).filter((name) => !text.includes(name))).toEqual([]);
    });
  }
});

test("every error code has one row and one section in docs/errors.md, and no other has", async () => {
  const source = await readFile(join(ROOT, "packages/core/src/errors.ts"), "utf8");
  const codes = [...source.matchAll(/^ *\| "(KAYA_\w+)"/gm)].map(([, code = ""]) => code).sort();
  const page = await readDocument("docs/errors.md");
  const rows = [...page.matchAll(/^\| \[`(KAYA_\w+)`\]\(#(\w+)\)/gm)];
  const sections = page.split(/^## /m).slice(1);
  expect(codes.length).toBeGreaterThan(15);
  expect(rows.map(([, code]) => code).sort()).toEqual(codes);
  expect(rows.map(([, code = ""]) => code.toLowerCase())).toEqual(rows.map(([, , anchor]) => anchor));
  expect(sections.map((section) => section.split("\n", 1)[0]).sort()).toEqual(codes);
  for (const section of sections) {
    const parts = [...section.matchAll(/^\*\*(Cause|Meaning|What to do)\.\*\* \S/gm)].map(([, part]) => part);
    expect(parts, section.split("\n", 1)[0]).toEqual(["Cause", "Meaning", "What to do"]);
  }
});

test("docs/errors.md has the exit code of each error code", async () => {
  const page = await readDocument("docs/errors.md");
  const rows = [...page.matchAll(/^\| \[`(KAYA_\w+)`\].* (\d) \|$/gm)];
  expect(rows.length).toBeGreaterThan(15);
  for (const [, code, exitCode] of rows)
    expect(new KayaError(code as KayaErrorCode, "").exitCode, code).toBe(Number(exitCode));
});

/** Code of all packages and of .ci, from the root of the repository. */
async function sourceFiles(): Promise<readonly string[]> {
  const packages = (await readdir(join(ROOT, "packages"))).map((name) => `packages/${name}`);
  const directories = packages.flatMap((path) =>
    ["src", "test", "torture", "mutants"].map((name) => `${path}/${name}`),
  );
  const lists = [...directories, ".ci"].map(async (directory) => {
    if (!existsSync(join(ROOT, directory))) return [];
    const names = await readdir(join(ROOT, directory), { recursive: true });
    return names.map((name) => `${directory}/${name}`.replaceAll("\\", "/"));
  });
  return (await Promise.all(lists)).flat().filter((name) => /\.(?:ts|mjs)$/.test(name));
}
