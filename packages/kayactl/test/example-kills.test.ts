import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectExamples, ProgramDirectory } from "./example-programs.js";

const KILLS = 3;
/** A process is killed when it has said up to so many lines. It goes on while they arrive, so that is any moment. */
const MOST_LINES = 60;

const KILLED = fileURLToPath(new URL("./killed", import.meta.url));
const files = (await readdir(KILLED)).filter((file) => file.endsWith(".ts"));
/** Kills of nodes are in the tests of @kaya/cluster. */
const STORES_NOTHING = ["cluster-forwarder.ts"];
const modules = (await collectExamples()).filter(
  ({ isModule, file }) => isModule && !STORES_NOTHING.includes(file),
);
const programs = new ProgramDirectory(".killed");

let root = "";

/** A process with an example at work. */
async function runUntil(args: readonly string[], lines: number): Promise<{ said: string[]; errors: string }> {
  const child = spawn(process.execPath, [programs.script("main.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  const said: string[] = [];
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const kill = () => said.length >= lines && child.kill("SIGKILL");
  // A line that the kill cut in two would be given too, without its end: none is longer than a pipe takes at once.
  createInterface(child.stdout).on("line", (line) => {
    said.push(line);
    kill();
  });
  const [code] = await closed;
  return { said, errors: code === null || code === 0 ? errors : `${errors}exit code ${code}` };
}

describe("an example whose process is killed at random moments", () => {
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "kaya-killed-"));
    const killed = files.map(async (file) => ({ file, source: await readFile(join(KILLED, file), "utf8") }));
    await programs.write([...modules, ...(await Promise.all(killed))]);
    expect(await programs.compile()).toBe("");
  });
  afterAll(async () => {
    await programs.remove();
    await rm(root, { recursive: true, force: true });
  });

  test("is every one that is a module", () => {
    const killed = files
      .filter((file) => file.endsWith(".killed.ts"))
      .map((file) => file.replace(".killed.ts", ".ts"));
    expect(killed.sort()).toEqual(modules.map(({ file }) => file).sort());
  });

  for (const { file } of modules) {
    const name = file.replace(/\.ts$/, "");
    test.concurrent(`keeps what it promises: ${name}`, async ({ expect }) => {
      const [dataDir, saidFile] = [join(root, name), join(root, `${name}.said`)];
      const all: string[] = [];
      for (let process = 0; process <= KILLS; process++) {
        await writeFile(saidFile, all.map((line) => `${line}\n`).join(""));
        const isLast = process === KILLS;
        const lines = 1 + Math.floor(Math.random() * MOST_LINES);
        const args = [name, dataDir, saidFile, ...(isLast ? ["last"] : [])];
        const { said, errors } = await runUntil(args, isLast ? Infinity : lines);
        expect(errors, `process ${process}, killed after ${lines} lines`).toBe("");
        if (!isLast) expect(said.length).toBeGreaterThanOrEqual(lines);
        all.push(...said);
      }
    });
  }
});
