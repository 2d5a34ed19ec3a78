import type { Scale } from "./scale.js";
import type { Store, System } from "./system.js";
import type { Usage } from "./usage.js";

/** A line of the report: one figure a system. */
export interface Row {
  /** `workload/figure`. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Id of the row whose measurement gives this figure as well. */
  readonly measuredWith?: string;
}

export interface Job {
  readonly system: System;
  readonly scale: Scale;
  /** An empty directory of this job's own. */
  readonly dir: string;
  /** The directory that the workload's fixture filled. */
  readonly fixtureDir: string;
  /** Whether a row is asked for. */
  wants(rowId: string): boolean;
  report(rowId: string, value: number, usage?: Usage): void;
  /** Runs the work, and reports its result as the row's figure, together with the machine's usage. */
  measure(rowId: string, work: () => Promise<number>): Promise<void>;
}

/** Data on disk that is made once for a system, and used in all rounds by all workloads that name it. */
export interface Fixture {
  readonly name: string;
  /** Fills `job.fixtureDir`, in a process of its own. */
  fill(job: Job): Promise<void>;
}

/** The work of one child process for one system in one round. */
export interface Workload {
  readonly name: string;
  rows(scale: Scale): readonly Row[];
  runsOn(system: System): boolean;
  readonly fixture?: Fixture;
  /** It takes minutes: further rounds leave it out. Absent: it is in every round. */
  readonly mostRounds?: number;
  /** How many times as long as others its measurements take. */
  readonly timesLonger?: number;
  /** The system's cache of files is emptied before each `run`. */
  readonly readsCold?: true;
  /** Its processes run in a memory cgroup of this many bytes. Absent: without a limit. */
  memoryBytes?(scale: Scale): number;
  /**
   * Work in a process of its own, in the directory of `run` and before it, in each round; its figures count as well.
   */
  prepare?(job: Job): Promise<void>;
  run(job: Job): Promise<void>;
}

/** A part of a workload that shares its process, and a store that was filled once. */
export interface ReadWorkload {
  readonly name: string;
  readonly rows: readonly Row[];
  run(store: Store, job: Job): Promise<void>;
}
