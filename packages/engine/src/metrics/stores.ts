import { invalid } from "../input.js";
import type { MetricRow } from "./metric-row.js";
import { METRIC_ROWS } from "./metric-rows.js";
import type { MetricSource, MetricStats } from "./metric-stats.js";

/** One store, or several by the names that the label `store` gets. */
export type MetricStores = MetricSource | Readonly<Record<string, MetricSource | MetricStats>>;

/** What a metric is read of. */
export interface NamedStats {
  readonly store: string;
  readonly stats: MetricStats;
}

/** The name of a store where none is given: its directory. */
export function nameOfStore(dataDir: string | undefined): string {
  return dataDir ?? "memory";
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function statsByStore(stores: MetricStores): NamedStats[] {
  if (typeof stores !== "object" || stores === null)
    throw invalid("the stores of metrics must be an engine, or an object with an engine for each name");
  if (isSource(stores)) return [{ store: nameOfStore(stores.dataDir), stats: stores.stats() }];
  return Object.entries(stores).map(([store, each]) => {
    if (typeof each !== "object" || each === null)
      throw invalid(`the store ${JSON.stringify(store)} must be an engine, or what its stats() gave`);
    return { store, stats: isSource(each) ? each.stats() : each };
  });
}

/** The metrics of an engine, then those that only some of the stores have. */
export function rowsOf(stores: MetricStores): readonly MetricRow[] {
  const sources = isSource(stores) ? [stores] : Object.values(stores).filter(isSource);
  return [...new Set([...METRIC_ROWS, ...sources.flatMap(({ metrics = [] }) => metrics)])];
}

function isSource(given: object): given is MetricSource {
  return "stats" in given && typeof given.stats === "function";
}
