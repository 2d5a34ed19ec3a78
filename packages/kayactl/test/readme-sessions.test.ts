import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { BIN, temporaryDirectory } from "./helpers.js";

const README = new URL("../README.md", import.meta.url);

/** The sessions of the README, one behind the other: what is typed, and what it says that it prints. */
async function sessions(): Promise<{ command: string; output: string }[]> {
  const blocks = [...(await readFile(README, "utf8")).matchAll(/^```text\n(.*?)^```$/gms)];
  return blocks.flatMap(([, block = ""]) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((entry) => ({
        command: entry.slice(0, entry.indexOf("\n")),
        output: entry.slice(entry.indexOf("\n") + 1),
      })),
  );
}

/** Without times, and without the part of a name that is drawn by lot. */
function lasting(output: string): string {
  return output.replace(/[\d.]+ m?s$/gm, "TIME").replace(/(?<=\.wal\.\d+-\d+\.)[0-9a-f]{8}/g, "LOT");
}

test("the README's sessions print what they say", { timeout: 120_000 }, async () => {
  const directory = await temporaryDirectory();
  const shims = join(directory, "bin");
  const work = join(directory, "work");
  await mkdir(shims);
  await mkdir(work);
  await writeFile(join(shims, "kayactl"), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
  await chmod(join(shims, "kayactl"), 0o755);
  const env = { ...process.env, PATH: `${shims}${delimiter}${process.env.PATH}` };
  const entries = await sessions();
  expect(entries.length).toBeGreaterThan(20);
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
