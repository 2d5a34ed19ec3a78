import type { Machine } from "../machine.js";
import type { Spread } from "../statistics.js";

/** Puts of one number of callers. */
export interface PutsRow {
  readonly inFlight: number;
  /** Through a `ClusterEngine`, a second. */
  readonly cluster: Spread;
  /** Each record by a put of its own into the same etcd, by the same client. */
  readonly direct: Spread;
  /** One over the other, round by round. */
  readonly ratio: Spread;
  /** The 99th percentile of a put, in ms. */
  readonly clusterP99: Spread;
  readonly directP99: Spread;
}

/** Percentiles of a follower's delay. */
export interface LagFigures {
  /** Puts a second of the writer meanwhile. */
  readonly putsPerSecond: number;
  /** From the call of a put at the writer until it is read at the follower, in ms. */
  readonly visibleMs: { readonly p50: number; readonly p99: number };
  /** Of these puts, from the call until they were acknowledged, in ms. */
  readonly acknowledgedMs: { readonly p50: number; readonly p99: number };
  /** Records that the follower knew of and lacked. */
  readonly records: { readonly p50: number; readonly p99: number };
}

/** A node that comes late. */
export interface JoinRow {
  readonly entries: number;
  /** Whether it began with a base, or read all of the log. */
  readonly from: "base and tail" | "tail";
  readonly ms: number;
  readonly entriesPerSecond: number;
  /** The largest resident set of its process, in MiB. */
  readonly peakMiB: number;
}

/** All that a run found: what `--json` writes. */
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
