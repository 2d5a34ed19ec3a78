import { execFile } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { allBlocks, isSession, ROOT } from "./documents.js";
import { BIN, temporaryDirectory } from "./helpers.js";

interface Entry {
  readonly command: string;
  readonly output: string;
}

/** The sessions of each document, one behind the other: what is typed, and what it says that it prints. */
async function sessions(): Promise<ReadonlyMap<string, readonly Entry[]>> {
  const byDocument = new Map<string, Entry[]>();
  for (const block of (await allBlocks()).filter(isSession)) {
    const entries = block.text
      .split(/^\$ /m)
      .slice(1)
      .map((entry) => ({
        command: entry.slice(0, entry.indexOf("\n")),
        output: entry.slice(entry.indexOf("\n") + 1),
      }));
    byDocument.set(block.document, [...(byDocument.get(block.document) ?? []), ...entries]);
  }
  return byDocument;
}

/** Without times, and without the part of a name that is drawn by lot. */
function lasting(output: string): string {
  return output.replace(/[\d.]+ m?s$/gm, "TIME").replace(/(?<=\.wal\.\d+-\d+\.)[0-9a-f]{8}/g, "LOT");
}

const all = await sessions();

describe("what is shown of a terminal is what it prints", () => {
  for (const [document, entries] of all) {
    test(`in ${document}`, { timeout: 600_000 }, async () => {
      const directory = await temporaryDirectory();
      const shims = join(directory, "bin");
      const work = join(directory, "work");
      await mkdir(shims);
      await mkdir(work);
      await writeFile(join(shims, "kayactl"), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
      await chmod(join(shims, "kayactl"), 0o755);
      await symlink(join(ROOT, "packages/kayactl/node_modules"), join(work, "node_modules")); // what programs import
      const env = { ...process.env, PATH: `${shims}${delimiter}${process.env.PATH}` };
      for (const { command, output } of entries) {
        const { stdout } = await promisify(execFile)("sh", ["-c", `exec 2>&1; ${command}`], {
          cwd: work,
          env,
        }).catch(
          (error: { stdout: string }) => error, // a command may fail: what it prints is compared all the same
        );
        expect(`$ ${command}\n${lasting(stdout)}`).toBe(`$ ${command}\n${lasting(output)}`);
      }
    });
  }

  test("there are some in the READMEs of the project and of kayactl, and in docs/operations.md", () => {
    expect([...all.keys()]).toEqual(
      expect.arrayContaining(["README.md", "docs/operations.md", "packages/kayactl/README.md"]),
    );
    expect(all.get("packages/kayactl/README.md")?.length).toBeGreaterThan(20);
  });
});
