import type { Disk } from "@kaya/io";
import { readFooterOf } from "./footer.js";
import { damageOf } from "./format.js";
import {
  isTableDamage,
  isTableRow,
  type TableDamage,
  type TableInspection,
  type TableInspectionRow,
} from "./inspection.js";
import type { TableProperties } from "./properties.js";
import { locateTables } from "./table-location.js";
import { TableSurvey } from "./table-survey.js";

/**
 * Every block of a table in the order of the file, what is wrong with each right behind it, and the properties where they can be read. Each
 * checksum is looked at, the order of all keys, and whether index, filter and properties say what the data blocks have. Damage is told
 * and never thrown. It needs memory for a few blocks, writes nothing, and takes no lock.
 * @param path relative to the disk's root
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO; KAYA_UNSUPPORTED_VERSION for a table of a newer version
 */
export async function* inspectTable(
  disk: Disk,
  path: string,
): AsyncGenerator<TableInspectionRow | TableDamage | TableProperties, void> {
  const file = await disk.open(path, { readOnly: true });
  try {
    const fileBytes = await file.length();
    let found: Awaited<ReturnType<typeof readFooterOf>>;
    try {
      found = await readFooterOf(file, fileBytes, path);
    } catch (error) {
      yield damageOf(error);
      return;
    }
    yield* new TableSurvey(file, path, found.footer, found.crc).items();
  } finally {
    await file.close();
  }
}

/**
 * Every table that a path of the real file system stands for, with what is wrong. All rows are in memory: for many tables use
 * `locateTables` and `inspectTable`.
 * @throws KayaError KAYA_NOT_FOUND, KAYA_IO, KAYA_UNSUPPORTED_VERSION
 */
export async function inspectTablePath(
  path: string,
): Promise<{ readonly tables: readonly TableInspection[] }> {
  const tables: TableInspection[] = [];
  for (const { disk, path: tablePath, name, length } of await locateTables(path)) {
    const rows: TableInspectionRow[] = [];
    const damage: TableDamage[] = [];
    let properties: TableProperties | undefined;
    for await (const item of inspectTable(disk, tablePath)) {
      if (isTableDamage(item)) damage.push(item);
      else if (isTableRow(item)) rows.push(item);
      else properties = item;
    }
    tables.push({ table: name, bytes: length, rows, properties, damage });
  }
  return { tables };
}
