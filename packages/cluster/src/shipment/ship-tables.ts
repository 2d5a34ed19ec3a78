import { throwIfAborted } from "@kaya/core";
import type { LsmSnapshot } from "@kaya/lsm";
import type { BlobStore } from "../blob-store.js";
import { putTable, type TableObject, uniqueNameOf } from "./table-object.js";

/** The target of the tables, and the tables that it already has. */
export interface ShipTablesOptions {
  /** The beginning of the names of new objects. No other process stores under it. */
  readonly folder: string;
  /** Tables that are in the store and stay there during the call. They are not stored again. */
  readonly stored: readonly TableObject[];
  readonly signal?: AbortSignal | undefined;
  /** Called after each table that was stored. */
  readonly onTable?: ((table: TableObject) => void) | undefined;
}

/**
 * Stores the tables of a snapshot. A table never changes, so each is stored only once. Resolves when all are durable and were read back.
 * @throws KayaError as `putTable`
 */
export async function shipTables(
  snapshot: LsmSnapshot,
  store: BlobStore,
  { folder, stored, signal, onTable }: ShipTablesOptions,
): Promise<readonly TableObject[]> {
  const known = new Map(stored.map((table) => [uniqueIn(table.object), table]));
  const shipped: TableObject[] = [];
  for (const source of snapshot.sources) {
    throwIfAborted(signal);
    const unique = await uniqueNameOf(source);
    const there = known.get(unique);
    if (there !== undefined) {
      // Since it was stored, the table may have moved to another level, and to another place in the manifest.
      shipped.push({ ...there, level: source.level, meta: source.meta });
      continue;
    }
    const table = await putTable(source, store, `${folder}/${unique}`, { ...(signal && { signal }) });
    onTable?.(table);
    shipped.push(table);
  }
  return shipped;
}

function uniqueIn(object: string): string {
  return object.slice(object.lastIndexOf("/") + 1);
}
