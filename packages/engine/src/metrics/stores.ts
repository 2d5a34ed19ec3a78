import { invalid } from "../input.js";
import type { MetricSource, MetricStats } from "./metric-stats.js";

/** One store, or several by the names that the label `store` gets. */
export type MetricStores = MetricSource | Readonly<Record<string, MetricSource | MetricStats>>;

/** The name of a store where none is given: its directory. */
export function nameOfStore(dataDir: string | undefined): string {
  return dataDir ?? "memory";
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function statsByStore(stores: MetricStores): [store: string, stats: MetricStats][] {
  if (typeof stores !== "object" || stores === null)
    throw invalid("the stores of metrics must be an engine, or an object with an engine for each name");
  if (isSource(stores)) return [[nameOfStore(stores.dataDir), stores.stats()]];
  return Object.entries(stores).map(([store, each]) => {
    if (typeof each !== "object" || each === null)
      throw invalid(`the store ${JSON.stringify(store)} must be an engine, or what its stats() gave`);
    return [store, isSource(each) ? each.stats() : each];
  });
}

function isSource(given: object): given is MetricSource {
  return "stats" in given && typeof given.stats === "function";
}
