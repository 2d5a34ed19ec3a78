// An empty project that the tarballs are installed into: by npm, as a user would, but without a network.
import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
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
  const ours = new Set(packages.map(({ manifest }) => manifest.name));
  const found = new Map();
  const visit = (manifest, nodeModules) => {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifest;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
      // npm installs it only where the project asks for it.
      if (peerDependenciesMeta?.[name]?.optional) continue;
      const place = join(nodeModules, name);
      if (ours.has(name) || found.has(name) || !existsSync(place)) continue;
      const dir = realpathSync(place);
      found.set(name, dir);
      // pnpm puts what a package needs beside the package itself.
      visit(readManifest(dir), dir.slice(0, -name.length));
    }
  };
  for (const { dir, manifest } of packages) visit(manifest, join(dir, "node_modules"));
  visit({ dependencies: { [NODE_TYPES]: "*" } }, join(ROOT, "node_modules"));
  return found;
}

function packInstalled(installed, work) {
  const args = ["pack", "--silent", "--ignore-scripts", "--pack-destination", work, ...installed.values()];
  const tarballs = run("npm", args).trim().split("\n");
  return Object.fromEntries(
    [...installed.keys()].map((name, i) => [name, `file:${join(work, tarballs[i])}`]),
  );
}
