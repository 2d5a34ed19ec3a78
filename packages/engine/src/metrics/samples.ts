import type { Counted, HistogramRow, Sample, ValueRow } from "./metric-row.js";
import type { MetricStats } from "./metric-stats.js";

/** Of a closed store only that it is closed: the rest would be as it was, for ever. */
const OF_CLOSED = "kaya.up";

/** The values of a metric that the statistics have. */
export function samplesOf(row: ValueRow, stats: MetricStats): Sample[] {
  if (stats.state === "closed" && row.name !== OF_CLOSED) return [];
  const read = row.read(stats);
  const samples: readonly Sample[] = typeof read === "object" ? read : [[read]];
  return samples.filter(([value]) => value !== undefined);
}

/** Undefined where the statistics do not have it. */
export function countedOf(row: HistogramRow, stats: MetricStats): Counted | undefined {
  return stats.state === "closed" ? undefined : row.read(stats);
}
