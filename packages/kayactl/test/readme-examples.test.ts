import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allBlocks, documents, isProgram, ROOT } from "./documents.js";

const run = promisify(execFile);

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
// Inside the package, so that the examples resolve `@kaya/*` as a user's file would.
const WORK = join(PACKAGE, "node_modules", ".examples");

interface Example {
  readonly document: string;
  readonly name: string;
  readonly source: string;
  readonly file: string;
}

async function collectExamples(): Promise<Example[]> {
  const numbers = new Map<string, number>();
  return (await allBlocks()).filter(isProgram).map(({ document, text }) => {
    const number = (numbers.get(document) ?? 0) + 1;
    numbers.set(document, number);
    const name = `${document}, example ${number}`;
    return { document, name, source: text, file: `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}.ts` };
  });
}

/** What an example says that it prints: the text behind `// =>`, in order. */
function promisedOutput(source: string): string[] {
  return [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => (match[1] ?? "").trim());
}

/** What examples need and this package does not have: a package of a layer beside this one, and what they use with others. */
async function installOthers(): Promise<void> {
  const packages = join(ROOT, "packages");
  const modules = join(WORK, "node_modules");
  await mkdir(join(modules, "@kaya"), { recursive: true });
  await symlink(join(packages, "level"), join(modules, "@kaya", "level"), "junction");
  for (const [of, name] of [
    ["level", "classic-level"],
    ["level", "level"],
    ["engine", "zod"],
  ] as const)
    await symlink(join(packages, of, "node_modules", name), join(modules, name), "junction");
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

describe("the programs in the documents", () => {
  beforeAll(async () => {
    await rm(WORK, { recursive: true, force: true });
    await mkdir(WORK, { recursive: true });
    await installOthers();
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

  test("there is at least one for every package that is imported, and for every example", async () => {
    const covered = new Set(examples.map(({ document }) => document));
    const packages = ["core", "io", "wal", "engine", "level"].map((name) => `packages/${name}/README.md`);
    const programs = (await documents()).filter((document) => document.startsWith("docs/examples/"));
    for (const document of ["README.md", ...packages, ...programs]) expect(covered).toContain(document);
  });
});
