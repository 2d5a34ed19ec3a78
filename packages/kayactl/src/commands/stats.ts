import { join } from "node:path";
import type { Engine, EngineStats, MemtableStats } from "@kaya/engine";
import { readReplicaMarker } from "@kaya/engine/replica";
import { readLockHolder } from "@kaya/io";
import type { LsmStats } from "@kaya/lsm";
import { Option } from "commander";
import { toJson } from "../bytes.js";
import { type Context, ExitCode, type Register } from "../context.js";
import { requireDataDir } from "../data-dir.js";
import { formatTables } from "../inspect/tables-look.js";
import { DirectoryWatch } from "../look/directory-watch.js";
import { lookMetrics } from "../look/look-metrics.js";
import { consumerRows, lookRows } from "../look/look-text.js";
import { watch } from "../look/watch.js";
import { quarantineRows } from "../report.js";
import { columns, table } from "../terminal/columns.js";
import { parseSeconds } from "../terminal/repeat.js";
import { escapeText } from "../terminal/text.js";
import { formatBytes, formatCount, plural } from "../units.js";
import { withEngine } from "../with-engine.js";

const DEFAULT_SECONDS = 1;

interface StatsOptions {
  readonly watch?: number | true;
  readonly prometheus?: boolean;
}

export const registerStats: Register = (program, execute) => {
  program
    .command("stats")
    .summary("show how much data there is, and where")
    .description(
      "Say about how many entries there are, how much of them only the log has, and how the tables lie on their levels. Where another process " +
        "has the directory open, or with --watch, what its files tell: where the log ends, how fast it grows, the tables. --json gives the " +
        "numbers as they are.",
    )
    .option(
      "--watch [seconds]",
      `look at the files again and again, every second or so many; takes no lock, changes nothing, ends with Ctrl-C`,
      parseSeconds,
    )
    .addOption(
      new Option(
        "--prometheus",
        "print what the files tell in the text format of Prometheus, also while another process has the directory open",
      ).conflicts("watch"),
    )
    .addHelpText(
      "after",
      `
Examples:
  kayactl stats --data /var/lib/app
  kayactl stats --watch 5 --data /var/lib/app
  kayactl stats --watch --json | jq .perSecond.records
  kayactl stats --prometheus > kaya.prom.new && mv kaya.prom.new kaya.prom`,
    )
    .action((options: StatsOptions, command) =>
      execute(command.optsWithGlobals(), async (context) => {
        if (options.watch !== undefined) {
          await requireDataDir(context.options.data);
          await watch(context, options.watch === true ? DEFAULT_SECONDS : options.watch);
        } else if (options.prometheus === true) await printMetrics(context);
        else await printOnce(context);
        return ExitCode.Ok;
      }),
    );
};

async function printMetrics({ out, options }: Context): Promise<void> {
  await requireDataDir(options.data);
  const look = await new DirectoryWatch(options.data, options.maxRecordBytes).look();
  await out.write(lookMetrics(options.data, look));
}

async function printOnce(context: Context): Promise<void> {
  const { data, json } = context.options;
  await requireDataDir(data);
  const isOurs = context.session?.isOf(data) === true;
  const holder = isOurs ? undefined : await readLockHolder(join(data, "LOCK"));
  if (holder?.state === "held") return printFromOutside(context);
  const stats = await withEngine(context, async (engine: Engine) => engine.stats(), { readOnly: true });
  if (json) return context.out.line(toJson(stats));
  await context.out.line(table([...(await replicaRows(data)), ...statsRows(stats)]));
  for (const line of levelLines(stats.tables)) await context.out.line(line);
}

/** Another process has it open: its files still tell something. */
async function printFromOutside({ out, err, options }: Context): Promise<void> {
  const look = await new DirectoryWatch(options.data, options.maxRecordBytes).look();
  await out.line(options.json ? toJson(look) : table(lookRows(look)));
  if (options.json) return;
  await err.line(
    "note: these figures come from the files; only the process that has the directory open knows its memory and what it has done since",
  );
}

/** A row only for the directory of a node of a cluster. */
async function replicaRows(data: string): Promise<[name: string, value: string][]> {
  const marker = await readReplicaMarker(data);
  return marker === undefined ? [] : [["node of", escapeText(marker.logName)]];
}

function statsRows({ memtable, tables, ...stats }: EngineStats): [name: string, value: string][] {
  const coveredLsn = tables.covered.lsn;
  // Which of them is there twice, or deleted, is known only once all of it is read.
  const isExact = tables.tables === 0 && memtable.rangeTombstones === 0;
  return [
    ["entries", isExact ? formatCount(stats.entries) : `about ${formatCount(stats.entries)}`],
    ["last LSN", formatCount(stats.lastLsn)],
    ["last sequence", formatCount(stats.lastSequence)],
    ["memtable", formatMemtable(memtable)],
    ["log segments", formatCount(stats.wal.segments)],
    ["log bytes", formatBytes(stats.wal.bytes)],
    ["tables", formatTables({ ...tables, coveredLsn })],
    ...amplificationRows(tables),
    ...consumerRows(stats.changes),
    ...quarantineRows(stats.wal.quarantine),
  ];
}

/** What is in no table yet. */
function formatMemtable({ bytes, entries, tombstones, rangeTombstones }: MemtableStats): string {
  const deletions = tombstones + rangeTombstones;
  const deleted = deletions === 0 ? "" : `, ${plural(deletions, "deletion")}`;
  return `${plural(entries, "entry", "entries")}${deleted}, ${formatBytes(bytes)}`;
}

function amplificationRows({ spaceAmplification }: LsmStats): [name: string, value: string][] {
  return spaceAmplification === undefined
    ? []
    : [["space amplification", `${spaceAmplification.toFixed(2)} (all tables to the largest sorted run)`]];
}

/** The shape of the tables; nothing where there are none. */
function levelLines({ levels }: LsmStats): string[] {
  if (levels.length === 0) return [];
  const rows = levels.map(({ level, tables, bytes, entries, tombstones, rangeTombstones }) => [
    String(level),
    formatCount(tables),
    formatBytes(bytes),
    formatCount(entries),
    formatCount(tombstones + rangeTombstones),
  ]);
  return ["", ...columns([["level", "tables", "bytes", "entries", "tombstones"], ...rows], [])];
}
