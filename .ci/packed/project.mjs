// An empty project that the tarballs are installed into: by npm, as a user would, but without a network.
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, readManifest, run } from "./packages.mjs";

const NODE_TYPES = "@types/node";

/**
 * What the packages need from others is packed from this workspace's own installation, so nothing is downloaded. Optional
 * dependencies that are not there are for other platforms, and npm leaves them out as it does anywhere.
 *
 * @returns {string} the project's directory
 */
export function installInEmptyProject(packages, work) {
  const ours = Object.fromEntries(
    packages.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  );
  const others = packInstalled(installedDependencies(packages), work);
  const manifest = {
    name: "project",
    version: "1.0.0",
    private: true,
    dependencies: { ...ours, [NODE_TYPES]: others[NODE_TYPES] },
    // Also for what they need of each other: none of it is in a registry.
    overrides: { ...others, ...ours },
  };
  const project = join(work, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  // A cache of its own, empty: what this machine happens to have must not help.
  const offline = ["--offline", "--cache", join(work, "npm-cache")];
  run("npm", ["install", ...offline, "--no-audit", "--no-fund"], { cwd: project });
  return project;
}

/** Directories, by name, of all that the packages need from others, directly or not, and of Node's types. */
function installedDependencies(packages) {
  const found = new Map();
  for (const dir of installedDirectories(packages)) {
    const { name } = readManifest(dir);
    if (!found.has(name)) found.set(name, dir);
  }
  return found;
}

/** The same without names: a package may be there in several versions. */
export function installedDirectories(packages) {
  const ours = new Set(packages.map(({ manifest }) => manifest.name));
  const found = new Set();
  const visit = (manifest, nodeModules) => {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      // npm installs it only where the project asks for it.
      if (peerDependenciesMeta?.[name]?.optional) continue;
      const place = join(nodeModules, name);
      if (ours.has(name) || !existsSync(place)) continue;
      const dir = realpathSync(place);
      if (found.has(dir)) continue;
      found.add(dir);
      // pnpm puts what a package needs beside the package itself.
      visit(readManifest(dir), dir.slice(0, -name.length));
    }
  };
  for (const { dir, manifest } of packages) visit(manifest, join(dir, "node_modules"));
  visit({ dependencies: { [NODE_TYPES]: "*" } }, join(ROOT, "node_modules"));
  return [...found];
}

function packInstalled(installed, work) {
  const tarballs = packDirectories([...installed.values()], work);
  return Object.fromEntries([...installed.keys()].map((name, i) => [name, `file:${tarballs[i]}`]));
}

/**
 * Paths of the tarballs that npm makes of directories. npm packs copies: pnpm hard-links two equal files of a package to one file, and npm 11
 * fails on a package with such links ("zlib: stream error", and with --silent without a word).
 */
export function packDirectories(directories, work) {
  mkdirSync(work, { recursive: true });
  const copies = mkdtempSync(join(work, "to-pack-"));
  const copied = directories.map((dir, i) => {
    const copy = join(copies, String(i));
    cpSync(dir, copy, { recursive: true });
    return copy;
  });
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", work, ...copied];
  return run("npm", args)
    .trim()
    .split("\n")
    .map((tarball) => join(work, tarball));
}
