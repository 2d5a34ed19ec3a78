import { formatFigure, formatRatio, formatSpread } from "../report/format.js";
import { spreadOf } from "../statistics.js";
import type { ClusterRun, LagFigures } from "./cluster-run.js";

/** The goals: the ratio of durable puts with 1,024 in flight to direct ones, and the slowest takeover. */
const RATIO_GOAL = 20;
const TAKEOVER_GOAL_MS = 3000;

/** The report as Markdown, which also reads well on a terminal. */
export function clusterReport(run: ClusterRun): string {
  return [headOf(run), putsTable(run), takeoverText(run), lagTable(run.lag), joinTable(run)]
    .filter((part) => part !== undefined)
    .join("\n\n");
}

function headOf({ machine, mode, etcd, rounds }: ClusterRun): string {
  const { date, commit, cpu, memoryGiB, fileSystem, system, node } = machine;
  return (
    `Measured on ${date} at commit ${commit}, ${mode} mode, ${rounds} round(s). Three members of ${etcd} and all nodes on one machine: ` +
    `${cpu}, ${memoryGiB} GiB, data on ${fileSystem}, ${system}, Node ${node}. 16-byte keys, 100-byte values.`
  );
}

function putsTable({ puts }: ClusterRun): string | undefined {
  if (puts.length === 0) return undefined;
  const rows = puts.map(({ inFlight, cluster, direct, ratio, clusterP99, directP99 }) => [
    inFlight.toLocaleString("en-US"),
    formatFigure(cluster.median),
    formatFigure(direct.median),
    formatSpread(ratio, formatRatio),
    formatFigure(clusterP99.median),
    formatFigure(directP99.median),
  ]);
  const most = puts.at(-1);
  const goal =
    most === undefined
      ? ""
      : `\n\nGoal at ${most.inFlight.toLocaleString("en-US")} in flight: at least ${RATIO_GOAL}x. ${verdict(most.ratio.median >= RATIO_GOAL)}`;
  return (
    table(
      [
        "durable puts in flight",
        "Kaya (puts/s)",
        "each into etcd (puts/s)",
        "ratio",
        "Kaya, p99 (ms)",
        "etcd, p99 (ms)",
      ],
      rows,
    ) + goal
  );
}

function takeoverText({ takeoverMs }: ClusterRun): string | undefined {
  const spread = spreadOf(takeoverMs);
  if (spread === undefined) return undefined;
  const { min, median, max } = spread;
  return (
    `Takeover, from SIGKILL of the writer to the next acknowledged put, default options, ${takeoverMs.length} kills: ` +
    `least ${formatFigure(min)} ms, median ${formatFigure(median)} ms, most ${formatFigure(max)} ms. ` +
    `Goal: at most ${TAKEOVER_GOAL_MS.toLocaleString("en-US")} ms. ${verdict(max <= TAKEOVER_GOAL_MS)}`
  );
}

function lagTable(lag: LagFigures | undefined): string | undefined {
  if (lag === undefined) return undefined;
  const row = (name: string, { p50, p99 }: { p50: number; p99: number }) => [
    name,
    formatFigure(p50),
    formatFigure(p99),
  ];
  return table(
    [`a follower while its writer does ${formatFigure(lag.putsPerSecond)} puts/s`, "p50", "p99"],
    [
      row("from the call of a put to its visibility at the follower (ms)", lag.visibleMs),
      row("from the call of a put to its acknowledgement at the writer (ms)", lag.acknowledgedMs),
      row("records that the follower knows of and lacks", lag.records),
    ],
  );
}

function joinTable({ joins }: ClusterRun): string | undefined {
  if (joins.length === 0) return undefined;
  return table(
    [
      "a node that comes late: entries",
      "it begins with",
      "until it has all (ms)",
      "entries/s",
      "peak memory (MiB)",
    ],
    joins.map(({ entries, from, ms, entriesPerSecond, peakMiB }) => [
      entries.toLocaleString("en-US"),
      from,
      formatFigure(ms),
      formatFigure(entriesPerSecond),
      formatFigure(peakMiB),
    ]),
  );
}

function verdict(isReached: boolean): string {
  return isReached ? "Reached." : "**Not reached.**";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}
