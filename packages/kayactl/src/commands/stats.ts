import { join } from "node:path";
import type { CheckpointStats, Engine, EngineStats } from "@kaya/engine";
import { readLockHolder } from "@kaya/io";
import { InvalidArgumentError } from "commander";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { DirectoryWatch } from "../directory-watch.js";
import { consumerRows, lookRows } from "../look-text.js";
import { table } from "../output.js";
import { formatCheckpoint, quarantineRows } from "../report.js";
import { formatBytes, formatCount } from "../units.js";
import { watch } from "../watch.js";
import { withEngine } from "../with-engine.js";

const DEFAULT_SECONDS = 1;
const MOST_SECONDS = 86_400;

interface StatsOptions {
  readonly watch?: number | true;
}

export const registerStats: Register = (program, execute) => {
  program
    .command("stats")
    .summary("how much there is")
    .description(
      "Count the entries, their bytes, and those of memory, log and checkpoint. Where another process has the directory open, or " +
        "with --watch, what its files tell: where the log ends, how fast it grows, the newest checkpoint. --json gives the numbers as they are.",
    )
    .option(
      "--watch [seconds]",
      `look at the files again and again, every second or so many; takes no lock, changes nothing, ends with Ctrl-C`,
      parseSeconds,
    )
    .addHelpText(
      "after",
      `
Examples:
  kayactl stats --data /var/lib/app
  kayactl stats --watch 5 --data /var/lib/app
  kayactl stats --watch --json | jq .perSecond.records`,
    )
    .action((options: StatsOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        if (options.watch !== undefined) {
          await requireDataDir(context.options.data);
          await watch(context, options.watch === true ? DEFAULT_SECONDS : options.watch);
        } else await printOnce(context);
        return ExitCode.Ok;
      }),
    );
};

async function printOnce(context: Context): Promise<void> {
  const { data, json } = context.options;
  await requireDataDir(data);
  const holder = await readLockHolder(join(data, "LOCK"));
  if (holder?.state === "held") return printFromOutside(context);
  const stats = await withEngine(context, async (engine: Engine) => engine.stats(), { readOnly: true });
  await context.out.line(json ? toJson(stats) : table(statsRows(stats)));
}

/** Another process has it open: its files still tell something. */
async function printFromOutside({ out, err, options }: Context): Promise<void> {
  const look = await new DirectoryWatch(options.data, options.maxRecordBytes).look();
  await out.line(options.json ? toJson(look) : table(lookRows(look)));
  if (options.json) return;
  await err.line(
    "note: this is what the files tell; entries and memory are known to the process that has it open",
  );
}

function statsRows(stats: EngineStats): [name: string, value: string][] {
  return [
    ["entries", formatCount(stats.entries)],
    ["key bytes", formatBytes(stats.keyBytes)],
    ["value bytes", formatBytes(stats.valueBytes)],
    ["last LSN", formatCount(stats.lastLsn)],
    ["last sequence", formatCount(stats.lastSequence)],
    ["memory", formatBytes(stats.memoryBytes)],
    ["snapshots", formatSnapshots(stats.snapshots)],
    ["log segments", formatCount(stats.wal.segments)],
    ["log bytes", formatBytes(stats.wal.bytes)],
    ["checkpoint", formatLast(stats.checkpoint)],
    ...consumerRows(stats.changes),
    ...quarantineRows(stats.wal.quarantine),
  ];
}

function formatSnapshots({ open, bytes }: EngineStats["snapshots"]): string {
  return open === 0 ? "none" : `${formatCount(open)}, holding ${formatBytes(bytes)}`;
}

function formatLast({ lsn, entries, bytes }: CheckpointStats): string {
  if (lsn === undefined || entries === undefined || bytes === undefined) return "none";
  return formatCheckpoint({ lsn, entries, bytes });
}

/** For commander. */
function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d*\.?\d+$/.test(text) && seconds >= 0.1 && seconds <= MOST_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be a number of seconds from 0.1 to ${MOST_SECONDS}.`);
}
