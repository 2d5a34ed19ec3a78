import { resolve } from "node:path";
import { type MetricStats, prometheusText } from "@kaya/engine/prometheus";
import type { DirectoryLook } from "./directory-watch.js";

/** What the files tell, for Prometheus: under the names that the program itself uses. */
export function lookMetrics(dataDir: string, look: DirectoryLook): string {
  return prometheusText({ [resolve(dataDir)]: statsOf(look) });
}

function statsOf({ state, lastLsn, wal, tables, changes }: DirectoryLook): MetricStats {
  const { consumers, keptLogBytes } = changes;
  return {
    isInUse: state === "in-use",
    lastLsn,
    wal,
    tables: { covered: { lsn: tables.coveredLsn }, levels: tables.levels },
    changes: { consumers, keptLogBytes },
  };
}
