import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documents } from "./documents.js";
import { collectExamples, ProgramDirectory } from "./example-programs.js";

const run = promisify(execFile);

/** What an example says that it prints: the text behind `// =>`, in order. */
function promisedOutput(source: string): string[] {
  return [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => (match[1] ?? "").trim());
}

const examples = await collectExamples();
const programs = new ProgramDirectory(".examples");

describe("the programs in the documents", () => {
  beforeAll(() => programs.write(examples));
  afterAll(() => programs.remove());

  test("compile under the strict settings of this project", async () => {
    expect(await programs.compile()).toBe("");
  }, 60_000);

  for (const { name, file, source, isModule } of examples) {
    if (isModule) continue; // the next program uses it
    test(`${name} runs and prints what it says`, async () => {
      const cwd = await mkdtemp(join(tmpdir(), "kaya-example-"));
      try {
        const { stdout } = await run(process.execPath, [programs.script(file)], { cwd });
        const promised = promisedOutput(source);
        expect(stdout.split("\n").filter((line) => promised.includes(line))).toEqual(promised);
      } finally {
        await rm(cwd, { recursive: true, force: true });
      }
    }, 60_000);
  }

  test("there is at least one for every package that is imported, and for every example", async () => {
    const covered = new Set(examples.map(({ document }) => document));
    const packages = ["core", "io", "wal", "engine", "level", "cluster"].map(
      (name) => `packages/${name}/README.md`,
    );
    const programs = (await documents()).filter((document) => document.startsWith("docs/examples/"));
    for (const document of ["README.md", ...packages, ...programs]) expect(covered).toContain(document);
  });

  test("modules of the examples are used by the next program of their page", () => {
    for (const [index, { isModule, document, file }] of examples.entries()) {
      if (!isModule) continue;
      const next = examples[index + 1];
      expect(next?.document, file).toBe(document);
      expect(next?.source, file).toContain(`from "./${file.replace(/\.ts$/, ".js")}"`);
    }
  });
});
