import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { withEngine } from "../with-engine.js";

export const registerCheckpoint: Register = (program, execute) => {
  program
    .command("checkpoint")
    .summary("write the state into a checkpoint and drop the log before it")
    .description(
      "Write all live entries into one file in checkpoint/ and remove the segments of the log that it covers: the next " +
        "opening reads the checkpoint and the log behind it. Where nothing was written since the last one, none is written.",
    )
    .addHelpText(
      "after",
      `
A program that has the directory open makes checkpoints by itself, once the log has outgrown the data; kayactl makes one
only when it is told to.

Examples:
  kayactl checkpoint --data /var/lib/app
  kayactl checkpoint --json | jq .segmentsDropped`,
    )
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const { out, options } = context;
        const result = await withEngine(context, (engine) => engine.checkpoint());
        const { lsn, sequence, entries, bytes, path, segmentsDropped } = result;
        const durationMs = Math.round(result.durationMs * 1000) / 1000;
        await out.line(
          options.json
            ? toJson({ ok: true, lsn, sequence, entries, bytes, path, segmentsDropped, durationMs })
            : `${out.colors.green("OK")} lsn=${lsn} entries=${entries} bytes=${bytes} segments_dropped=${segmentsDropped}`,
        );
        return ExitCode.Ok;
      }),
    );
};
