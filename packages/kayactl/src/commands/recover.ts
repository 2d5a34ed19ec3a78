import { type RecoveryReport, recover, recoverTo } from "@kaya/engine";
import { formatWarning } from "@kaya/wal";
import { Option } from "commander";
import { invalid, toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { dryRun } from "../inspect/dry-run.js";
import { engineConfig, parseWholeNumber } from "../options.js";
import { reportRows, tellingWarnings, withoutRecords } from "../report.js";
import { table } from "../terminal/columns.js";
import { withCopyProgress } from "../terminal/copy-progress.js";
import { escapeText } from "../terminal/text.js";
import { formatDuration } from "../units.js";
import { withProgress } from "../with-engine.js";
import { printNewDirectory } from "./new-directory.js";

interface RecoverOptions {
  readonly dryRun?: boolean;
  readonly toLsn?: number;
  readonly into?: string;
}

export const registerRecover: Register = (program, execute) => {
  program
    .command("recover")
    .summary("repair the log after a crash, and report")
    .description(
      "Do what opening the data directory does: read the tables and the log behind them, cut what a crash left unfinished (other bytes " +
        "that are cut are kept in wal/quarantine/), and report. With --to-lsn and --into, build another directory with the state as of " +
        "that LSN, and change nothing here: this undoes a mistake, or gets the state before damage. It reaches back to the LSN that " +
        "the tables cover.",
    )
    .option("--dry-run", "only report: change nothing, and take no lock")
    .addOption(
      new Option("--to-lsn <n>", "the last record to include (kayactl inspect wal lists them); takes no lock")
        .argParser(parseWholeNumber)
        .conflicts("dryRun"),
    )
    .addOption(new Option("--into <dir>", "the directory to build: absent or empty").conflicts("dryRun"))
    .addHelpText(
      "after",
      `
Examples:
  kayactl recover --dry-run
  kayactl recover --recovery prefix   # keep the log before damage in its middle
  kayactl recover --to-lsn 1041 --into /var/lib/app-before   # the state before LSN 1042`,
    )
    .action((options: RecoverOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const { toLsn, into } = options;
        if ((toLsn === undefined) !== (into === undefined))
          throw invalid("--to-lsn N and --into DIR go together");
        await requireDataDir(context.options.data);
        if (toLsn !== undefined && into !== undefined) {
          await buildAsOf(context, toLsn, into);
          return ExitCode.Ok;
        }
        const report = options.dryRun === true ? await dryRun(context) : await repair(context);
        if (context.options.json) await context.out.line(toJson(withoutRecords(report)));
        else await printReport(context, report);
        return ExitCode.Ok;
      }),
    );
};

async function repair(context: Context): Promise<RecoveryReport> {
  if (context.session?.isOf(context.options.data))
    throw invalid("recover needs the directory for itself: leave the shell, or use --dry-run");
  return withProgress(context, (onProgress) =>
    recover(engineConfig(context.options), undefined, { onProgress }),
  );
}

async function buildAsOf(context: Context, lsn: number, into: string): Promise<void> {
  const result = await withProgress(context, (onRead) =>
    withCopyProgress(context, "writing", (onWrite) =>
      recoverTo(engineConfig(context.options), { lsn, into, onRead, onWrite }),
    ),
  );
  await printNewDirectory(context, into, result);
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
