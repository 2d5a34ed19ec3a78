import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";

/** The subdirectory of the tables in a data directory: `sst`. */
export const TABLE_DIR = "sst";

/** Ends the name of a staged table: before an opening has made the manifest durable, no file gets a table's name. */
const STAGED_SUFFIX = ".tmp";
const NAME = /^([0-9a-f]{16})\.sst$/;
const STAGED_NAME = /^([0-9a-f]{16})\.sst\.tmp$/;

export interface TableFile {
  readonly id: number;
  readonly path: string;
  readonly bytes: number;
}

export interface TableDirectory {
  readonly tables: ReadonlyMap<number, TableFile>;
  /** The highest id of a file, staged ones included; 0 where there is none. */
  readonly highestId: number;
  /** Paths of tables that an opening staged before it ended: no manifest ever named them. */
  readonly leftovers: readonly string[];
  /** Paths of foreign files. */
  readonly unknown: readonly string[];
}

/** The path of the table with this id, relative to the disk's root. */
export function tablePath(id: number): string {
  return `${TABLE_DIR}/${id.toString(16).padStart(16, "0")}.sst`;
}

export function stagedTablePath(id: number): string {
  return tablePath(id) + STAGED_SUFFIX;
}

/**
 * What is in `sst/`, told apart by name.
 * @throws KayaError KAYA_CORRUPTION where something is named like a table and cannot be one
 */
export async function listTables(disk: Disk): Promise<TableDirectory> {
  const tables = new Map<number, TableFile>();
  const leftovers: string[] = [];
  const unknown: string[] = [];
  let highestId = 0;
  for (const { path, isDirectory, length } of await disk.list(TABLE_DIR)) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const id = idIn(name, NAME);
    const stagedId = isDirectory ? undefined : idIn(name, STAGED_NAME);
    if (stagedId !== undefined) leftovers.push(path);
    else if (id === undefined) unknown.push(path);
    else if (isDirectory || !Number.isSafeInteger(id) || id === 0) throw impossible(path, isDirectory);
    else tables.set(id, { id, path, bytes: length });
    highestId = Math.max(highestId, id ?? stagedId ?? 0);
  }
  return { tables, highestId, leftovers, unknown };
}

function idIn(name: string, form: RegExp): number | undefined {
  const digits = form.exec(name)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

function impossible(path: string, isDirectory: boolean): KayaError {
  const reason = isDirectory ? "is a directory" : "has no possible number";
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is named like a table and ${reason}. Nothing was changed. Move it away if it does not belong here.`,
  );
}
