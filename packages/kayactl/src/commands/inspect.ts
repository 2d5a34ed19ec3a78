import type { Lsn } from "@kaya/core";
import { isDamage, locateSegments, type SegmentLocation, type WalInspectionRow } from "@kaya/wal";
import { coveredLsn, listCheckpointFiles } from "../checkpoint-files.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { LogInspector } from "../inspect-segment.js";
import { type InspectionPrinter, jsonPrinter, linePrinter } from "../inspection-printer.js";
import { escapeText } from "../text.js";

export const registerInspect: Register = (program, execute) => {
  const inspect = program
    .command("inspect")
    .summary("list the records of the log and what is wrong with it")
    .description("Show what is in a file, record by record. Never writes.");
  inspect
    .command("wal")
    .summary("the records of a log segment, of a directory of them, or of a checkpoint")
    .description(
      "List the records of the log at PATH (a segment, a data directory, or its wal/) or of a checkpoint (a .ckpt file), " +
        "then what is wrong with it. Takes no lock, writes nothing. Exit code 3 where anything is damaged.",
    )
    .argument("<PATH>")
    .addHelpText(
      "after",
      `
Examples:
  kayactl inspect wal data
  kayactl inspect wal data/checkpoint/00000000000004b0.ckpt
  kayactl inspect wal data/wal/0000000000000001.wal --json | jq '.segments[].rows | length'`,
    )
    .action((path: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const locations = await locateSegments(path);
        const { out, err, options } = context;
        if (locations.length === 0) await err.line(`note: there is no log segment in ${escapeText(path)}`);
        const printer = options.json ? jsonPrinter(out) : linePrinter(out, locations.length > 1);
        const [only] = locations;
        const lsn = only === undefined ? undefined : coveredLsn(only.name);
        const isDamaged =
          only !== undefined && lsn !== undefined
            ? await inspectCheckpoint(context, only, lsn, printer)
            : await inspectLog(context, path, locations, printer);
        return isDamaged ? ExitCode.Damaged : ExitCode.Ok;
      }),
    );
};

/** True where there is damage. */
async function inspectLog(
  context: Context,
  path: string,
  locations: readonly SegmentLocation[],
  printer: InspectionPrinter,
): Promise<boolean> {
  // Only between segments can there be a gap that a checkpoint covers, and then the path is a directory.
  const checkpoints = locations.length > 1 ? await listCheckpointFiles(path) : undefined;
  const inspector = new LogInspector(context, checkpoints?.newest?.lsn);
  let isDamaged = false;
  await printer.begin();
  for (const location of locations) {
    await printer.segment(location);
    const warnings = await inspector.segment(location, (row) => printer.row(row));
    await printer.warnings(warnings);
    isDamaged ||= warnings.some(isDamage);
  }
  await printer.end();
  return isDamaged;
}

/** True where it is not whole: then it cannot be opened, whatever is wrong with it. */
async function inspectCheckpoint(
  context: Context,
  location: SegmentLocation,
  lsn: Lsn,
  printer: InspectionPrinter,
): Promise<boolean> {
  const inspector = new LogInspector(context);
  inspector.expect(lsn);
  let rows = 0;
  let hasOpening = false;
  let last: WalInspectionRow["type"] | undefined;
  await printer.begin();
  await printer.segment(location);
  const warnings = await inspector.segment(location, (row) => {
    if (rows++ === 0) hasOpening = row.type === "NOOP";
    last = row.type;
    return printer.row(row);
  });
  await printer.warnings(warnings);
  await printer.end();
  if (warnings.some(isDamage)) return true;
  const isWhole = hasOpening && rows > 1 && last === "NOOP" && warnings.length === 0;
  if (!isWhole)
    await context.err.line(
      `note: ${escapeText(location.name)} is no whole checkpoint: one begins with a NOOP and ends with the next`,
    );
  return !isWhole;
}
