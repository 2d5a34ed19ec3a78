import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = fileURLToPath(new URL("../../", import.meta.url));
const COPIED = ["core", "io", "wal", "lsm", "engine", "sim", "cluster"];
const SCOPE = "@kaya";

/** The piece of code that a mutant replaces is not there, or is there more than once: the mutant must be looked at again. */
export class StaleMutantError extends Error {
  name = "StaleMutantError";
}

/**
 * Copies the built packages below `root` in such a way that they find each other there and nothing else.
 *
 * @param {string} root
 */
export function makeCopy(root) {
  for (const name of COPIED) copyPackage(name, join(root, "node_modules", SCOPE, name));
}

/**
 * Those of the mutants whose piece of code is not in the built packages, as messages.
 *
 * @param {readonly import("./mutants.mjs").Mutant[]} mutants
 * @returns {string[]}
 */
export function staleMutants(mutants) {
  return mutants.flatMap((mutant) => {
    try {
      for (const piece of piecesOf(mutant)) {
        const [name, ...rest] = piece.file.split("/");
        patch(readFileSync(join(PACKAGES, name, ...rest), "utf8"), piece);
      }
      return [];
    } catch (error) {
      return [`${mutant.name}: ${error.message}`];
    }
  });
}

/**
 * Gives a copy another name, and puts a bug into it there.
 *
 * @param {string} source
 * @param {string} root
 * @param {import("./mutants.mjs").Mutant | undefined} mutant undefined for a copy as it is
 */
export function makePatchedCopy(source, root, mutant) {
  linkTree(source, root);
  if (mutant === undefined) return;
  for (const piece of piecesOf(mutant)) {
    const file = join(root, "node_modules", SCOPE, piece.file);
    const patched = patch(readFileSync(file, "utf8"), piece);
    rmSync(file); // the name alone: the file itself belongs to the source
    writeFileSync(file, patched);
  }
}

/** The same tree under another name, with hard links for its files: hundreds are made in the time that copying one takes. */
function linkTree(source, target) {
  mkdirSync(target, { recursive: true });
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) linkTree(from, to);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else linkSync(from, to);
  }
}

/** @param {import("./mutants.mjs").Mutant} mutant */
function piecesOf(mutant) {
  return [mutant, ...(mutant.also ?? [])];
}

/**
 * @param {string} code
 * @param {import("./mutants.mjs").Patch & { readonly append?: string }} piece
 */
export function patch(code, { file, find, replace, append = "" }) {
  const [before, ...behind] = code.split(find);
  if (behind.length === 1) return `${before}${replace}${behind[0]}${append}`;
  throw new StaleMutantError(`${file} has ${behind.length} of: ${find}`);
}

function copyPackage(name, target) {
  const source = join(PACKAGES, name);
  mkdirSync(target, { recursive: true });
  cpSync(join(source, "package.json"), join(target, "package.json"));
  // What it is built with is of no use here, and it is most of the files.
  const filter = (path) => !/\.(map|d\.ts|tsbuildinfo)$|\/dist\/cjs$/.test(path);
  cpSync(join(source, "dist"), join(target, "dist"), { recursive: true, filter });
  const dependencies = join(source, "node_modules");
  if (!existsSync(dependencies)) return;
  mkdirSync(join(target, "node_modules"));
  for (const dependency of readdirSync(dependencies)) {
    if (dependency === SCOPE || dependency.startsWith(".")) continue;
    symlinkSync(join(dependencies, dependency), join(target, "node_modules", dependency));
  }
}
