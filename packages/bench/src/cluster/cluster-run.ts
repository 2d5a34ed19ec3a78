import type { Machine } from "../machine.js";
import type { Spread } from "../statistics.js";

/** The puts with one number of callers. */
export interface PutsRow {
  readonly inFlight: number;
  /** Puts a second through a `ClusterEngine`. */
  readonly cluster: Spread;
  /** Puts a second of the same client into the same etcd, one key for each record. */
  readonly direct: Spread;
  /** The first divided by the second, for each round. */
  readonly ratio: Spread;
  /** The 99th percentile of a put, in ms. */
  readonly clusterP99: Spread;
  readonly directP99: Spread;
}

/** Percentiles of the delay of a follower. */
export interface LagFigures {
  /** Puts a second of the writer during the measurement. */
  readonly putsPerSecond: number;
  /** From the call of a put at the writer until the follower can read it, in ms. */
  readonly visibleMs: { readonly p50: number; readonly p99: number };
  /** From the call of the same puts until they were acknowledged, in ms. */
  readonly acknowledgedMs: { readonly p50: number; readonly p99: number };
  /** Records that the follower knew of and did not have yet. */
  readonly records: { readonly p50: number; readonly p99: number };
}

/** A node that joins a cluster which already has data. */
export interface JoinRow {
  readonly entries: number;
  /** Whether it began with a base, or read the whole log. */
  readonly from: "base and tail" | "tail";
  readonly ms: number;
  readonly entriesPerSecond: number;
  /** The largest resident set of its process, in MiB. */
  readonly peakMiB: number;
}

/** All results of a run. `--json` writes them. */
export interface ClusterRun {
  readonly machine: Machine;
  readonly mode: string;
  readonly etcd: string;
  readonly rounds: number;
  readonly puts: readonly PutsRow[];
  /** From SIGKILL of the writer until the next put is acknowledged, in ms. */
  readonly takeoverMs: readonly number[];
  readonly lag: LagFigures | undefined;
  readonly joins: readonly JoinRow[];
}
