// Writes CHANGELOG.md of the repository from those of the packages: a section for each version, and in it what each package tells of it.
// `npx pnpm@10 bump` runs it behind `changeset version`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** In the order in which a reader meets them. */
const PACKAGES = ["engine", "kayactl", "level", "cluster", "wal", "lsm", "io", "core", "sim"];
const HEAD = "# Changelog\n\nAll packages are released together, under one version.\n";

/** The sections of a package's changelog: for each version its entries, without the headings of changesets. */
function sectionsOf(text) {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [version = "", ...lines] = section.split("\n");
      const entries = lines
        .filter((line) => !/^### |^- Released with /.test(line))
        .join("\n")
        .replaceAll(/\n{3,}/g, "\n\n")
        .trim();
      return { version: version.trim(), entries };
    });
}

/** @param changelogs texts by the folder of their package */
export function joinChangelogs(changelogs) {
  const versions = new Map();
  for (const [folder, text] of changelogs) {
    for (const { version, entries } of sectionsOf(text)) {
      const told = versions.get(version) ?? [];
      if (entries !== "") told.push(`### @kaya/${folder}\n\n${entries}\n`);
      versions.set(version, told);
    }
  }
  // Each package has all versions, newest first.
  const sections = [...versions].map(([version, told]) => [`## ${version}\n`, ...told].join("\n"));
  return [HEAD, ...sections].join("\n");
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) {
  const root = join(dirname(self), "../..");
  const files = PACKAGES.map((folder) => [folder, join(root, "packages", folder, "CHANGELOG.md")]);
  const found = files.filter(([, file]) => existsSync(file));
  if (found.length === 0) throw new Error("no package has a CHANGELOG.md: run `changeset version` first");
  const changelogs = found.map(([folder, file]) => [folder, readFileSync(file, "utf8")]);
  writeFileSync(join(root, "CHANGELOG.md"), joinChangelogs(changelogs));
}
