import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";

export const TABLE_DIR = "sst";

const NAME = /^([0-9a-f]{16})\.sst$/;

export interface TableFile {
  readonly id: number;
  readonly path: string;
  readonly bytes: number;
}

export interface TableDirectory {
  readonly tables: ReadonlyMap<number, TableFile>;
  /** The highest id of a file; 0 where there is none. */
  readonly highestId: number;
  /** Paths of what is not ours. */
  readonly unknown: readonly string[];
}

export function tablePath(id: number): string {
  return `${TABLE_DIR}/${id.toString(16).padStart(16, "0")}.sst`;
}

/**
 * What is in `sst/`, told apart by name.
 * @throws KayaError KAYA_CORRUPTION where something is named like a table and cannot be one
 */
export async function listTables(disk: Disk): Promise<TableDirectory> {
  const tables = new Map<number, TableFile>();
  const unknown: string[] = [];
  for (const { path, isDirectory, length } of await disk.list(TABLE_DIR)) {
    const id = Number.parseInt(NAME.exec(path.slice(path.lastIndexOf("/") + 1))?.[1] ?? "", 16);
    if (Number.isNaN(id)) unknown.push(path);
    else if (isDirectory || !Number.isSafeInteger(id) || id === 0) throw impossible(path, isDirectory);
    else tables.set(id, { id, path, bytes: length });
  }
  return { tables, highestId: [...tables.keys()].reduce((highest, id) => Math.max(highest, id), 0), unknown };
}

function impossible(path: string, isDirectory: boolean): KayaError {
  const reason = isDirectory ? "is a directory" : "has no possible number";
  return new KayaError(
    "KAYA_CORRUPTION",
    `${path} is named like a table and ${reason}. Nothing was changed. Move it away if it does not belong here.`,
  );
}
