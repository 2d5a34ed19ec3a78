import type { KayaError } from "@kaya/core";
import type { Distribution } from "@kaya/wal";
import type { EngineStats } from "../stats.js";
import type { MetricRow } from "./metric-row.js";

/** The same, where each part may be missing. */
type Some<T> = T extends KayaError | Distribution | string | number | boolean
  ? T
  : T extends readonly (infer Each)[]
    ? readonly Some<Each>[]
    : { readonly [K in keyof T]?: Some<T[K]> | undefined };

/** Statistics of one store, or some of them. A metric whose part is missing is left out. */
export type MetricStats = Some<EngineStats> & {
  /** Whether a process has the directory open: for a program that reads its files from outside. */
  readonly isInUse?: boolean;
};

/** What can be asked for its statistics: an `Engine`. */
export interface MetricSource {
  /** Names the store; undefined for a store that is not in a directory. */
  readonly dataDir: string | undefined;
  /** The counts and sizes at this moment: `Engine.stats`. */
  stats(): EngineStats;
  /** Metrics beside those of an engine, read of the same statistics. Default: none. */
  readonly metrics?: readonly MetricRow[];
}
