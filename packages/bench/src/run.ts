import type { Machine } from "./machine.js";
import type { Usage } from "./usage.js";
import type { Row } from "./workload.js";

/** One figure of one system in one round. */
export interface Sample {
  readonly row: string;
  readonly system: string;
  readonly round: number;
  readonly value: number;
  /** The machine's usage during the measurement, if it was recorded. */
  readonly usage?: Usage;
}

/** In place of a system where a workload cannot be measured on any. */
export const ALL_SYSTEMS = "all systems";

/** A missing measurement, and its reason. */
export interface Failure {
  readonly workload: string;
  readonly system: string;
  /** Absent if preparing the data failed. */
  readonly round?: number;
  readonly message: string;
  /** The peer is not installed or has no binary here, or the machine does not permit it: nothing went wrong. */
  readonly isMissing: boolean;
}

export interface MeasuredSystem {
  readonly name: string;
  readonly version: string;
  readonly durable?: string;
  readonly relaxed: string;
  readonly transactions?: string;
  /** Of what is no bytes. */
  readonly encodings?: string;
}

/** All that a run of the bench found: what `--json` writes and `--from` reads. */
export interface Run {
  readonly machine: Machine;
  readonly mode: string;
  readonly rounds: number;
  /** Of workloads that had another number of them. */
  readonly roundsOf?: Readonly<Record<string, number>>;
  readonly entries: number;
  readonly rows: readonly Row[];
  readonly systems: readonly MeasuredSystem[];
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
  /** Measurements that did not run as designed, each with its reason. */
  readonly notes?: readonly string[];
}
