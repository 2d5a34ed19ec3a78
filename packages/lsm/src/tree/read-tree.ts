import { KayaError } from "@kaya/core";
import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import { type TableMeta, tablesOf } from "../manifest/manifest-state.js";
import { type FoundManifest, readManifest } from "../manifest/read-manifest.js";
import type { Table } from "../table/table.js";
import { openTables } from "../version/open-tables.js";
import { listTables, type TableDirectory, tablePath } from "../version/table-files.js";
import type { LsmWarning } from "./warnings.js";

/** How often the manifest is read again if another process writes meanwhile. */
const MOST_ATTEMPTS = 100;

/** What a directory has. */
export interface TreeFiles {
  readonly found: FoundManifest;
  readonly directory: TableDirectory;
  /** The newly opened tables of the manifest. */
  readonly opened: ReadonlyMap<number, Table>;
}

/**
 * Reads the manifest and opens its tables; changes nothing. Another process may write meanwhile: if a table contradicts the manifest, the
 * manifest is read again, and only an unchanged one refuses. An open table stays readable after its file is removed.
 * @param isOpen whether the caller has a table open
 * @throws KayaError KAYA_CORRUPTION for damage, and where a table is missing or another one; KAYA_UNSUPPORTED_VERSION; KAYA_IO
 */
export async function readTree(
  disk: Disk,
  cache: BlockCache,
  isOpen: (meta: TableMeta) => boolean = () => false,
): Promise<TreeFiles> {
  const opened = new Map<number, Table>();
  try {
    let found = await readManifest(disk);
    for (let attempt = 1; ; attempt++) {
      const metas = tablesOf(found.state);
      try {
        const directory = await listTables(disk);
        const missing = metas.filter((meta) => !opened.has(meta.id) && !isOpen(meta));
        await checkThere(disk, found, missing, directory);
        await openTables(disk, missing, cache, opened);
        await closeOthers(opened, new Set(metas.map(({ id }) => id)));
        return { found, directory, opened };
      } catch (error) {
        if (!KayaError.is(error, "KAYA_NOT_FOUND") && !KayaError.is(error, "KAYA_CORRUPTION")) throw error;
        const again = await readManifest(disk);
        if (isSame(again, found) || attempt === MOST_ATTEMPTS) throw error;
        found = again;
      }
    }
  } catch (error) {
    await closeOthers(opened, new Set());
    throw error;
  }
}

/** Whether nothing was written to the manifest in between. */
export function isSame(a: FoundManifest, b: FoundManifest): boolean {
  return a.number === b.number && a.lastRecord === b.lastRecord && a.validLength === b.validLength;
}

/** The result that an opening goes on with. */
export function warningsOf({ torn, directory }: FoundManifest, { unknown }: TableDirectory): LsmWarning[] {
  const { offset = 0, message = "" } = torn?.damage ?? {};
  return [
    ...(torn ? [{ kind: "TornEdit", path: torn.path, offset, bytes: torn.bytes, message } as const] : []),
    ...[...directory.unknown, ...unknown].map((path) => ({ kind: "UnknownFile", path }) as const),
  ];
}

/** Closes tables that the manifest no longer named when it was read again. */
async function closeOthers(opened: Map<number, Table>, wanted: ReadonlySet<number>): Promise<void> {
  for (const [id, table] of opened) {
    if (wanted.has(id)) continue;
    opened.delete(id);
    await table.close().catch(() => undefined); // nothing was written to it
  }
}

/** @throws KayaError KAYA_CORRUPTION: an older state never replaces a lost one */
async function checkThere(
  disk: Disk,
  { number, directory }: FoundManifest,
  metas: readonly TableMeta[],
  { tables }: TableDirectory,
): Promise<void> {
  const [first] = tables.values();
  if (number === 0 && first !== undefined)
    throw refusal(
      `${first.path} is there, and no manifest: that was durable before any table. A backup that was killed leaves this: then make it again`,
    );
  const path = directory.newest?.path;
  for (const { id, fileBytes } of metas) {
    const file = tables.get(id);
    if (file === undefined) throw refusal(`${path} names ${tablePath(id)}, which is not there`);
    if (file.bytes === fileBytes) continue;
    // It may be no regular file, which only opening it shows.
    await (await disk.open(file.path)).close();
    throw refusal(`${file.path} has ${file.bytes} bytes, and ${path} says ${fileBytes}`);
  }
}

function refusal(what: string): KayaError {
  return new KayaError(
    "KAYA_CORRUPTION",
    `${what}. Nothing was changed. A crash cannot have done this: restore the directory from a backup.`,
  );
}
