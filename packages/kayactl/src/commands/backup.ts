import { ExitCode, type Register } from "../context.js";
import { withCopyProgress } from "../copy-progress.js";
import { withEngine } from "../with-engine.js";
import { printNewDirectory } from "./new-directory.js";

export const registerBackup: Register = (program, execute) => {
  program
    .command("backup")
    .summary("write all data into an empty directory")
    .description(
      "Write all live entries into DIR, which is absent or empty, and read them back: DIR is a data directory then. What is " +
        "broken off, or fails, leaves nothing that could be opened.",
    )
    .argument("<DIR>")
    .addHelpText(
      "after",
      `
A program that has the directory open makes backups by itself: engine.backup(DIR). kayactl needs the directory for
itself meanwhile.

Examples:
  kayactl backup /backups/2026-11-23 --data /var/lib/app
  kayactl verify --data /backups/2026-11-23`,
    )
    .action((dir: string, _options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const result = await withEngine(context, (engine) =>
          withCopyProgress(context, "backup", (onProgress) => engine.backup(dir, { onProgress })),
        );
        await printNewDirectory(context, dir, result);
        return ExitCode.Ok;
      }),
    );
};
