import { stat } from "node:fs/promises";
import { KayaError } from "@kaya/core";
import { locateSegments } from "@kaya/wal";
import { type Context, ExitCode, type Register } from "../context.js";
import { BRIEF_RECORDS, briefPrinter, LineBuffer } from "../inspect/brief-printer.js";
import { registerInspectFiles } from "../inspect/inspect-files.js";
import { type InspectionTask, inspectLocations } from "../inspect/inspect-log.js";
import { addInspectOptions, type InspectOptions, recordFilter } from "../inspect/inspect-options.js";
import { type InspectionPrinter, jsonPrinter, linePrinter } from "../inspect/inspection-printer.js";
import { LogSummary, summaryPrinter } from "../inspect/log-summary.js";
import { nothingShown } from "../inspect/nothing-shown.js";
import { requireSegment } from "../inspect/require-segment.js";
import { type TablesLook, tryToLookAtTables } from "../inspect/tables-look.js";
import { escapeText } from "../terminal/text.js";
import { formatCount } from "../units.js";
import { inspectedManifests } from "./inspect-manifest.js";
import { inspectedTables } from "./inspect-sst.js";

export const registerInspect: Register = (program, execute) => {
  const inspect = program
    .command("inspect")
    .summary("list the records of a log, the blocks of tables, the edits of manifests")
    .description("Show what is in a file, piece by piece. Never writes.");
  const wal = inspect
    .command("wal")
    .summary("the records of a log segment, or of a directory of them")
    .description(
      "List the records of the log at PATH (a segment, a data directory, or its wal/) with their keys, then all damage. Takes no lock " +
        "and writes nothing. Exit code 3 means damage.",
    )
    .argument("<PATH>");
  addInspectOptions(wal)
    .addHelpText(
      "after",
      `
A directory with more than ${formatCount(BRIEF_RECORDS)} records is summed up on one screen; --records lists them
all. On a terminal, keys are cut to the width, and a summary follows. A batch shows its first operations; with
--key it shows all that have such a key. Reading stops at the last LSN of --lsn: damage behind it is not found.

Examples:
  kayactl inspect wal data
  kayactl inspect wal data --html log.html
  kayactl inspect wal data --records | less
  kayactl inspect wal data --lsn 1000..1010 --hex
  kayactl inspect wal data --key user:1
  kayactl inspect wal data/wal/0000000000000001.wal --json | jq '.segments[].rows | length'`,
    )
    .action((path: string, options: InspectOptions, command) =>
      execute(command.optsWithGlobals(), (context) => inspectPath(context, path, options)),
    );
  registerInspectFiles(inspect, execute, inspectedTables);
  registerInspectFiles(inspect, execute, inspectedManifests);
};

async function inspectPath(context: Context, path: string, options: InspectOptions): Promise<number> {
  const filter = recordFilter(options);
  const locations = await locateSegments(path);
  if (locations.length === 0) {
    await context.err.line(`note: there is no log segment in ${escapeText(path)}`);
  }
  const isDirectory = (await stat(path)).isDirectory();
  if (!isDirectory) for (const location of locations) await requireSegment(location, path);
  const tables = isDirectory ? await tablesOf(context, path) : undefined;
  const task: InspectionTask = { locations, tables, filter };
  if (options.html !== undefined) {
    const { makePage } = await import("../log-page/make-page.js"); // large: only where it is used
    return (await makePage(context, task, path, options.html, options.force === true))
      ? ExitCode.Damaged
      : ExitCode.Ok;
  }
  const printer = choosePrinter(context, task, options, isDirectory);
  const reading = await inspectLocations(context, task, printer);
  const nothing = locations.length === 0 ? undefined : nothingShown(task, options, reading);
  if (nothing !== undefined) {
    await context.out.flush();
    await context.err.line(`note: ${nothing}`);
  }
  return reading.isDamaged ? ExitCode.Damaged : ExitCode.Ok;
}

/** A damaged manifest is no damage of the log. */
async function tablesOf({ err }: Context, path: string): Promise<TablesLook | undefined> {
  const look = await tryToLookAtTables(path);
  if (!(look instanceof KayaError)) return look;
  await err.line(
    `note: the manifest cannot be read, so records that are in tables may look missing: ${escapeText(look.message)}`,
  );
  return undefined;
}

function choosePrinter(
  { out, err, options: { json = false } }: Context,
  { locations, tables, filter }: InspectionTask,
  { hex = false, records = false, summary: isSummary = false }: InspectOptions,
  isDirectory: boolean,
): InspectionPrinter {
  const printOptions = { filter, hex };
  const summary = new LogSummary();
  if (isSummary) {
    return summaryPrinter(summary, () =>
      json ? out.line(summary.toJson(tables)) : summary.print(out, tables),
    );
  }
  if (json) return jsonPrinter(out, printOptions);
  const hasSeveral = locations.length > 1;
  if (!isDirectory || records || hex || !filter.acceptsAll) return linePrinter(out, hasSeveral, printOptions);
  const buffer = new LineBuffer(out);
  return briefPrinter(buffer, linePrinter(buffer, hasSeveral, printOptions), summary, async (hasLines) => {
    if (hasLines) {
      await buffer.writeTo(out);
      if (!err.isTty || locations.length === 0) return;
      await out.flush();
      await summary.print(err, tables);
    } else {
      await summary.print(out, tables);
      if (!err.isTty) return;
      await err.line(
        "hint: --records prints a line for each record, --lsn A..B and --key PREFIX some of them",
      );
    }
  });
}
