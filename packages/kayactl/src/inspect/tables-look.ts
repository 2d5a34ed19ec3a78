import { KayaError, type Lsn } from "@kaya/core";
import { NodeDisk } from "@kaya/io";
import { type ManifestState, readManifest } from "@kaya/lsm";
import { formatBytes, formatCount } from "../units.js";

/** What the manifest of a data directory says of its tables. */
export interface TablesLook {
  /** Path of the manifest that counts; undefined where there is none. */
  readonly manifest: string | undefined;
  /** The log up to here is in the tables. */
  readonly coveredLsn: Lsn;
  readonly levels: ManifestState["levels"];
  readonly tables: number;
  /** Of their files. */
  readonly bytes: number;
}

/** Tables of one level, summed up. */
export interface LevelSum {
  readonly level: number;
  readonly tables: number;
  readonly bytes: number;
  /** Tombstones included. */
  readonly entries: number;
  readonly tombstones: number;
}

/**
 * Takes no lock and changes nothing.
 * @throws KayaError KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION, KAYA_IO
 */
export async function lookAtTables(dataDir: string): Promise<TablesLook> {
  const { state, directory } = await readManifest(new NodeDisk(dataDir));
  const all = state.levels.flat();
  return {
    manifest: directory.newest?.path,
    coveredLsn: state.covered.lsn,
    levels: state.levels,
    tables: all.length,
    bytes: all.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
  };
}

/** The same, for those to whom a manifest that cannot be read is no reason to show nothing. */
export async function tryToLookAtTables(dataDir: string): Promise<TablesLook | KayaError> {
  return lookAtTables(dataDir).catch((error: unknown) => {
    if (KayaError.is(error)) return error;
    throw error;
  });
}

/** Those that have tables. */
export function sumLevels({ levels }: Pick<TablesLook, "levels">): LevelSum[] {
  return levels.flatMap((tables, level) => {
    if (tables.length === 0) return [];
    const sum = { level, tables: tables.length, bytes: 0, entries: 0, tombstones: 0 };
    for (const { fileBytes, entries, tombstones } of tables) {
      sum.bytes += fileBytes;
      sum.entries += entries;
      sum.tombstones += tombstones;
    }
    return [sum];
  });
}

/** `2 of 1.3 MiB, covering the log through LSN 1,200`. */
export function formatTables({
  tables,
  bytes,
  coveredLsn,
}: Pick<TablesLook, "tables" | "bytes" | "coveredLsn">): string {
  const covering = coveredLsn === 0 ? "" : `, covering the log through LSN ${formatCount(coveredLsn)}`;
  return tables === 0 ? `none${covering}` : `${formatCount(tables)} of ${formatBytes(bytes)}${covering}`;
}
