import { execFile } from "node:child_process";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { allBlocks, isProgram, ROOT } from "./documents.js";

const run = promisify(execFile);

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** A program of a document. */
export interface Example {
  readonly document: string;
  readonly name: string;
  readonly source: string;
  /** Its name where the programs are compiled. One that begins with a comment like `// job-queue.ts` is a module, which others import by that name. */
  readonly file: string;
  readonly isModule: boolean;
}

export async function collectExamples(): Promise<Example[]> {
  const numbers = new Map<string, number>();
  return (await allBlocks()).filter(isProgram).map(({ document, text }) => {
    const number = (numbers.get(document) ?? 0) + 1;
    numbers.set(document, number);
    const name = `${document}, example ${number}`;
    const module = /^\/\/ ([a-z-]+\.ts)\n/.exec(text)?.[1];
    const file = module ?? `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}.ts`;
    return { document, name, source: text, file, isModule: module !== undefined };
  });
}

/** A directory in which programs are compiled, inside the package, so that they resolve `@kaya/*` as a user's file would. */
export class ProgramDirectory {
  readonly path: string;

  /** @param name one that no other test has */
  constructor(name: string) {
    this.path = join(PACKAGE, "node_modules", name);
  }

  /** Writes TypeScript files, and what compiles them. */
  async write(files: Iterable<{ readonly file: string; readonly source: string }>): Promise<void> {
    await this.remove();
    await mkdir(this.path, { recursive: true });
    await this.#installOthers();
    await writeFile(join(this.path, "package.json"), JSON.stringify({ type: "module" }));
    await writeFile(join(this.path, "tsconfig.json"), JSON.stringify(this.#tsconfig()));
    for (const { file, source } of files) await writeFile(join(this.path, file), source, { flag: "wx" });
  }

  /** What the compiler says; "" where it is content. */
  async compile(): Promise<string> {
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    const { stdout } = await run(tsc, ["-p", this.path]).catch((error: { stdout: string }) => ({
      stdout: error.stdout,
    }));
    return stdout;
  }

  /** What a file was compiled into. */
  script(file: string): string {
    return join(this.path, "out", file.replace(/\.ts$/, ".js"));
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }

  /** What examples need and this package does not have: a package of a layer beside this one, and what they use with others. */
  async #installOthers(): Promise<void> {
    const packages = join(ROOT, "packages");
    const modules = join(this.path, "node_modules");
    await mkdir(join(modules, "@kaya"), { recursive: true });
    await symlink(join(packages, "level"), join(modules, "@kaya", "level"), "junction");
    for (const [of, name] of [
      ["level", "classic-level"],
      ["level", "level"],
      ["engine", "zod"],
      ["engine", "@opentelemetry"],
    ] as const)
      await symlink(join(packages, of, "node_modules", name), join(modules, name), "junction");
  }

  #tsconfig() {
    return {
      extends: relative(this.path, join(ROOT, "tsconfig.base.json")),
      compilerOptions: {
        composite: false,
        declaration: false,
        declarationMap: false,
        noUnusedLocals: false,
        rootDir: ".",
        outDir: "out",
        skipLibCheck: true,
        // Outside of any `test/` folder, so the types are named from here.
        typeRoots: [relative(this.path, join(ROOT, "node_modules", "@types"))],
      },
      include: ["*.ts"],
    };
  }
}
