import { type RecoveryReport, recover } from "@kaya/engine";
import { formatWarning } from "@kaya/wal";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { dryRun } from "../dry-run.js";
import { engineConfig } from "../options.js";
import { table } from "../output.js";
import { reportRows, tellingWarnings, withoutRecords } from "../report.js";
import { escapeText } from "../text.js";
import { formatDuration } from "../units.js";
import { withProgress } from "../with-engine.js";

interface RecoverOptions {
  readonly dryRun?: boolean;
}

export const registerRecover: Register = (program, execute) => {
  program
    .command("recover")
    .summary("repair the log after a crash, and say what was found")
    .description(
      "Do what opening the data directory does by itself: read the checkpoint and the log behind it, cut what a crash left " +
        "unfinished (anything that is more than that is kept in wal/quarantine/), and say what was found.",
    )
    .option("--dry-run", "only say it: change nothing, and take no lock")
    .addHelpText(
      "after",
      `
Examples:
  kayactl recover --dry-run
  kayactl recover --recovery prefix   # go on with what stands before damage in the middle of the log`,
    )
    .action((options: RecoverOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        await requireDataDir(context.options.data);
        const report = options.dryRun === true ? await dryRun(context) : await repair(context);
        if (context.options.json) await context.out.line(toJson(withoutRecords(report)));
        else await printReport(context, report);
        return ExitCode.Ok;
      }),
    );
};

function repair(context: Context): Promise<RecoveryReport> {
  return withProgress(context, (onProgress) =>
    recover(engineConfig(context.options), undefined, { onProgress }),
  );
}

async function printReport({ out, options }: Context, report: RecoveryReport): Promise<void> {
  const { bold, yellow } = out.colors;
  const took = formatDuration(report.durationMs);
  const title = report.dryRun ? "Dry run for" : "Recovered";
  await out.line(bold(`${title} ${escapeText(options.data)} in ${took}`));
  await out.line(table(reportRows(report)));
  for (const warning of tellingWarnings(report)) {
    await out.line(`${yellow("warning:")} ${escapeText(formatWarning(warning))}`);
  }
  if (report.dryRun) await out.line("Nothing was changed.");
}
