// The packages as their users get them: the tarballs that a release would upload, and what is in them.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Those in packages/ that a release publishes: all that are not private. */
export function publicPackages() {
  return readdirSync(join(ROOT, "packages"))
    .map((folder) => ({ folder, dir: join(ROOT, "packages", folder) }))
    .filter(({ dir }) => existsSync(join(dir, "package.json")))
    .map((each) => ({ ...each, manifest: readManifest(each.dir) }))
    .filter(({ manifest }) => !manifest.private);
}

/** Packs every package that a release publishes as it is built now. */
export function packPackages(destination) {
  const packages = publicPackages();
  const filters = packages.flatMap(({ manifest }) => ["--filter", manifest.name]);
  const answer = run("pnpm", [...filters, "pack", "--json", "--pack-destination", destination], {
    cwd: ROOT,
  });
  const tarballs = new Map(JSON.parse(answer).map(({ name, filename }) => [name, filename]));
  return packages.map(({ dir, manifest: { name } }) => {
    const tarball = tarballs.get(name);
    const unpacked = unpack(tarball);
    return { dir, tarball, unpacked, manifest: readManifest(unpacked), files: filesIn(unpacked) };
  });
}

export function readManifest(dir) {
  return JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
}

/** The path of a tool that this workspace depends on. */
export function tool(name) {
  return join(ROOT, "node_modules", ".bin", name);
}

/** What a command prints on standard output. Where it fails, the error has all that it printed. */
export function run(command, args, options) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: "pipe", ...options });
  } catch ({ message, stdout, stderr }) {
    throw new Error([message, stdout, stderr].join("\n"));
  }
}

function unpack(tarball) {
  const directory = tarball.replace(/\.tgz$/, "");
  mkdirSync(directory);
  run("tar", ["-xzf", tarball, "-C", directory]);
  return join(directory, "package");
}

/** Paths below `dir`, with slashes, in order. */
function filesIn(dir, prefix = "") {
  return readdirSync(join(dir, prefix), { withFileTypes: true })
    .flatMap((entry) => {
      const path = prefix + entry.name;
      return entry.isDirectory() ? filesIn(dir, `${path}/`) : [path];
    })
    .sort();
}
