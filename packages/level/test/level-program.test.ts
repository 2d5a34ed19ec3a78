import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryLocations } from "./support/temporary-directory.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = join(PACKAGE, "test", "support", "level-program.mjs");
const ITS_LINE = 'import { Level } from "level";';
const OUR_LINE = 'import { KayaLevel as Level } from "@kaya/level";';

const newDirectory = temporaryLocations();

/** Runs it in a directory of its own, where both packages are installed. */
async function outputOf(program: string): Promise<string> {
  const directory = newDirectory();
  await install(join(PACKAGE, "node_modules", "level"), join(directory, "node_modules", "level"));
  await install(PACKAGE, join(directory, "node_modules", "@kaya", "level"));
  await writeFile(join(directory, "program.mjs"), program);
  const { stdout } = await promisify(execFile)(process.execPath, ["program.mjs"], { cwd: directory });
  return stdout;
}

async function install(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await symlink(from, to, "junction");
}

test("a program for level says the same over KayaLevel, with one line changed", async () => {
  const program = await readFile(PROGRAM, "utf8");
  expect(program.split(ITS_LINE).length).toBe(2);
  const [expected, actual] = [await outputOf(program), await outputOf(program.replace(ITS_LINE, OUR_LINE))];
  expect(expected.split("\n").length).toBeGreaterThan(30);
  expect(actual).toBe(expected);
}, 60_000);
