import type { MetricRow, MetricStats } from "@kaya/engine/prometheus";
import { type AppendMessage, CLUSTER_CHANNELS, type NodeRole } from "../channels.js";
import type { ClusterStats } from "../stats.js";

const MS = 1 / 1000;
const seconds = (ms: number | undefined) => ms && ms * MS;

/** In seconds: each power of two from 64 microseconds to 8.4 seconds. */
const DURATIONS = Array.from({ length: 18 }, (_, i) => 2 ** (6 + i) / 1_000_000);

const ROLES: readonly NodeRole[] = ["writer", "follower", "claiming", "failed"];

/** Of the statistics of a node; undefined of any other store's. */
function of(stats: MetricStats): ClusterStats | undefined {
  return (stats as { readonly cluster?: ClusterStats }).cluster;
}

/**
 * The metrics of a node, beside those of its engine. A `ClusterEngine` has them by itself: `metricsHandler({ main: db })` of
 * `@kaya/engine/prometheus` and `instrument` of `@kaya/engine/opentelemetry` show them. Names, kinds and labels stay as they are once released: dashboards have them.
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
    help: "Epoch of the newest head of the shared log that the node has seen",
    read: (stats) => of(stats)?.epoch,
  },
  {
    name: "kaya.cluster.head_lsn",
    kind: "gauge",
    unit: "{record}",
    help: "LSN of the last record of that head",
    read: (stats) => of(stats)?.headLsn,
  },
  {
    name: "kaya.cluster.lsn",
    kind: "gauge",
    unit: "{record}",
    help: "LSN of the last record that can be read at the node",
    read: (stats) => of(stats)?.lsn,
  },
  {
    name: "kaya.cluster.lag.records",
    kind: "gauge",
    unit: "{record}",
    help: "Records of that head that the node lacks",
    read: (stats) => of(stats)?.lagRecords,
  },
  {
    name: "kaya.cluster.lag",
    kind: "gauge",
    unit: "s",
    help: "How long the node has lacked records that it knows of",
    read: (stats) => seconds(of(stats)?.lagMs),
  },
  {
    name: "kaya.cluster.contact.age",
    kind: "gauge",
    unit: "s",
    help: "Time since the shared log answered the node",
    read: (stats) => seconds(of(stats)?.contactAgeMs),
  },
  {
    name: "kaya.cluster.append.duration",
    kind: "histogram",
    unit: "s",
    help: "Duration of one group commit to the shared log, attempts without an answer included",
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
    help: "Written to the shared log by the node",
    read: (stats) => of(stats)?.appends.bytes,
  },
  {
    name: "kaya.cluster.append.doubts",
    kind: "counter",
    unit: "{attempt}",
    help: "Attempts to append that got no answer",
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
    help: "Of these, times that another node had been the writer",
    read: (stats) => of(stats)?.takeovers,
  },
  {
    name: "kaya.cluster.tail",
    kind: "gauge",
    unit: "By",
    help: "Records of the shared log behind the base; of the writer only",
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
    help: "Bases, by what the node did: made, or loaded because the log was trimmed",
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
    help: "Reads that were made linearizable",
    read: (stats) => of(stats)?.linearizableReads.count,
  },
  {
    name: "kaya.cluster.troubles",
    kind: "counter",
    unit: "{trouble}",
    help: "Things that did not work and were tried again",
    read: (stats) => of(stats)?.troubles,
  },
];
