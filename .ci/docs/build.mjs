// Builds the site: `npx pnpm@10 run docs`. What it makes is in dist/: the pages as Markdown, and the site.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vitepress";
import { deadLinks } from "./lib/check-links.mjs";
import { homePage } from "./lib/home.mjs";
import { ROOT, repositoryImages, sections } from "./lib/pages.mjs";
import { writeReference } from "./lib/reference.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const PAGES = join(HERE, "dist", "pages");

await rm(join(HERE, "dist"), { recursive: true, force: true });
await writeReference(join(PAGES, "reference"));
for (const { source, page } of sections().flatMap(({ pages }) => pages)) await take(source, `${page}.md`);
for (const image of repositoryImages()) await take(image, image);
await writeFile(join(PAGES, "index.md"), homePage(await readFile(join(ROOT, "README.md"), "utf8")));
await build(HERE);
const dead = deadLinks(join(HERE, "dist", "site"));
if (dead.length > 0) throw new Error(`${dead.length} links of the site lead nowhere:\n${dead.join("\n")}`);
console.log(
  "The site is in .ci/docs/dist/site. To read it here: npx pnpm@10 --filter @kaya/docs run preview",
);

async function take(source, page) {
  const file = join(PAGES, page);
  await mkdir(dirname(file), { recursive: true });
  await cp(join(ROOT, source), file);
}
