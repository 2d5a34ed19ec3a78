import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { readInput } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { invalid } from "./input.js";

/**
 * The directory that something is written into must not be in the one that it is read from, by whatever links.
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
  const way = relative(await realPlace(source.root), await realPlace(target));
  if (way.split(sep)[0] === ".." || isAbsolute(way)) return;
  throw invalid(`${what} goes into a directory of its own: ${target} is in ${source.root}`);
}

/** Where a path leads once all links on it are followed; what is not there yet is made where the rest leads. */
async function realPlace(path: string): Promise<string> {
  const absolute = resolve(path);
  const real = await realpath(absolute).catch(() => undefined);
  if (real !== undefined || dirname(absolute) === absolute) return real ?? absolute;
  return join(await realPlace(dirname(absolute)), basename(absolute));
}
