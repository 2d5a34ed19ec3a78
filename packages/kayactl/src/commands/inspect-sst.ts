import {
  inspectTable,
  isTableDamage,
  isTableRow,
  locateTables,
  type TableDamage,
  type TableLocation,
  type TableProperties,
} from "@kaya/lsm";
import type { Context } from "../context.js";
import type { InspectedCount, InspectedFiles, InspectFilesOptions } from "../inspect/inspect-files.js";
import { jsonTablePrinter, lineTablePrinter, type TablePrinter } from "../inspect/table-printer.js";
import { Interrupted } from "../terminal/output.js";

export const inspectedTables: InspectedFiles = {
  name: "sst",
  what: "table",
  summary: "the blocks of a table, or of a directory of them",
  description:
    "List the blocks of the table at PATH (a file, or a directory with .sst files or sst/), then all damage. Checks every checksum, the " +
    "order of the keys, and that index, filter and properties agree with the entries.",
  summaryOption: "one line per table instead of one per block",
  examples: [
    "data",
    "data/sst/000000000000002a.sst",
    "data --summary",
    "data --json | jq '.tables[].properties.entries'",
  ],
  inspect: inspectTables,
};

async function inspectTables(
  context: Context,
  { path, isDirectory, isSummary }: InspectFilesOptions,
): Promise<InspectedCount> {
  const { out, options } = context;
  const locations = await locateTables(path);
  const printer =
    options.json === true ? jsonTablePrinter(out, isSummary) : lineTablePrinter(out, isDirectory, isSummary);
  let isDamaged = false;
  await printer.begin();
  for (const location of locations) {
    await printer.table(location);
    if (await inspectOne(context, location, printer)) isDamaged = true;
  }
  await printer.end();
  return { files: locations.length, isDamaged };
}

/** Whether it is damaged. */
async function inspectOne(
  { io }: Context,
  { disk, path }: TableLocation,
  printer: TablePrinter,
): Promise<boolean> {
  const damage: TableDamage[] = [];
  let properties: TableProperties | undefined;
  for await (const item of inspectTable(disk, path)) {
    if (io.signal?.aborted) throw new Interrupted();
    if (isTableDamage(item)) damage.push(item);
    else if (isTableRow(item)) await printer.row(item);
    else properties = item;
  }
  await printer.finish(properties, damage);
  return damage.length > 0;
}
