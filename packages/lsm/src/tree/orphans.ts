import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { BlockCache } from "../cache/block-cache.js";
import { type ManifestState, tablesOf } from "../manifest/manifest-state.js";
import { Table } from "../table/table.js";
import type { TableDirectory, TableFile } from "../version/table-files.js";
import type { LsmWarning } from "./warnings.js";

/** Tables that the manifest does not name. */
export function orphansOf({ tables }: TableDirectory, state: ManifestState): TableFile[] {
  const alive = new Set(tablesOf(state).map(({ id }) => id));
  return [...tables.values()].filter(({ id }) => !alive.has(id));
}

/**
 * M8: only once the manifest is durable. Reports a whole table with an id that the manifest does not know: a lost last edit may have named
 * it. One with a lower id was dropped, or never got into any edit; a staged one never had a table's name.
 */
export async function removeOrphans(
  disk: Disk,
  directory: TableDirectory,
  state: ManifestState,
): Promise<LsmWarning[]> {
  const warnings: LsmWarning[] = [];
  for (const file of orphansOf(directory, state)) {
    const isWhole = file.id >= state.nextTableId && (await isWholeTable(disk, file));
    const isRemoved = await isGone(disk, file.path);
    if (isWhole || !isRemoved)
      warnings.push({ kind: "OrphanTable", path: file.path, bytes: file.bytes, isRemoved });
  }
  for (const path of directory.leftovers) await isGone(disk, path);
  return warnings;
}

/** The next opening removes files that cannot be removed now. */
function isGone(disk: Disk, path: string): Promise<boolean> {
  return disk.remove(path).then(
    () => true,
    () => false,
  );
}

async function isWholeTable(disk: Disk, { path }: TableFile): Promise<boolean> {
  try {
    await (await Table.open(disk, path, { cache: new BlockCache({ bytes: 0 }) })).close();
    return true;
  } catch (error) {
    if (KayaError.is(error)) return false;
    throw error;
  }
}
