import { KayaError, type LogPosition, readOptions, throwIfAborted } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { compareBytes } from "../bytes.js";
import { fileBytesOf, type ManifestState, type TableMeta, tablesOf } from "../manifest/manifest-state.js";
import { type FoundManifest, readManifest } from "../manifest/read-manifest.js";
import { compareEnds } from "../merge/compare.js";
import type { TableProperties } from "../table/properties.js";
import { orphansOf } from "../tree/orphans.js";
import { warningsOf } from "../tree/read-tree.js";
import type { LsmWarning } from "../tree/warnings.js";
import { listTables, tablePath } from "../version/table-files.js";
import { type TableVerification, verifyTable } from "./verify-table.js";

/** How much of a tree is verified. */
export interface VerifyProgress {
  /** How many tables are verified. */
  readonly tables: number;
  /** How many tables there are. */
  readonly totalTables: number;
  /** Bytes that were read. */
  readonly bytes: number;
  /** Bytes of all tables. */
  readonly totalBytes: number;
}

/** Who is told how far a verification is, and what ends it. */
export interface VerifyTreeOptions {
  /** Called as the verification goes on. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Ends it between two blocks: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Damage of a table of a tree. */
export interface TreeDamage {
  /** The path of the table's file, relative to the disk's root. */
  readonly path: string;
  /** Offset of the damaged block in its file. */
  readonly offset: number;
  /** The damage in words. */
  readonly message: string;
}

/** What was read of a tree, and what is wrong with it. */
export interface TreeVerification {
  /** Path of the manifest that counts; undefined where there is none. */
  readonly manifest: string | undefined;
  /** The position of the log's last record that is in the tables. */
  readonly covered: LogPosition;
  /** The owner's text about the log that the tables belong to. */
  readonly logIdentity: string;
  /** The tables, level by level. */
  readonly tables: readonly (TableVerification & { readonly level: number })[];
  /** What is wrong with all tables; empty if nothing is. */
  readonly damage: readonly TreeDamage[];
  /** What an opening would go on with. */
  readonly warnings: readonly LsmWarning[];
  /** Paths of files that an opening would remove, because no manifest names them. */
  readonly orphans: readonly string[];
}

/**
 * Verifies the manifest of a directory and every block of every table that it names. Damage of tables is told, not thrown. It takes no lock
 * and writes nothing. Another process may write meanwhile: a table that this one drops is left out.
 * @throws KayaError KAYA_CORRUPTION for damage of the manifest; KAYA_UNSUPPORTED_VERSION, KAYA_IO; the signal's reason
 */
export async function verifyTree(disk: Disk, options: VerifyTreeOptions = {}): Promise<TreeVerification> {
  const { onProgress, signal } = readOptions(options, ["onProgress", "signal"], "the options of verifyTree");
  const found = await readManifest(disk);
  const directory = await listTables(disk);
  const metas = tablesOf(found.state);
  const progress = { tables: 0, totalTables: metas.length, bytes: 0, totalBytes: fileBytesOf(metas) };
  const told = (bytes: number) => {
    progress.bytes += bytes;
    onProgress?.({ ...progress });
  };
  const tables: (TableVerification & { level: number })[] = [];
  for (const [level, of] of found.state.levels.entries()) {
    for (const meta of of) {
      throwIfAborted(signal);
      const table = await verifyNamed(disk, meta, found, { onProgress: told, ...(signal && { signal }) });
      progress.tables++;
      if (table !== undefined) tables.push({ ...table, level });
      told(0);
    }
  }
  const { covered, logIdentity } = found.state;
  return {
    manifest: found.directory.newest?.path,
    covered,
    logIdentity,
    tables,
    damage: tables.flatMap(({ path, damage }) => damage.map((each) => ({ path, ...each }))),
    warnings: warningsOf(found, directory),
    orphans: [...orphansOf(directory, found.state).map(({ path }) => path), ...directory.leftovers],
  };
}

/** Undefined if the writing process dropped the table meanwhile. */
async function verifyNamed(
  disk: Disk,
  meta: TableMeta,
  { directory }: FoundManifest,
  options: { readonly onProgress: (bytes: number) => void; readonly signal?: AbortSignal },
): Promise<TableVerification | undefined> {
  const path = tablePath(meta.id);
  try {
    const table = await verifyTable(disk, path, { ...options, expected: meta });
    const { properties } = table;
    if (properties === undefined) return table;
    return { ...table, damage: [...table.damage, ...contradictions(meta, properties)] };
  } catch (error) {
    if (!KayaError.is(error, "KAYA_NOT_FOUND")) throw error;
    if (!names((await readManifest(disk)).state, meta)) return undefined;
    const message = `${directory.newest?.path} names this table, and it is not there`;
    return { path, blocks: 0, bytes: 0, properties: undefined, damage: [{ offset: 0, message }] };
  }
}

/** Where manifest and table differ. */
export function contradictions(
  meta: TableMeta,
  properties: TableProperties,
): { offset: number; message: string }[] {
  const numbers = [
    "entries",
    "tombstones",
    "rangeTombstones",
    "rawBytes",
    "smallestSequence",
    "largestSequence",
  ] as const;
  const messages = numbers
    .filter((name) => meta[name] !== properties[name])
    .map((name) => `the manifest says ${name} ${meta[name]}, the table has ${properties[name]}`);
  const { smallestKey, largestKey } = properties;
  if (compareBytes(smallestKey, meta.start) < 0 || compareEnds(largestKey, meta.end) > 0)
    messages.push("it has keys beyond those that the manifest says");
  return messages.map((message) => ({ offset: 0, message }));
}

function names(state: ManifestState, { id }: TableMeta): boolean {
  return tablesOf(state).some((meta) => meta.id === id);
}
