// What the programs in this folder share. Each is run against one copy of the packages: `node PROGRAM.mjs <root of the copy>`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = process.argv[2];

/**
 * A package of the copy that is looked at.
 * @param {string} name without its scope
 */
export function load(name) {
  if (root === undefined) throw new Error("usage: node PROGRAM.mjs <root of a copy of the packages>");
  return import(pathToFileURL(join(root, "node_modules/@kaya", name, "dist/index.js")).href);
}

/**
 * Gives a directory that is removed when the program ends.
 * @returns {string}
 */
export function temporaryDirectory() {
  const dir = mkdtempSync(join(tmpdir(), "kaya-real-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/**
 * Ends the program where this machine cannot show what it looks for. Nothing is proved then.
 * @param {string} why
 * @returns {never}
 */
export function skip(why) {
  console.log(`skipped: ${why}`);
  process.exit(0);
}

/**
 * @param {unknown} holds
 * @param {string} what the promise that is broken where it does not hold
 */
export function mustHold(holds, what) {
  if (!holds) throw new Error(what);
}
