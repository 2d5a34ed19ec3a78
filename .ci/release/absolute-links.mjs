// A package's page on npm stands outside the repository: its relative links become links into the repository.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";

const INLINE = /(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))/g;
const CODE = /^```.*?^```$|`[^`\n]*`/gms;

/**
 * @param text markdown
 * @param folder the package's, in the repository: "packages/core"
 * @param repository its address
 */
export function withAbsoluteLinks(text, folder, repository) {
  const blocks = [...text.matchAll(CODE)].map(({ index, 0: { length } }) => [index, index + length]);
  return text.replace(INLINE, (link, path, anchor = "", offset) => {
    if (blocks.some(([from, to]) => from <= offset && offset < to)) return link;
    return `${repository}/blob/HEAD/${posix.join(folder, path)}${anchor}`;
  });
}

/** Does that to all documents of an unpacked package. */
export function makeLinksAbsolute(unpacked, folder, repository) {
  for (const file of readdirSync(unpacked).filter((name) => name.endsWith(".md"))) {
    const path = join(unpacked, file);
    writeFileSync(path, withAbsoluteLinks(readFileSync(path, "utf8"), folder, repository));
  }
}
