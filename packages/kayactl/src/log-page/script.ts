import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** Where the compiled modules of the page stand, from `src` as from `dist`. */
const COMPILED = new URL("../../dist/", import.meta.url);

const IMPORT = /^import \{[^}]*\} from "(\.[^"]+)";\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|class|const) )/gm;

/**
 * The page's modules as one: each once, behind those that it imports, without `import` and `export`. They use named imports
 * alone and no name twice; a browser refuses a module where one is.
 */
export function pageScript(): string {
  const parts: string[] = [];
  const seen = new Set<string>();
  const add = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const source = readFileSync(new URL(path, COMPILED), "utf8");
    for (const [, specifier = ""] of source.matchAll(IMPORT)) add(posix.join(posix.dirname(path), specifier));
    const own = source
      .replace(IMPORT, "")
      .replace(EXPORT, "")
      .replace(/^\/\/# sourceMappingURL=.*\n?/gm, "");
    parts.push(own.trim());
  };
  add("page/main.js");
  return parts.join("\n\n");
}

export function pageStyle(): string {
  return readFileSync(new URL("../../src/page/page.css", import.meta.url), "utf8").trim();
}
