import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import { Manifest } from "../manifest/manifest.js";
import { type ManifestState, type TableMeta, tablesOf } from "../manifest/manifest-state.js";
import { type FoundManifest, readManifest } from "../manifest/read-manifest.js";
import { Table } from "../table/table.js";
import { listTables, type TableDirectory, type TableFile, tablePath } from "../version/table-files.js";
import { openTables, VersionSet } from "../version/version-set.js";
import type { ResolvedLsmOptions } from "./options.js";
import type { LsmWarning } from "./warnings.js";

export interface RecoveredTree {
  readonly versions: VersionSet;
  readonly warnings: readonly LsmWarning[];
}

/**
 * Reads what the manifest says and checks that its tables are there, all of that without a change; then makes it durable, and
 * removes what a crash left behind.
 */
export async function recoverTree(
  disk: Disk,
  cache: BlockCache,
  options: ResolvedLsmOptions,
): Promise<RecoveredTree> {
  const found = await readManifest(disk);
  const directory = await listTables(disk);
  const metas = tablesOf(found.state);
  checkThere(found, metas, directory);
  const tables = await openTables(disk, metas, cache);
  let manifest: Manifest | undefined;
  try {
    const { covered, logIdentity } = found.state;
    await options.accept({ covered, logIdentity, tables: metas.length });
    // A file keeps its id from being used again, also where it is only about to be removed.
    const nextTableId = Math.max(found.state.nextTableId, directory.highestId + 1);
    manifest = await Manifest.resume(disk, found, {
      beginAnewBytes: options.manifestBytes,
      trusted: options.trustPageCache,
      nextTableId,
    });
    const orphans = await removeOrphans(disk, cache, directory, found.state);
    const versions = VersionSet.begin(disk, cache, manifest, tables, nextTableId);
    return { versions, warnings: [...warningsOf(found, directory), ...orphans] };
  } catch (error) {
    for (const table of tables.values()) await table.close();
    await manifest?.close();
    throw error;
  }
}

/** @throws KayaError KAYA_CORRUPTION: an older state never takes the place of one that is gone */
function checkThere(
  { number, directory }: FoundManifest,
  metas: readonly TableMeta[],
  { tables }: TableDirectory,
): void {
  const [first] = tables.values();
  if (number === 0 && first !== undefined)
    throw refusal(`${first.path} is there, and no manifest: that was durable before any table`);
  const path = directory.newest?.path;
  for (const { id, fileBytes } of metas) {
    const file = tables.get(id);
    if (file === undefined) throw refusal(`${path} names ${tablePath(id)}, which is not there`);
    if (file.bytes !== fileBytes)
      throw refusal(`${file.path} has ${file.bytes} bytes, and ${path} says ${fileBytes}`);
  }
}

function refusal(what: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${what}. Nothing was changed. A crash cannot have done this: restore the directory from a backup.`,
  );
}

/**
 * M8: only after what the manifest says is durable. A whole table with an id that the manifest does not know of is told about: the
 * edit that names it would be the next one. One with a lower id was dropped, or never got into any edit.
 */
async function removeOrphans(
  disk: Disk,
  cache: BlockCache,
  directory: TableDirectory,
  state: ManifestState,
): Promise<LsmWarning[]> {
  const warnings: LsmWarning[] = [];
  const alive = new Set(tablesOf(state).map(({ id }) => id));
  for (const file of directory.tables.values()) {
    if (alive.has(file.id)) continue;
    const isWhole = file.id >= state.nextTableId && (await isWholeTable(disk, file, cache));
    const isRemoved = await disk.remove(file.path).then(
      () => true,
      () => false, // the next opening tries again
    );
    if (isWhole || !isRemoved)
      warnings.push({ kind: "OrphanTable", path: file.path, bytes: file.bytes, isRemoved });
  }
  return warnings;
}

async function isWholeTable(disk: Disk, { path }: TableFile, cache: BlockCache): Promise<boolean> {
  try {
    await (await Table.open(disk, path, { cache })).close();
    return true;
  } catch (error) {
    if (KayaError.is(error)) return false;
    throw error;
  }
}

function warningsOf({ torn, directory }: FoundManifest, { unknown }: TableDirectory): LsmWarning[] {
  const { offset = 0, message = "" } = torn?.damage ?? {};
  return [
    ...(torn ? [{ kind: "TornEdit", path: torn.path, offset, bytes: torn.bytes, message } as const] : []),
    ...[...directory.unknown, ...unknown].map((path) => ({ kind: "UnknownFile", path }) as const),
  ];
}
