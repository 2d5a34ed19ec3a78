import type { Run } from "../run.js";
import { toMarkdown } from "./markdown.js";
import { toSummary } from "./summary.js";

const PARTS: Readonly<Record<string, (run: Run) => string>> = { summary: toSummary, report: toMarkdown };
/** What `bench cluster` replaces. */
const OF_CLUSTER = "cluster";
const MARKED = /(<!-- bench:(\w+) -->\n)[\s\S]*?(<!-- \/bench -->)/g;

/**
 * A Markdown document with its generated parts replaced: what is between `<!-- bench:summary -->` or `<!-- bench:report -->` and
 * `<!-- /bench -->`.
 * @param name of the document, for the error
 * @throws Error where it has no such marks, or marks of a part that there is not
 */
export function intoDocument(document: string, run: Run, name: string): string {
  let replaced = 0;
  const result = document.replace(MARKED, (all, begin: string, part: string, end: string) => {
    if (part === OF_CLUSTER) return all;
    const generate = PARTS[part];
    if (generate === undefined)
      throw new Error(`${name}: bench:${part} is none of ${Object.keys(PARTS).join(", ")}`);
    replaced++;
    return `${begin}\n${generate(run)}\n${end}`;
  });
  if (replaced === 0) throw new Error(`${name} has no <!-- bench:... --> that <!-- /bench --> ends`);
  return result;
}
