import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** What stands between two fences. */
export interface Block {
  /** The document's path in the repository, with "/". */
  readonly document: string;
  /** Of the first fence, counted from 1. */
  readonly line: number;
  /** What stands behind the first fence; "" where nothing does. */
  readonly language: string;
  readonly text: string;
}

/** All documents of the repository that people read: its own, those of the packages, and all in docs/. */
export async function documents(): Promise<readonly string[]> {
  const packages = await readdir(join(ROOT, "packages"));
  const lists = await Promise.all([
    markdownIn("."),
    markdownIn("docs", { recursive: true }),
    ...packages.map((name) => markdownIn(join("packages", name))),
  ]);
  return lists.flat();
}

async function markdownIn(directory: string, options: { recursive?: boolean } = {}): Promise<string[]> {
  const entries = await readdir(join(ROOT, directory), { ...options, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md") && entry.name !== "CHANGELOG.md")
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}

export function readDocument(document: string): Promise<string> {
  return readFile(join(ROOT, document), "utf8");
}

/** The blocks of one document, in order. */
export async function blocksOf(document: string): Promise<readonly Block[]> {
  return [...(await readDocument(document)).matchAll(FENCED)].map(
    ({ index, input, groups: { language = "", text = "" } = {} }) => ({
      document,
      line: input.slice(0, index).split("\n").length,
      language,
      text,
    }),
  );
}

/** A document without its blocks: the prose, with its lines where they were. */
export function withoutBlocks(markdown: string): string {
  return markdown.replace(FENCED, (block) => block.replace(/[^\n]/g, ""));
}

const FENCED = /^```(?<language>[^\n]*)\n(?<text>.*?)^```$/gms;

/** A session at a terminal: what is typed stands behind "$ ", what is printed below it. */
export function isSession({ language, text }: Block): boolean {
  return language === "text" && text.startsWith("$ ");
}

/** A program, run by readme-examples.test.ts. */
export function isProgram({ language }: Block): boolean {
  return language === "ts" || language === "js";
}

export async function allBlocks(): Promise<readonly Block[]> {
  return (await Promise.all((await documents()).map(blocksOf))).flat();
}
