// Publishes every package whose version is not in the registry yet: what the tests packed, with links that work on npm. The rest of a release is in
// CONTRIBUTING.md. With `--check` it only says whether there could be one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LAYERS } from "../check-layers.mjs";
import { packPackages, publicPackages, ROOT, readManifest, run } from "../packed/packages.mjs";
import { makeLinksAbsolute } from "./absolute-links.mjs";
import { readIdentity, staleFiles, whyNotReleasable } from "./identity.mjs";

/** One sentence; undefined where nothing is in the way. */
function whyNot(identity) {
  const stale = staleFiles(ROOT).map(({ file }) => file);
  const { version } = readManifest(join(ROOT, "packages/core"));
  if (whyNotReleasable(identity) !== undefined) return whyNotReleasable(identity);
  if (stale.length > 0)
    return `${stale.join(", ")} differ from .ci/identity.json: run \`node .ci/release/identity.mjs\`, and commit.`;
  if (version === "0.0.0")
    return "the packages have version 0.0.0: run `npx pnpm@10 bump`, read CHANGELOG.md, and commit.";
  return undefined;
}

function isPublished(specifier) {
  try {
    return run("npm", ["view", specifier, "version"]).trim() !== "";
  } catch (error) {
    if (/E404/.test(error.message)) return false;
    throw error;
  }
}

function main(isCheck) {
  const identity = readIdentity(ROOT);
  const reason = whyNot(identity);
  if (reason !== undefined) {
    console.error(`cannot release: ${reason}`);
    process.exitCode = 1;
    return;
  }
  if (isCheck) return;
  const missing = publicPackages().filter(({ manifest: { name, version } }) => {
    const isThere = isPublished(`${name}@${version}`);
    if (isThere) console.log(`${name} ${version} is there`);
    return !isThere;
  });
  if (missing.length > 0) publish(missing, identity);
}

/** In an order in which each comes behind what it needs: an installation meanwhile finds all of it. */
function publish(missing, { repository }) {
  const work = mkdtempSync(join(tmpdir(), "kaya-release-"));
  try {
    const packed = new Map(packPackages(work).map((each) => [each.manifest.name, each.unpacked]));
    const order = LAYERS.flat();
    const inOrder = missing.toSorted((a, b) => order.indexOf(a.folder) - order.indexOf(b.folder));
    for (const { folder, manifest } of inOrder) {
      const unpacked = packed.get(manifest.name);
      makeLinksAbsolute(unpacked, `packages/${folder}`, repository);
      run("npm", ["publish", unpacked], { stdio: "inherit" }); // it may ask for a one-time password
      console.log(`published ${manifest.name} ${manifest.version}`);
    }
  } finally {
    rmSync(work, { recursive: true });
  }
}

main(process.argv.includes("--check"));
