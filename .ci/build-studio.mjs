// Builds the page of `kayactl studio` from the working directory's src/studio/app into dist/studio: one script, one style sheet, and the
// licences of what is bundled into them. The page loads nothing from anywhere else.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const APP = join("src", "studio", "app");
const OUT = join("dist", "studio");

mkdirSync(OUT, { recursive: true });
const { metafile } = await build({
  entryPoints: { app: join(APP, "main.tsx") },
  outdir: OUT,
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: ["chrome111", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
});
await build({ entryPoints: { app: join(APP, "app.css") }, outdir: OUT, bundle: true, minify: true });
cpSync(join(APP, "index.html"), join(OUT, "index.html"));
// Not LICENSES.txt: pnpm leaves the repository's LICENSE out of a package that has a file of such a name.
writeFileSync(join(OUT, "NOTICES.txt"), licences(Object.keys(metafile.inputs)));

/** The licence of each package that a module was taken from. */
function licences(inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined || !existsSync(join(folder, file))) throw new Error(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The page of kayactl studio holds code of these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}
