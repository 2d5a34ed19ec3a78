import type { BigIntStats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { readInput } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { invalid } from "./input.js";

/**
 * The directory that something is written into must not be in the one that it is read from, by whatever links or mounts.
 * @param what goes there, for the error: "a backup"
 * @throws KayaError KAYA_INVALID_ARGUMENT
 */
export async function assertOutside(
  what: string,
  into: string | Disk | undefined,
  source: Disk,
): Promise<void> {
  const target = typeof into === "string" ? into : readInput("a disk", () => into?.root);
  // A disk that is nowhere is in nothing; what is no directory at all is told elsewhere.
  if (typeof target !== "string" || target === "" || source.root === undefined) return;
  const [from, to] = [await realPlace(source.root), await realPlace(target)];
  if (!isIn(to, from) && !(await isMountedIn(to, from))) return;
  throw invalid(`${what} needs a directory outside the data directory: ${target} is in ${source.root}`);
}

function isIn(place: string, directory: string): boolean {
  const way = relative(directory, place);
  return way.split(sep)[0] !== ".." && !isAbsolute(way);
}

/** Whether a directory on the way to a place is the other directory, or one in it, under another name: a bind mount has that. */
async function isMountedIn(place: string, directory: string): Promise<boolean> {
  const own = new Set<string>();
  for (const each of [directory, ...(await directoriesIn(directory))]) {
    const identity = await identityOf(each);
    if (identity !== undefined) own.add(identity);
  }
  for (let at = place; ; at = dirname(at)) {
    const identity = await identityOf(at);
    if (identity !== undefined && own.has(identity)) return true;
    if (dirname(at) === at) return false;
  }
}

/** Those of a data directory: they are two deep. */
async function directoriesIn(directory: string, depth = 2): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    found.push(path, ...(depth > 1 ? await directoriesIn(path, depth - 1) : []));
  }
  return found;
}

/** Undefined where nothing is there. */
async function identityOf(path: string): Promise<string | undefined> {
  const found: BigIntStats | undefined = await stat(path, { bigint: true }).catch(() => undefined);
  return found && `${found.dev}:${found.ino}`;
}

/** Where a path leads once all links on it are followed; what is not there yet is made where the rest leads. */
async function realPlace(path: string): Promise<string> {
  const absolute = resolve(path);
  const real = await realpath(absolute).catch(() => undefined);
  if (real !== undefined || dirname(absolute) === absolute) return real ?? absolute;
  return join(await realPlace(dirname(absolute)), basename(absolute));
}
