import type { CheckpointProgress } from "@kaya/engine";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { Interrupted } from "../output.js";
import { ProgressLine } from "../progress-line.js";
import { escapeText } from "../text.js";
import { formatBytes, formatCount } from "../units.js";
import { withEngine } from "../with-engine.js";

const BAR_WIDTH = 24;

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
        const { out, options } = context;
        const result = await backup(context, dir);
        const { lsn, sequence, entries, bytes } = result;
        const durationMs = Math.round(result.durationMs * 1000) / 1000;
        await out.line(
          options.json
            ? toJson({ ok: true, lsn, sequence, entries, bytes, durationMs })
            : `${out.colors.green("OK")} lsn=${lsn} entries=${entries} bytes=${bytes} dir=${escapeText(dir)}`,
        );
        return ExitCode.Ok;
      }),
    );
};

function backup(context: Context, dir: string) {
  const { io, err, options } = context;
  const line = options.json === true && !err.isTty ? undefined : new ProgressLine(io.stderr);
  return withEngine(context, async (engine) => {
    try {
      return await engine.backup(dir, {
        onProgress: (progress) => {
          if (io.signal?.aborted) throw new Interrupted();
          line?.update(() => describe(progress));
        },
      });
    } finally {
      line?.done();
    }
  });
}

function describe({ entries, totalEntries, bytes }: CheckpointProgress): string {
  const share = totalEntries === 0 ? 1 : entries / totalEntries;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = "#".repeat(filled) + ".".repeat(BAR_WIDTH - filled);
  return `backup [${bar}] ${Math.floor(share * 100)}%, ${formatCount(entries)} entries, ${formatBytes(bytes)}`;
}
