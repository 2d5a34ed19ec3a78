import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import { deadLinks } from "../lib/check-links.mjs";
import { homePage } from "../lib/home.mjs";
import { siteLink } from "../lib/links.mjs";
import { ROOT, repositoryDocuments, sections } from "../lib/pages.mjs";
import { headingSlug } from "../lib/slug.mjs";

const pages = sections().flatMap((section) => section.pages);

test("every document of the repository is one page of the site", () => {
  assert.deepEqual(pages.map(({ source }) => source).sort(), repositoryDocuments().sort());
  assert.equal(new Set(pages.map(({ page }) => page)).size, pages.length);
});

test("a link between documents leads to the page, with its anchor", () => {
  assert.equal(
    siteLink("packages/engine/ERRORS.md", "../../docs/errors.md#kaya_io"),
    "/guide/errors.md#kaya_io",
  );
  assert.equal(siteLink("README.md", "packages/engine/README.md"), "/engine/index.md");
  assert.equal(siteLink("README.md", "docs/benchmarks.svg"), "/docs/benchmarks.svg");
  assert.equal(siteLink("README.md", "https://example.org"), "https://example.org");
  assert.equal(siteLink("README.md", "LICENSE"), undefined);
  assert.throws(
    () => siteLink("README.md", "docs/absent.md"),
    /README\.md: the link to docs\/absent\.md is dead/,
  );
});

test("an anchor is as GitHub makes it", () => {
  assert.equal(headingSlug("KAYA_DISK_FULL"), "kaya_disk_full");
  assert.equal(headingSlug("How much memory, and disk?"), "how-much-memory-and-disk");
});

test("the home page shows the README's first paragraph and program", () => {
  const page = homePage(readFileSync(join(ROOT, "README.md"), "utf8"));
  assert.ok(page.split("\n").length < 60);
  assert.match(page, /```ts\nimport \{ Engine \} from "@kaya\/engine";/);
  assert.throws(() => homePage("# Kaya\n"), /README\.md must begin/);
});

test("a dead link of the built site is found: of a page, and of an anchor", () => {
  const site = mkdtempSync(join(tmpdir(), "kaya-docs-"));
  onTestFinished(() => rmSync(site, { recursive: true, force: true }));
  mkdirSync(join(site, "guide"));
  const links = [
    "/",
    "/guide/",
    "../index.html#here",
    "../index.html#gone",
    "/absent.html",
    "https://example.org/x",
  ];
  writeFileSync(join(site, "index.html"), '<h1 id="here"></h1>');
  writeFileSync(join(site, "guide", "index.html"), links.map((link) => `<a href="${link}">`).join("\n"));
  assert.deepEqual(deadLinks(site), [
    "guide/index.html: ../index.html#gone",
    "guide/index.html: /absent.html",
  ]);
});
