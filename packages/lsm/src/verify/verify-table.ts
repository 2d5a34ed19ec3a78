import { readOptions, throwIfAborted } from "@kaya/core";
import type { Disk } from "@kaya/io";
import { inspectTable } from "../table/inspect-table.js";
import { isTableDamage, isTableRow, type TableDamage, type TableInspectionRow } from "../table/inspection.js";
import type { TableProperties } from "../table/properties.js";

/** Which table it must be, who is told, and what ends it. */
export interface VerifyTableOptions {
  /** What a manifest says of it: a whole table that is another one is damage too. */
  readonly expected?: {
    /** Bytes that the file must have. */
    readonly fileBytes: number;
    /** The CRC-32C that its footer must store of itself. */
    readonly footerCrc: number;
  };
  /** Called for each block with its bytes. */
  readonly onProgress?: (bytes: number) => void;
  /** Ends it between two blocks: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const OPTIONS = ["expected", "onProgress", "signal"] as const;

/** What was read of a table, and what is wrong with it. */
export interface TableVerification {
  /** The path of the file, relative to the disk's root. */
  readonly path: string;
  /** How many blocks are whole, the footer included. */
  readonly blocks: number;
  /** Bytes of the blocks that are whole. */
  readonly bytes: number;
  /** Undefined where they cannot be read. */
  readonly properties: TableProperties | undefined;
  /** Empty where all is whole. */
  readonly damage: readonly TableDamage[];
}

/**
 * Reads every block of a table, past the cache: its checksum, its shape, the order of all keys, and whether index, filter and properties
 * say what the data blocks have. Damage is told, not thrown. It takes no lock, writes nothing, and needs memory for a few blocks.
 * @param path relative to the disk's root
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO; KAYA_UNSUPPORTED_VERSION for a table of a newer version; the signal's reason
 */
export async function verifyTable(
  disk: Disk,
  path: string,
  options: VerifyTableOptions = {},
): Promise<TableVerification> {
  const { expected, onProgress, signal } = readOptions(options, OPTIONS, "the options of verifyTable");
  let [blocks, bytes] = [0, 0];
  let properties: TableProperties | undefined;
  const damage: TableDamage[] = [];
  throwIfAborted(signal);
  for await (const item of inspectTable(disk, path)) {
    throwIfAborted(signal);
    if (isTableDamage(item)) damage.push(item);
    else if (!isTableRow(item)) properties = item;
    else {
      blocks++;
      bytes += item.length;
      if (item.kind === "footer" && expected !== undefined) damage.push(...differences(item, expected));
      onProgress?.(item.length);
    }
  }
  return { path, blocks, bytes, properties, damage };
}

function differences(
  { offset, length, checksum }: TableInspectionRow,
  { fileBytes, footerCrc }: { readonly fileBytes: number; readonly footerCrc: number },
): TableDamage[] {
  if (offset + length !== fileBytes)
    return [{ offset, message: `the table has ${offset + length} bytes, it must have ${fileBytes}` }];
  if (checksum === footerCrc) return [];
  return [
    {
      offset,
      message: "it is another table than the one that must be here: its footer's checksum is another one",
    },
  ];
}
