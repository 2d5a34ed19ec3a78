// Compiles the package in the working directory once more, to CommonJS in dist/cjs: for what cannot require an ES module (jest as it is
// installed, TypeScript before 5.8). Node itself never loads it: `module-sync` in `exports` gives require and import the same ES module.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const OUT = join("dist", "cjs");

/** Paths below `dir` that end in `end`. */
function filesIn(dir, end) {
  return readdirSync(dir, { recursive: true }).filter((path) => path.endsWith(end));
}

rmSync(OUT, { recursive: true, force: true });
const declarations = filesIn("dist", ".d.ts");
await build({
  entryPoints: filesIn("src", ".ts").map((path) => join("src", path)),
  outbase: "src",
  outdir: OUT,
  bundle: false,
  format: "cjs",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: false,
  // `import.meta.url` stands only where `__filename` is looked at first.
  logOverride: { "empty-import-meta": "silent" },
});
// The same types: what they import resolves by the package.json that is nearest, and by `require` in the exports of other packages.
for (const path of declarations) {
  const copy = join(OUT, path);
  cpSync(join("dist", path), copy);
  writeFileSync(copy, readFileSync(copy, "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n"));
}
writeFileSync(join(OUT, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
