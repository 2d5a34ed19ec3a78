import type { MetricRow, MetricStats } from "@kaya/engine/prometheus";
import { type AppendMessage, CLUSTER_CHANNELS, type NodeRole } from "../channels.js";
import type { ClusterStats } from "../stats.js";

const MS = 1 / 1000;
const seconds = (ms: number | undefined) => ms && ms * MS;

/** Bounds in seconds: each power of two from 64 microseconds to 8.4 seconds. */
const DURATIONS = Array.from({ length: 18 }, (_, i) => 2 ** (6 + i) / 1_000_000);

const ROLES: readonly NodeRole[] = ["writer", "follower", "claiming", "failed"];

/** The cluster's statistics of a node; undefined for the statistics of another store. */
function of(stats: MetricStats): ClusterStats | undefined {
  return (stats as { readonly cluster?: ClusterStats }).cluster;
}

/**
 * The metrics of a node, in addition to those of its engine. A `ClusterEngine` shows them by itself with `metricsHandler({ main: db })` of
 * `@kaya/engine/prometheus` and `instrument` of `@kaya/engine/opentelemetry`. Released names, kinds and labels do not change, because
 * dashboards use them.
 */
export const CLUSTER_METRICS: readonly MetricRow[] = [
  {
    name: "kaya.cluster.role",
    kind: "gauge",
    unit: "{node}",
    help: "1 for the role that the node has, 0 for the others",
    read: (stats) => {
      const role = of(stats)?.role;
      return role && ROLES.map((each) => [Number(each === role), { role: each }] as const);
    },
  },
  {
    name: "kaya.cluster.epoch",
    kind: "gauge",
    unit: "{epoch}",
    help: "Newest epoch of the shared log that the node has seen",
    read: (stats) => of(stats)?.epoch,
  },
  {
    name: "kaya.cluster.head_lsn",
    kind: "gauge",
    unit: "{record}",
    help: "Last LSN of the shared log that the node has seen",
    read: (stats) => of(stats)?.headLsn,
  },
  {
    name: "kaya.cluster.lsn",
    kind: "gauge",
    unit: "{record}",
    help: "Last LSN that can be read on the node",
    read: (stats) => of(stats)?.lsn,
  },
  {
    name: "kaya.cluster.lag.records",
    kind: "gauge",
    unit: "{record}",
    help: "Known records of the shared log that the node lacks",
    read: (stats) => of(stats)?.lagRecords,
  },
  {
    name: "kaya.cluster.lag",
    kind: "gauge",
    unit: "s",
    help: "How long the node has lacked known records",
    read: (stats) => seconds(of(stats)?.lagMs),
  },
  {
    name: "kaya.cluster.contact.age",
    kind: "gauge",
    unit: "s",
    help: "Time since the last answer of the shared log",
    read: (stats) => seconds(of(stats)?.contactAgeMs),
  },
  {
    name: "kaya.cluster.append.duration",
    kind: "histogram",
    unit: "s",
    help: "Duration of one group commit to the shared log, including unanswered attempts",
    bounds: DURATIONS,
    read: (stats) => {
      const appends = of(stats)?.appends;
      return appends && { count: appends.count, distribution: appends.durationMs, scale: MS };
    },
    channel: CLUSTER_CHANNELS.append,
    ofMessage: (message) => {
      const appended = message as AppendMessage;
      return appended.result === "appended" ? appended.durationMs * MS : undefined;
    },
  },
  {
    name: "kaya.cluster.appended",
    kind: "counter",
    unit: "By",
    help: "Bytes that the node appended to the shared log",
    read: (stats) => of(stats)?.appends.bytes,
  },
  {
    name: "kaya.cluster.append.doubts",
    kind: "counter",
    unit: "{attempt}",
    help: "Append attempts that got no answer",
    read: (stats) => of(stats)?.doubts,
  },
  {
    name: "kaya.cluster.append.refusals",
    kind: "counter",
    unit: "{commit}",
    help: "Group commits that were refused, by reason",
    read: (stats) => {
      const rejections = of(stats)?.rejections;
      return (
        rejections && [
          [rejections.fenced, { reason: "fenced" }],
          [rejections.inDoubt, { reason: "in_doubt" }],
          [rejections.noMajority, { reason: "no_majority" }],
          [rejections.diskFull, { reason: "disk_full" }],
          [rejections.other, { reason: "other" }],
        ]
      );
    },
  },
  {
    name: "kaya.cluster.claims",
    kind: "counter",
    unit: "{claim}",
    help: "Times that the node became the writer",
    read: (stats) => of(stats)?.claims,
  },
  {
    name: "kaya.cluster.takeovers",
    kind: "counter",
    unit: "{claim}",
    help: "Times that the node became the writer after another node",
    read: (stats) => of(stats)?.takeovers,
  },
  {
    name: "kaya.cluster.tail",
    kind: "gauge",
    unit: "By",
    help: "Bytes of records in the shared log; only on the writer",
    read: (stats) => (of(stats)?.role === "writer" ? of(stats)?.tail.bytes : undefined),
  },
  {
    name: "kaya.cluster.tail.limit",
    kind: "gauge",
    unit: "By",
    help: "The option tailMaxBytes",
    read: (stats) => of(stats)?.tail.limitBytes,
  },
  {
    name: "kaya.cluster.base_lsn",
    kind: "gauge",
    unit: "{record}",
    help: "LSN of the newest base that the node knows of",
    read: (stats) => of(stats)?.base?.lsn,
  },
  {
    name: "kaya.cluster.bases",
    kind: "counter",
    unit: "{base}",
    help: "Bases that the node made, or loaded because the log was trimmed",
    read: (stats) => [
      [of(stats)?.bases, { action: "made" }],
      [of(stats)?.baseLoads, { action: "loaded" }],
    ],
  },
  {
    name: "kaya.cluster.trims",
    kind: "counter",
    unit: "{trim}",
    help: "Times that the node trimmed the shared log",
    read: (stats) => of(stats)?.trims,
  },
  {
    name: "kaya.cluster.linearizable_reads",
    kind: "counter",
    unit: "{read}",
    help: "Linearizable reads",
    read: (stats) => of(stats)?.linearizableReads.count,
  },
  {
    name: "kaya.cluster.troubles",
    kind: "counter",
    unit: "{trouble}",
    help: "Failed calls that were tried again",
    read: (stats) => of(stats)?.troubles,
  },
];
