import type { Distribution } from "@kaya/wal";
import type { MetricStats } from "./metric-stats.js";

/** A value; with labels where a metric has several. */
export type Sample = readonly [value: number | undefined, labels?: Readonly<Record<string, string>>];

interface Described {
  /** In OpenTelemetry's form. The name in Prometheus is made of it, of the unit and of the kind. */
  readonly name: string;
  /** As UCUM has it: `By`, `s`, `1` for a ratio, or what is counted in braces. */
  readonly unit: "By" | "s" | "1" | `{${string}}`;
  readonly help: string;
}

/** Read from statistics, at the moment of asking. */
export interface ValueRow extends Described {
  /** `updowncounter`: an amount whose sum over stores has a meaning. `gauge`: one whose sum has none. */
  readonly kind: "counter" | "updowncounter" | "gauge";
  readonly read: (stats: MetricStats) => number | undefined | readonly Sample[];
}

/** How many of its values were at most each bound: for Prometheus as the statistics have it, for OpenTelemetry from the messages of a channel. */
export interface HistogramRow extends Described {
  readonly kind: "histogram";
  readonly bounds: readonly number[];
  readonly read: (stats: MetricStats) => Counted | undefined;
  readonly channel: string;
  /** Undefined for a message that does not count. */
  readonly ofMessage: (message: unknown) => number | undefined;
}

export interface Counted {
  readonly count: number;
  readonly distribution: Distribution;
  /** What 1 of the distribution is in the unit of the row. Default 1. */
  readonly scale?: number;
}

export type MetricRow = ValueRow | HistogramRow;
