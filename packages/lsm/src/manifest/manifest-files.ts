import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";

/** The subdirectory of the manifests in a data directory: `manifest`. */
export const MANIFEST_DIR = "manifest";

/** Ends the name of an unfinished manifest; after a crash it is useless. */
const TEMPORARY_SUFFIX = ".tmp";
const NAME = /^([0-9a-f]{16})\.manifest$/;
const TEMPORARY_NAME = /^[0-9a-f]{16}\.manifest\.tmp$/;

export interface ManifestFile {
  readonly number: number;
  readonly path: string;
  readonly bytes: number;
}

export interface ManifestDirectory {
  /** The one that counts: never replaced by an older one. */
  readonly newest: ManifestFile | undefined;
  readonly older: readonly ManifestFile[];
  /** Paths of files that a crash left unfinished. */
  readonly leftovers: readonly string[];
  /** Paths of foreign files. */
  readonly unknown: readonly string[];
}

export function manifestPath(number: number): string {
  return `${MANIFEST_DIR}/${number.toString(16).padStart(16, "0")}.manifest`;
}

export function temporaryManifestPath(number: number): string {
  return manifestPath(number) + TEMPORARY_SUFFIX;
}

/** The number in a manifest's name (without its directory); undefined for any other name. */
export function manifestNumber(name: string): number | undefined {
  const number = Number.parseInt(NAME.exec(name)?.[1] ?? "", 16);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/**
 * What is in `manifest/`, told apart by name.
 * @throws KayaError KAYA_CORRUPTION where something is named like a manifest and cannot be one: it may hold an edit
 */
export async function listManifests(disk: Disk): Promise<ManifestDirectory> {
  const files: ManifestFile[] = [];
  const leftovers: string[] = [];
  const unknown: string[] = [];
  for (const { path, isDirectory, length } of await disk.list(MANIFEST_DIR)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const number = manifestNumber(name);
    if (number !== undefined && !isDirectory) files.push({ number, path, bytes: length });
    else if (NAME.test(name))
      throw impossible(path, isDirectory ? "is a directory" : "has no possible number");
    else if (!isDirectory && TEMPORARY_NAME.test(name)) leftovers.push(path);
    else unknown.push(path);
  }
  // The disk lists by name, and sixteen hex digits sort like their numbers.
  return { newest: files.at(-1), older: files.slice(0, -1), leftovers, unknown };
}

function impossible(path: string, reason: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is named like a manifest and ${reason}. Nothing was changed. Move it away if it does not belong here.`,
  );
}
