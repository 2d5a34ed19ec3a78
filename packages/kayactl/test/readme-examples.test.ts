import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ROOT = join(PACKAGE, "..", "..");
// Inside the package, so that the examples resolve `@kaya/*` as a user's file would.
const WORK = join(PACKAGE, "node_modules", ".examples");

interface Example {
  readonly name: string;
  readonly source: string;
  readonly file: string;
}

async function markdownFiles(): Promise<string[]> {
  const packages = await readdir(join(ROOT, "packages"));
  const docs = await readdir(join(ROOT, "docs"));
  return [
    join(ROOT, "README.md"),
    ...packages.map((name) => join(ROOT, "packages", name, "README.md")),
    ...docs.filter((name) => name.endsWith(".md")).map((name) => join(ROOT, "docs", name)),
  ];
}

async function collectExamples(): Promise<Example[]> {
  const examples: Example[] = [];
  for (const path of await markdownFiles()) {
    const blocks = [...(await readFile(path, "utf8")).matchAll(/^```(ts|js)\n(.*?)^```/gms)];
    for (const [i, [, , source]] of blocks.entries()) {
      const name = `${relative(ROOT, path)}, example ${i + 1}`;
      examples.push({ name, source: source ?? "", file: `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}.ts` });
    }
  }
  return examples;
}

/** What an example says that it prints: the text behind `// =>`, in order. */
function promisedOutput(source: string): string[] {
  return [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => (match[1] ?? "").trim());
}

/** Of a layer beside this one, so that its examples find neither it nor what they copy from among the packages of this one. */
async function installLevel(): Promise<void> {
  const level = join(ROOT, "packages", "level");
  const modules = join(WORK, "node_modules");
  await mkdir(join(modules, "@kaya"), { recursive: true });
  await symlink(level, join(modules, "@kaya", "level"), "junction");
  await symlink(join(level, "node_modules", "classic-level"), join(modules, "classic-level"), "junction");
}

const TSCONFIG = {
  extends: relative(WORK, join(ROOT, "tsconfig.base.json")),
  compilerOptions: {
    composite: false,
    declaration: false,
    declarationMap: false,
    noUnusedLocals: false,
    rootDir: ".",
    outDir: "out",
    // Outside of any `test/` folder, so the types are named from here.
    typeRoots: [relative(WORK, join(ROOT, "node_modules", "@types"))],
  },
  include: ["*.ts"],
};

const examples = await collectExamples();

describe("the examples of every README", () => {
  beforeAll(async () => {
    await rm(WORK, { recursive: true, force: true });
    await mkdir(WORK, { recursive: true });
    await installLevel();
    await writeFile(join(WORK, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(WORK, "tsconfig.json"), JSON.stringify(TSCONFIG));
    for (const { file, source } of examples) await writeFile(join(WORK, file), source);
  });

  afterAll(() => rm(WORK, { recursive: true, force: true }));

  test("compile under the strict settings of this project", async () => {
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const { stdout } = await run(tsc, ["-p", WORK]).catch((error: { stdout: string }) => ({
      stdout: error.stdout,
    }));
    expect(stdout).toBe("");
  }, 60_000);

  for (const { name, file, source } of examples) {
    test(`${name} runs and prints what it says`, async () => {
      const cwd = await mkdtemp(join(tmpdir(), "kaya-example-"));
      try {
        const script = join(WORK, "out", file.replace(/\.ts$/, ".js"));
        const { stdout } = await run(process.execPath, [script], { cwd });
        const promised = promisedOutput(source);
        expect(stdout.split("\n").filter((line) => promised.includes(line))).toEqual(promised);
      } finally {
        await rm(cwd, { recursive: true, force: true });
      }
    }, 60_000);
  }

  test("there is at least one for every package that is imported", () => {
    const covered = new Set(examples.map(({ name }) => dirname(name.split(",")[0] ?? "")));
    for (const name of ["core", "io", "wal", "engine", "level"])
      expect(covered).toContain(`packages/${name}`);
  });
});
