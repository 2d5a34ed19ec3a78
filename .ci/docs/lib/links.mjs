// Links between documents, turned into links between pages.
import { existsSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { IMAGE, ROOT, sitePath } from "./pages.mjs";

/**
 * Where a link of a document leads on the site: a page, an image, or undefined for a file of the repository that the
 * site does not have. Links into the web stay as they are.
 * @param {string} source the document's path in the repository
 * @param {string} target as the document has it
 */
export function siteLink(source, target) {
  if (/^[a-z]+:/i.test(target) || target.startsWith("#")) return target;
  const [path, anchor] = target.split("#");
  const file = posix.normalize(posix.join(dirname(source), decodeURI(path)));
  if (!existsSync(join(ROOT, file)))
    throw new Error(`${source}: the link to ${target} is dead: there is no ${file}. Correct it`);
  if (IMAGE.test(file)) return `/${file}`;
  if (!file.endsWith(".md") || file.endsWith("CHANGELOG.md")) return undefined;
  return `/${sitePath(file)}.md${anchor === undefined ? "" : `#${anchor}`}`;
}

/** A markdown-it plugin: rewrites the links and images of the pages that `sourceOf` knows. */
export function repositoryLinks(md, sourceOf) {
  md.core.ruler.push("repository-links", ({ tokens, env }) => {
    const source = sourceOf.get(env.relativePath);
    if (source === undefined) return;
    for (const token of tokens) if (token.type === "inline") rewrite(token.children, source);
  });
}

function rewrite(tokens, source) {
  const open = [];
  for (const token of tokens) {
    if (token.type === "image") token.attrSet("src", siteLink(source, token.attrGet("src")));
    if (token.type === "link_open") {
      const link = siteLink(source, token.attrGet("href"));
      open.push(link);
      if (link === undefined) hide(token);
      else token.attrSet("href", link);
    }
    if (token.type === "link_close" && open.pop() === undefined) hide(token);
  }
}

// The text of the link stays.
function hide(token) {
  token.type = "text";
  token.tag = "";
  token.content = "";
}
