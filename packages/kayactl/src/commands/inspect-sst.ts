import { stat } from "node:fs/promises";
import {
  inspectTable,
  isTableDamage,
  isTableRow,
  locateTables,
  type TableDamage,
  type TableLocation,
  type TableProperties,
} from "@kaya/lsm";
import type { Command } from "commander";
import { type Context, type Execute, ExitCode } from "../context.js";
import { Interrupted } from "../output.js";
import { jsonTablePrinter, lineTablePrinter, type TablePrinter } from "../table-printer.js";
import { escapeText } from "../text.js";

interface SstOptions {
  readonly summary?: boolean;
}

export function registerInspectSst(inspect: Command, execute: Execute): void {
  inspect
    .command("sst")
    .summary("the blocks of a table, or of a directory of them")
    .description(
      "List the blocks of the table at PATH (a file, or a directory with .sst files, or with sst/), then what is wrong with it. Every " +
        "checksum is looked at, the order of the keys, and whether index, filter and properties agree with the entries. Takes no lock, " +
        "writes nothing. Exit code 3 where anything is damaged.",
    )
    .argument("<PATH>")
    .option("--summary", "a line a table instead of a line a block")
    .addHelpText(
      "after",
      `
Examples:
  kayactl inspect sst data
  kayactl inspect sst data/sst/000000000000002a.sst
  kayactl inspect sst data --summary
  kayactl inspect sst data --json | jq '.tables[].properties.entries'`,
    )
    .action((path: string, options: SstOptions, command) =>
      execute(command.optsWithGlobals(), (context) => inspectTables(context, path, options)),
    );
}

async function inspectTables(
  context: Context,
  path: string,
  { summary = false }: SstOptions,
): Promise<number> {
  const { out, err, options } = context;
  const locations = await locateTables(path);
  if (locations.length === 0) await err.line(`note: there is no table in ${escapeText(path)}`);
  const isDirectory = (await stat(path)).isDirectory();
  const printer =
    options.json === true ? jsonTablePrinter(out, summary) : lineTablePrinter(out, isDirectory, summary);
  let isDamaged = false;
  await printer.begin();
  for (const location of locations) {
    await printer.table(location);
    if (await inspectOne(context, location, printer)) isDamaged = true;
  }
  await printer.end();
  return isDamaged ? ExitCode.Damaged : ExitCode.Ok;
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
