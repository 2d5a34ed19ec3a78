import { isDamage, locateSegments, type SegmentLocation } from "@kaya/wal";
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
    .summary("the records of a log segment, or of a directory of them")
    .description(
      "List the records of the log at PATH (a segment, a data directory, or its wal/), then what is wrong with it. " +
        "Takes no lock, writes nothing. Exit code 3 where anything is damaged.",
    )
    .argument("<PATH>")
    .addHelpText(
      "after",
      `
Examples:
  kayactl inspect wal data
  kayactl inspect wal data/wal/0000000000000001.wal --json | jq '.segments[].rows | length'`,
    )
    .action((path: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const locations = await locateSegments(path);
        const { out, err, options } = context;
        if (locations.length === 0) await err.line(`note: there is no log segment in ${escapeText(path)}`);
        const printer = options.json ? jsonPrinter(out) : linePrinter(out, locations.length > 1);
        return (await inspectAll(context, locations, printer)) ? ExitCode.Damaged : ExitCode.Ok;
      }),
    );
};

/** True where there is damage. */
async function inspectAll(
  context: Context,
  locations: readonly SegmentLocation[],
  printer: InspectionPrinter,
): Promise<boolean> {
  const inspector = new LogInspector(context);
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
