import { ExitCode, type Register } from "../context.js";
import { withCopyProgress } from "../terminal/copy-progress.js";
import { withEngine } from "../with-engine.js";
import { printNewDirectory } from "./new-directory.js";

export const registerBackup: Register = (program, execute) => {
  program
    .command("backup")
    .summary("copy all data into another directory; a later backup copies what is new")
    .description(
      "Copy all data into DIR and read it back. DIR is then a data directory. DIR must be absent, empty, or hold an earlier backup of " +
        "the same store: then only tables that it lacks are copied. A backup that is interrupted or fails leaves an earlier backup as it " +
        "was; without one, DIR cannot be opened.",
    )
    .argument("<DIR>")
    .addHelpText(
      "after",
      `
kayactl needs the directory for itself during a backup. A program that has it open calls engine.backup(DIR).

Examples:
  kayactl backup /backups/app --data /var/lib/app
  kayactl verify --data /backups/app`,
    )
    .action((dir: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const result = await withEngine(context, (engine) =>
          withCopyProgress(context, "backup", (onProgress) => engine.backup(dir, { onProgress })),
        );
        const { copiedTables, copiedBytes } = result;
        await printNewDirectory(context, dir, result, { copiedTables, copiedBytes });
        return ExitCode.Ok;
      }),
    );
};
