import type { Disk } from "@kaya/io";
import type { BlockCache } from "../cache/block-cache.js";
import type { TableMeta } from "../manifest/manifest-state.js";
import { Table } from "../table/table.js";
import { tablePath } from "./table-files.js";

/** Tables that are opened at once. */
const OPEN_AT_ONCE = 16;

/** Opens a table that a manifest names. @throws KayaError as `Table.open`, KAYA_CORRUPTION where it is another table */
export async function openTable(disk: Disk, meta: TableMeta, cache: BlockCache): Promise<Table> {
  const { id, fileBytes, footerCrc } = meta;
  return Table.open(disk, tablePath(id), { cache, expected: { fileBytes, footerCrc } });
}

/** Opens tables and puts each into `opened`, also if another one fails: the caller closes them. */
export async function openTables(
  disk: Disk,
  metas: readonly TableMeta[],
  cache: BlockCache,
  opened: Map<number, Table>,
): Promise<void> {
  const waiting = metas.values();
  const work = async () => {
    for (const meta of waiting) opened.set(meta.id, await openTable(disk, meta, cache));
  };
  const results = await Promise.allSettled(Array.from({ length: OPEN_AT_ONCE }, work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
