import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { withEngine } from "../with-engine.js";

export const registerFlush: Register = (program, execute) => {
  program
    .command("flush")
    .summary("write the records of the log into a table, and drop that part of the log")
    .description(
      "Write the records that are in no table yet into a new table in sst/, and remove the segments of the log that it covers. The next " +
        "opening then has nothing to replay. Without such records no table is written.",
    )
    .addHelpText(
      "after",
      `
A program that has the directory open flushes by itself, once a memtable is full. kayactl flushes only with this command.

Examples:
  kayactl flush --data /var/lib/app
  kayactl flush --json | jq .segmentsDropped`,
    )
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const { out, options } = context;
        const result = await withEngine(context, (engine) => engine.flush());
        const { lsn, sequence, entries, bytes, segmentsDropped } = result;
        const durationMs = Math.round(result.durationMs * 1000) / 1000;
        await out.line(
          options.json
            ? toJson({ ok: true, lsn, sequence, entries, bytes, segmentsDropped, durationMs })
            : `${out.colors.green("OK")} lsn=${lsn} entries=${entries} bytes=${bytes} segments_dropped=${segmentsDropped}`,
        );
        return ExitCode.Ok;
      }),
    );
};
