import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { errorCodeLinks } from "../lib/error-codes.mjs";
import { repositoryLinks } from "../lib/links.mjs";
import { sections } from "../lib/pages.mjs";
import { referenceSidebars } from "../lib/sidebar.mjs";
import { headingSlug } from "../lib/slug.mjs";

const DIST = new URL("../dist/", import.meta.url);
const guides = sections();
const sourceOf = new Map([
  ...guides.flatMap(({ pages }) => pages).map(({ source, page }) => [`${page}.md`, source]),
  ["index.md", "README.md"], // whose words the home page has
]);
const guideSidebar = guides.map(({ title, pages }) => ({
  text: title,
  collapsed: false,
  items: pages.map((page) => ({ text: page.title, link: `/${page.page}` })),
}));

export default defineConfig({
  title: "Kaya",
  description: "A crash-safe write-ahead log and the embedded key-value store on it, for Node.js",
  lang: "en",
  srcDir: "dist/pages",
  outDir: "dist/site",
  cacheDir: "dist/cache",
  cleanUrls: false,
  metaChunk: true,
  markdown: {
    anchor: { slugify: headingSlug },
    config: (md) => md.use(repositoryLinks, sourceOf).use(errorCodeLinks),
  },
  vite: {
    publicDir: false,
    build: { chunkSizeWarningLimit: 10_000, reportCompressedSize: false },
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/", activeMatch: "^/(?!reference|guide/errors)." },
      { text: "Reference", link: "/reference/", activeMatch: "^/reference/" },
      { text: "Errors", link: "/guide/errors", activeMatch: "^/guide/errors" },
    ],
    sidebar: {
      ...referenceSidebars(fileURLToPath(new URL("pages/reference/navigation.json", DIST))),
      "/": guideSidebar,
    },
    outline: [2, 3],
    search: { provider: "local", options: { miniSearch: { searchOptions: { boostDocument: guidesFirst } } } },
    docFooter: { prev: false, next: false },
  },
});

/** Pages that explain come before the reference of a field of the same name. VitePress sends the function's text to the browser. */
function guidesFirst(page) {
  return page.startsWith("/reference/") ? 0.3 : 1;
}
