import type { Distribution } from "@kaya/wal";
import type { MetricStats } from "./metric-stats.js";

/** A value; with labels where a metric has several. */
export type Sample = readonly [value: number | undefined, labels?: Readonly<Record<string, string>>];

/** What a metric is called. */
export interface MetricDescription {
  /** In OpenTelemetry's form. The name in Prometheus is made of it, of the unit and of the kind. */
  readonly name: string;
  /** As UCUM has it: `By`, `s`, `1` for a ratio, or what is counted in braces. */
  readonly unit: "By" | "s" | "1" | `{${string}}`;
  /** A line for people. */
  readonly help: string;
}

/** Read from statistics, at the moment of asking. */
export interface ValueRow extends MetricDescription {
  /** `updowncounter`: an amount whose sum over stores has a meaning. `gauge`: one whose sum has none. */
  readonly kind: "counter" | "updowncounter" | "gauge";
  /** The value, or a sample for each set of labels; undefined if the statistics do not have it. */
  readonly read: (stats: MetricStats) => number | undefined | readonly Sample[];
}

/** How many of its values were at most each bound: for Prometheus as the statistics have it, for OpenTelemetry from the messages of a channel. */
export interface HistogramRow extends MetricDescription {
  /** Values by how large they were. */
  readonly kind: "histogram";
  /** The upper bounds of the buckets, in the unit of the row. */
  readonly bounds: readonly number[];
  /** Undefined if the statistics do not have it. */
  readonly read: (stats: MetricStats) => Counted | undefined;
  /** The `node:diagnostics_channel` whose messages tell each value. They have a `dataDir`. */
  readonly channel: string;
  /** Undefined for a message that does not count. */
  readonly ofMessage: (message: unknown) => number | undefined;
}

/** Values that were counted by how large they were. */
export interface Counted {
  /** The number of values that were counted. */
  readonly count: number;
  /** The values: mean, percentiles, and how many were at most each bound. */
  readonly distribution: Distribution;
  /** What 1 of the distribution is in the unit of the row. Default 1. */
  readonly scale?: number;
}

/** A metric, and how its value is found. */
export type MetricRow = ValueRow | HistogramRow;
