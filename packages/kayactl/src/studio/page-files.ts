import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Content } from "./answers.js";

/** The files that the page's build makes, by the rest of their path behind the studio's random one. */
const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ["", "index.html", "text/html; charset=utf-8"],
  ["app.js", "app.js", "text/javascript; charset=utf-8"],
  ["app.css", "app.css", "text/css; charset=utf-8"],
];

/** The page's files by the rest of their path. They are read once: no URL is ever made a path of the file system. */
export type PageFiles = ReadonlyMap<string, Content>;

/** @returns none where the page was not built */
export async function readPageFiles(directory: string): Promise<PageFiles> {
  try {
    const contents = FILES.map(async ([path, name, type]) => {
      return [path, { type, bytes: await readFile(join(directory, name)) }] as const;
    });
    return new Map(await Promise.all(contents));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
}
