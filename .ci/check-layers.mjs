// Keeps the packages in their order: each may use only those of earlier layers, by their public names, and depends on none that it does not use.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { readSource } from "./source-imports.mjs";

const SCOPE = "@kaya/";

/** From the bottom up. Packages of one layer do not know each other. */
export const LAYERS = [
  ["core"],
  ["io"],
  ["wal"],
  ["lsm"],
  ["engine"],
  ["sim"],
  ["level", "cluster"],
  ["kayactl", "bench"],
];

const RUNTIME_FIELDS = ["dependencies", "peerDependencies", "optionalDependencies"];
const DEPENDENCY_FIELDS = [...RUNTIME_FIELDS, "devDependencies"];

/**
 * @param {string} root the repository
 * @returns {{ violations: string[], packages: number, files: number }}
 */
export function checkLayers(root) {
  const packages = readPackages(root);
  const byName = new Map(packages.map((pkg) => [pkg.manifest.name, pkg]));
  const violations = packages.flatMap(checkManifest);
  let files = 0;
  for (const pkg of packages) {
    for (const area of ["src", "test"]) {
      for (const file of sourceFiles(join(pkg.dir, area))) {
        violations.push(...checkFile({ pkg, area, file, byName }));
        files++;
      }
    }
    violations.push(...checkUnused(pkg));
  }
  return { violations: violations.map((found) => format(root, found)), packages: packages.length, files };
}

function readPackages(root) {
  const packagesDir = join(root, "packages");
  return readdirSync(packagesDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(packagesDir, entry.name, "package.json")))
    .map((entry) => {
      const dir = join(packagesDir, entry.name);
      const manifestFile = join(dir, "package.json");
      const manifestText = readFileSync(manifestFile, "utf8");
      const manifest = JSON.parse(manifestText);
      return { folder: entry.name, dir, manifestFile, manifestText, manifest, used: new Set() };
    });
}

function sourceFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.([cm]?ts|tsx)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !relative(dir, file).split(sep).includes("node_modules"))
    .sort();
}

function checkManifest(pkg) {
  const at = (line, message) => ({ file: pkg.manifestFile, line, message });
  const { name } = pkg.manifest;
  if (layerOf(name) === -1) return [at(lineOf(pkg, "name"), `${name} is unknown: add it to the layer order`)];
  const violations = [];
  if (name !== SCOPE + pkg.folder) {
    violations.push(at(lineOf(pkg, "name"), `${name} does not belong in packages/${pkg.folder}`));
  }
  for (const field of DEPENDENCY_FIELDS) {
    for (const dependency of Object.keys(pkg.manifest[field] ?? {}).filter((key) => key.startsWith(SCOPE))) {
      const message = layerViolation(name, dependency);
      if (message) violations.push(at(lineOf(pkg, field, dependency), `${field}: ${message}`));
    }
  }
  return violations;
}

/** Whoever installs a package gets its dependencies too. */
function checkUnused(pkg) {
  return Object.keys(pkg.manifest.dependencies ?? {})
    .filter((name) => name.startsWith(SCOPE) && !pkg.used.has(name))
    .filter((name) => layerViolation(pkg.manifest.name, name) === undefined)
    .map((name) => ({
      file: pkg.manifestFile,
      line: lineOf(pkg, "dependencies", name),
      message: `dependencies: nothing in src uses ${name}`,
    }));
}

function checkFile(context) {
  const { pkg, area, file } = context;
  const at = (line, message) => ({ file, line, message });
  let source;
  try {
    source = readSource(readFileSync(file, "utf8"), file.endsWith(".tsx") ? "tsx" : "ts");
  } catch (error) {
    return [at(error.loc?.line ?? 1, `does not parse: ${error.message.split("\n")[1] ?? error.message}`)];
  }
  const violations = [];
  for (const { specifier, line } of source.imports) {
    if (area === "src") pkg.used.add(specifier.split("/", 2).join("/"));
    const message = specifierViolation(specifier, context);
    if (message) violations.push(at(line, message));
  }
  if (area === "src" && relative(pkg.dir, file) === join("src", "index.ts")) {
    violations.push(...source.ownCode.map((line) => at(line, "src/index.ts may hold only re-exports")));
  }
  return violations;
}

function specifierViolation(specifier, context) {
  if (specifier.startsWith(SCOPE)) return packageViolation(specifier, context);
  return /^(\.{0,2}\/|\.{1,2}$)/.test(specifier) ? pathViolation(specifier, context) : undefined;
}

/** Sources stay in their own src; tests may reach anything of their own package, and no other one. */
function pathViolation(specifier, { pkg, area, file }) {
  const fence = area === "src" ? join(pkg.dir, "src") : pkg.dir;
  const target = resolve(dirname(file), specifier);
  if (target === fence || target.startsWith(fence + sep)) return undefined;
  const what = area === "src" ? "the package's src" : "the package: import other packages by name";
  return `"${specifier}" leaves ${what}`;
}

function packageViolation(specifier, { pkg, area, byName }) {
  const [scope, folder, ...rest] = specifier.split("/");
  const name = `${scope}/${folder}`;
  // A test may look at its own package as its users see it.
  const isOwnTest = area === "test" && name === pkg.manifest.name;
  if (!isOwnTest) {
    const message = layerViolation(pkg.manifest.name, name) ?? undeclared(pkg, area, name);
    if (message) return message;
  }
  const subpath = [".", ...rest].join("/");
  const target = byName.get(name);
  if (target === undefined || exportedSubpaths(target.manifest).includes(subpath)) return undefined;
  return `"${specifier}" is a deep import: ${name} exports ${exportedSubpaths(target.manifest).join(", ")}`;
}

function undeclared(pkg, area, name) {
  const fields = area === "src" ? RUNTIME_FIELDS : DEPENDENCY_FIELDS;
  if (fields.some((field) => pkg.manifest[field]?.[name] !== undefined)) return undefined;
  return `${name} is not declared in the package's ${area === "src" ? "dependencies" : "package.json"}`;
}

function exportedSubpaths(manifest) {
  const keys = typeof manifest.exports === "object" ? Object.keys(manifest.exports ?? {}) : [];
  const subpaths = keys.filter((key) => key.startsWith("."));
  return subpaths.length > 0 ? subpaths : ["."];
}

function layerViolation(from, to) {
  if (layerOf(to) === -1) return `${to} is unknown: add it to the layer order`;
  if (from === to) return `${from} must not use itself by name`;
  // An unknown package is told about once, at its name.
  if (layerOf(from) === -1 || layerOf(to) < layerOf(from)) return undefined;
  const relation = layerOf(to) === layerOf(from) ? "of the same layer" : "of a later layer";
  return `${from} must not use ${to}, which is ${relation}`;
}

function layerOf(name) {
  return LAYERS.findIndex((layer) => layer.some((folder) => SCOPE + folder === name));
}

/** The line of the last of `keys`, each looked for behind the one before it. */
function lineOf({ manifestText }, ...keys) {
  let position = 0;
  for (const key of keys) position = Math.max(position, manifestText.indexOf(`"${key}":`, position));
  return lineAt(manifestText, position);
}

function lineAt(text, position) {
  return text.slice(0, position).split("\n").length;
}

function format(root, { file, line, message }) {
  return `${relative(root, file).split(sep).join("/")}:${line}  ${message}`;
}

function main(root) {
  const { violations, packages, files } = checkLayers(root);
  if (violations.length === 0) return console.log(`layers ok: ${packages} packages, ${files} files`);
  for (const violation of violations) console.log(violation);
  process.exitCode = 1;
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) main(process.argv[2] ?? join(dirname(self), ".."));
