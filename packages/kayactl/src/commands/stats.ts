import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { table } from "../output.js";
import { formatBytes, formatCount } from "../units.js";
import { withEngine } from "../with-engine.js";

export const registerStats: Register = (program, execute) => {
  program
    .command("stats")
    .summary("how much there is")
    .description("Count the entries, their bytes, and the log's. --json gives the numbers as they are.")
    .action((_options: object, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        const stats = await withEngine(context, async (engine) => engine.stats());
        const text = context.options.json
          ? toJson(stats)
          : table([
              ["state", stats.state],
              ["entries", formatCount(stats.entries)],
              ["key bytes", formatBytes(stats.keyBytes)],
              ["value bytes", formatBytes(stats.valueBytes)],
              ["last LSN", formatCount(stats.lastLsn)],
              ["last sequence", formatCount(stats.lastSequence)],
              ["durable LSN", formatCount(stats.durableLsn)],
              ["pending bytes", formatBytes(stats.pendingBytes)],
              ["log segments", formatCount(stats.wal.segments)],
              ["log bytes", formatBytes(stats.wal.bytes)],
            ]);
        await context.out.line(text);
        return ExitCode.Ok;
      }),
    );
};
