// Which documents of the repository are pages of the site, where they stand there, and in which order.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** The order of a section's pages. A document that no section names stands at the end of the section that takes its folder. */
export const SECTIONS = [
  {
    title: "Start",
    pages: [
      "README.md",
      "docs/guarantees.md",
      "docs/coming-from.md",
      "docs/performance.md",
      "docs/benchmarks.md",
    ],
  },
  {
    title: "The store",
    pages: [
      "packages/engine/README.md",
      "packages/engine/VIEWS.md",
      "packages/engine/TUPLES.md",
      "packages/engine/READING.md",
      "packages/engine/WRITING.md",
      "packages/engine/TRANSACTIONS.md",
      "packages/engine/EXPIRY.md",
      "packages/engine/INDEXES.md",
      "packages/engine/WATCHING.md",
      "packages/engine/CHANGES.md",
      "packages/engine/BACKUP.md",
      "packages/engine/STATS.md",
      "packages/engine/METRICS.md",
      "packages/engine/BUNDLERS.md",
    ],
    takes: "packages/engine",
  },
  {
    title: "Running it",
    pages: [
      "docs/operations.md",
      "docs/cluster.md",
      "docs/runtimes.md",
      "docs/errors.md",
      "packages/engine/ERRORS.md",
      "packages/kayactl/README.md",
      "packages/kayactl/STUDIO.md",
      "packages/kayactl/MOVING.md",
      "packages/kayactl/JSON.md",
    ],
    takes: "docs",
  },
  { title: "Whole programs", pages: [], takes: "docs/examples" },
  {
    title: "Packages",
    pages: [
      "packages/core/README.md",
      "packages/io/README.md",
      "packages/wal/README.md",
      "packages/lsm/README.md",
      "packages/sim/README.md",
      "packages/level/README.md",
      "packages/cluster/README.md",
      "packages/cluster/REPLICATE.md",
    ],
    takes: "packages",
  },
  {
    title: "How it works",
    pages: [
      "docs/architecture.md",
      "docs/fault-model.md",
      "docs/memtable.md",
      "packages/engine/FLUSH.md",
      "packages/wal/FORMAT.md",
      "packages/lsm/TABLE.md",
      "packages/lsm/MANIFEST.md",
      "packages/cluster/ETCD.md",
      "docs/performance-notes.md",
    ],
  },
  { title: "Project", pages: ["CONTRIBUTING.md", "packages/bench/README.md"], takes: "." },
];

/**
 * All pages, by section. `source` is the document's path in the repository, `page` the path of the page without its
 * ending, `title` the document's first heading.
 */
export function sections() {
  const documents = new Set(repositoryDocuments());
  const listed = new Set(SECTIONS.flatMap(({ pages }) => pages));
  return SECTIONS.map(({ title, pages, takes }) => {
    const more = takes === undefined ? [] : [...documents].filter((source) => !listed.has(source));
    const taken = more.filter((source) => takes === sectionFolder(source));
    return {
      title,
      pages: [...pages.filter((source) => documents.has(source)), ...taken].map((source) => ({
        source,
        page: sitePath(source),
        title: titleOf(source),
      })),
    };
  });
}

/** The folder whose section takes a document that is not listed. */
function sectionFolder(source) {
  const folder = dirname(source);
  if (folder === "packages/engine" || !folder.startsWith("packages/")) return folder;
  return "packages";
}

/** Where the page of a document is, without its ending. */
export function sitePath(source) {
  const [name, ...folders] = source.replace(/\.md$/, "").split("/").reverse();
  const place =
    { "": "project", docs: "guide", "examples/docs": "examples" }[folders.join("/")] ?? folders[0];
  if (source === "README.md") return "guide/index";
  return `${place}/${name === "README" ? "index" : name.toLowerCase().replaceAll("_", "-")}`;
}

function titleOf(source) {
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(ROOT, source), "utf8")) ?? [];
  if (source === "README.md") return "Introduction";
  if (title === undefined)
    throw new Error(`${source} has no heading: give it one, it is the title of its page`);
  return title;
}

/** The documents that people read: the repository's own, those in docs/, and those of the packages. */
export function repositoryDocuments() {
  return files((name) => name.endsWith(".md") && name !== "CHANGELOG.md");
}

/** The pictures that stand beside documents. */
export function repositoryImages() {
  return files((name) => IMAGE.test(name));
}

export const IMAGE = /\.(?:svg|png|jpe?g|gif|webp)$/;

function files(isWanted) {
  const packages = readdirSync(join(ROOT, "packages")).map((name) => `packages/${name}`);
  return [".", "docs", "docs/examples", ...packages].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && isWanted(entry.name))
      .map((entry) =>
        relative(ROOT, join(ROOT, folder, entry.name))
          .split(sep)
          .join("/"),
      )
      .sort(),
  );
}
