// Every link of the built site leads to a page that is there, and to an anchor that the page has.
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";

/**
 * The links of a built site that lead nowhere, as "page: link". VitePress looks for pages alone, and only at links in Markdown.
 * @param {string} site the directory of the site
 */
export function deadLinks(site) {
  const files = new Set(readdirSync(site, { recursive: true }).map((name) => name.split(sep).join("/")));
  const names = [...files].filter((name) => name.endsWith(".html"));
  const pages = new Map(names.map((name) => [name, readPage(join(site, name))]));
  const isThere = (from, link) => {
    const { pathname, hash } = new URL(link, `http://site/${from}`);
    const target = fileOf(decodeURI(pathname).slice(1));
    const anchor = decodeURIComponent(hash.slice(1));
    if (anchor === "" || !pages.has(target)) return files.has(target);
    return pages.get(target).anchors.has(anchor);
  };
  return names.flatMap((name) =>
    [...pages.get(name).links].filter((link) => !isThere(name, link)).map((link) => `${name}: ${link}`),
  );
}

function readPage(file) {
  const html = readFileSync(file, "utf8");
  const values = (name) =>
    [...html.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map(([, value]) => unescaped(value));
  const links = values("href").filter((link) => !/^[a-z]+:/i.test(link));
  return { links: new Set(links), anchors: new Set(values("id")) };
}

function unescaped(value) {
  return value
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

function fileOf(path) {
  if (path === "" || path.endsWith("/")) return `${path}index.html`;
  return /\.[a-z0-9]+$/.test(path) ? path : `${path}.html`;
}
