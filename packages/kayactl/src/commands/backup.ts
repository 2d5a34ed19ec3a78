import { ExitCode, type Register } from "../context.js";
import { withCopyProgress } from "../copy-progress.js";
import { withEngine } from "../with-engine.js";
import { printNewDirectory } from "./new-directory.js";

export const registerBackup: Register = (program, execute) => {
  program
    .command("backup")
    .summary("copy all data into another directory, or what is new since the backup there")
    .description(
      "Copy all tables into DIR, with a table of what only the log has, and read them back: DIR is a data directory then. DIR is absent, " +
        "empty, or has an earlier backup of the same store: then only tables that it lacks are copied, and all are read back. What is " +
        "broken off, or fails, leaves the earlier backup as it was, or nothing that could be opened.",
    )
    .argument("<DIR>")
    .addHelpText(
      "after",
      `
A program that has the directory open makes backups by itself: engine.backup(DIR). kayactl needs the directory for
itself meanwhile.

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
