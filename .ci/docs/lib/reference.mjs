// The API reference: one TypeDoc project over the sources of all public packages.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, Comment } from "typedoc";
import { ROOT } from "./pages.mjs";
import { PackageRouter } from "./router.mjs";
import { ReferenceTheme } from "./theme.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));

/** From the one that people call to the ones below it. */
const ORDER = ["engine", "cluster", "level", "kayactl", "core", "io", "wal", "lsm", "sim"];

/** What those beside the package's own entry point are. */
const PARTS = {
  "./testing": "Its part for tests",
  "./prometheus": "Its metrics for Prometheus",
  "./opentelemetry": "Its metrics and spans for OpenTelemetry",
  "./replica": "Its part for nodes of a cluster",
  "./shipping": "Its part for copies elsewhere",
};

/** The entry points that users may import, as `exports` of each public package names them. */
export function entryPoints() {
  const folders = readdirSync(join(ROOT, "packages")).sort((a, b) => rank(a) - rank(b));
  return folders.flatMap((folder) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8"));
    if (manifest.private === true) return [];
    return Object.entries(manifest.exports)
      .filter(([path]) => path !== "./package.json")
      .map(([path, conditions]) => ({
        name: manifest.name + path.slice(1),
        description: [manifest.description, PARTS[path]].filter((text) => text !== undefined).join(". "),
        guide: `/${folder}/`,
        types: `packages/${folder}/${typesOf(conditions).slice(2)}`,
        source: `packages/${folder}/${typesOf(conditions)
          .replace("./dist/", "src/")
          .replace(/\.d\.ts$/, ".ts")}`,
      }));
  });
}

function rank(folder) {
  const index = ORDER.indexOf(folder);
  return index === -1 ? ORDER.length : index;
}

function typesOf(conditions) {
  return conditions.types ?? typesOf(conditions.default);
}

const OPTIONS = {
  tsconfig: join(HERE, "tsconfig.json"),
  basePath: ROOT,
  excludeExternals: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeInternal: true,
  disableSources: true,
  readme: "none",
  sortEntryPoints: false,
  locales: { en: { kind_module: "Package", kind_plural_module: "Packages" } },
  logLevel: "Warn",
  treatWarningsAsErrors: true,
  sort: ["source-order"],
  kindSortOrder: ["Class", "Function", "Interface", "TypeAlias", "Variable"],
  validation: { notExported: false, invalidLink: true, notDocumented: false },
};

const MARKDOWN = {
  plugin: ["typedoc-plugin-markdown"],
  router: "packages",
  theme: "reference",
  entryFileName: "index",
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  expandObjects: true,
  expandParameters: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "list",
  typeDeclarationFormat: "table",
  indexFormat: "table",
  sanitizeComments: true,
  useHTMLEncodedBrackets: true,
  pageTitleTemplates: { index: "API reference", module: "{name}", member: "{name}" },
};

/** The model that TypeDoc makes of the sources. */
export async function readModel(extra = {}) {
  const entries = entryPoints();
  const app = await Application.bootstrapWithPlugins({
    ...OPTIONS,
    ...extra,
    entryPoints: entries.map(({ source }) => join(ROOT, source)),
  });
  app.renderer.defineRouter("packages", PackageRouter);
  app.renderer.defineTheme("reference", ReferenceTheme);
  const model = await app.convert();
  if (model === undefined) throw new Error("TypeDoc could not read the packages: see above");
  const bySource = new Map(entries.map((entry) => [entry.source.replace(/(\/index)?\.ts$/, ""), entry]));
  for (const module of model.children) {
    const { name, description, guide } = bySource.get(module.name);
    module.name = name;
    module.comment = new Comment([{ kind: "text", text: `${description}. [Guide](${guide})` }]);
  }
  return { app, model };
}

/** Writes the pages of the reference into `directory`. */
export async function writeReference(directory) {
  const { app, model } = await readModel({ ...MARKDOWN, navigationJson: join(directory, "navigation.json") });
  app.validate(model);
  await app.outputs.writeOutput({ name: "markdown", path: directory }, model);
  if (app.logger.hasErrors() || app.logger.hasWarnings())
    throw new Error("TypeDoc has something against the docstrings: see above, and correct them");
}
