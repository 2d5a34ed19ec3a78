import type { CheckpointStats, EngineStats } from "@kaya/engine";
import { toJson } from "../bytes.js";
import { ExitCode, type Register } from "../context.js";
import { table } from "../output.js";
import { formatCheckpoint } from "../report.js";
import { formatBytes, formatCount } from "../units.js";
import { withEngine } from "../with-engine.js";

export const registerStats: Register = (program, execute) => {
  program
    .command("stats")
    .summary("how much there is")
    .description(
      "Count the entries, their bytes, and those of memory, log and checkpoint. --json gives the numbers as they are.",
    )
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
              ["memory", formatBytes(stats.memoryBytes)],
              ["snapshots", formatSnapshots(stats.snapshots)],
              ["log segments", formatCount(stats.wal.segments)],
              ["log bytes", formatBytes(stats.wal.bytes)],
              ["checkpoint", formatLast(stats.checkpoint)],
            ]);
        await context.out.line(text);
        return ExitCode.Ok;
      }),
    );
};

function formatSnapshots({ open, bytes }: EngineStats["snapshots"]): string {
  return open === 0 ? "none" : `${formatCount(open)}, holding ${formatBytes(bytes)}`;
}

function formatLast({ lsn, entries, bytes }: CheckpointStats): string {
  if (lsn === undefined || entries === undefined || bytes === undefined) return "none";
  return formatCheckpoint({ lsn, entries, bytes });
}
