import type { SimulationCounts, SimulationResult } from "./result.js";
import { runSimulation, type SimulationOptions } from "./simulation.js";
import type { FaultKind } from "./steps.js";

/** The options of a series of simulated runs. */
export interface SimulationsOptions extends Omit<SimulationOptions, "seed"> {
  /** The seeds of the runs, both ends included. */
  readonly seeds: {
    /** The first seed that is run. */
    readonly from: number;
    /** The last seed that is run. */
    readonly to: number;
  };
  /** Called after each run. */
  readonly onProgress?: (summary: SimulationSummary) => void;
  /** Ends the series after the run that is under way; the summary is of what was run. */
  readonly signal?: AbortSignal;
}

/** The sums over many runs. */
export interface SimulationSummary extends SimulationCounts {
  /** How many runs were done. */
  readonly runs: number;
  /** The runs that found something, in the order of their seeds. */
  readonly failures: readonly SimulationResult[];
}

const NOTHING: SimulationSummary = {
  runs: 0,
  steps: 0,
  diskOperations: 0,
  crashes: 0,
  kills: 0,
  faults: {
    "fsync-failed": 0,
    "io-error": 0,
    "disk-full": 0,
    "partial-write": 0,
    "read-error": 0,
    "no-descriptors": 0,
  },
  faultPairs: 0,
  reopenings: 0,
  flushes: 0,
  compactions: 0,
  acknowledged: 0,
  delivered: 0,
  reads: 0,
  transactions: 0,
  retries: 0,
  lostTransactions: 0,
  consumed: 0,
  truncated: 0,
  backups: 0,
  backupsAgain: 0,
  recoveredTo: 0,
  looks: 0,
  indexedWrites: 0,
  indexedRefusals: 0,
  failures: [],
};

/** Runs one simulation a seed, one after the other, and sums them up. A run that finds something doesn't end the series. */
export async function runSimulations(options: SimulationsOptions): Promise<SimulationSummary> {
  const { seeds, onProgress, signal, ...rest } = options;
  let summary = NOTHING;
  for (let seed = seeds.from; seed <= seeds.to && signal?.aborted !== true; seed++) {
    summary = addResult(summary, await runSimulation({ ...rest, seed }));
    onProgress?.(summary);
  }
  return summary;
}

/** The sums with one more run. */
export function addResult(sum: SimulationSummary, result: SimulationResult): SimulationSummary {
  const faults = { ...sum.faults };
  for (const kind of Object.keys(faults) as FaultKind[]) faults[kind] += result.faults[kind];
  return {
    runs: sum.runs + 1,
    steps: sum.steps + result.steps,
    diskOperations: sum.diskOperations + result.diskOperations,
    crashes: sum.crashes + result.crashes,
    kills: sum.kills + result.kills,
    faults,
    faultPairs: sum.faultPairs + result.faultPairs,
    reopenings: sum.reopenings + result.reopenings,
    flushes: sum.flushes + result.flushes,
    compactions: sum.compactions + result.compactions,
    acknowledged: sum.acknowledged + result.acknowledged,
    delivered: sum.delivered + result.delivered,
    reads: sum.reads + result.reads,
    transactions: sum.transactions + result.transactions,
    retries: sum.retries + result.retries,
    lostTransactions: sum.lostTransactions + result.lostTransactions,
    consumed: sum.consumed + result.consumed,
    truncated: sum.truncated + result.truncated,
    backups: sum.backups + result.backups,
    backupsAgain: sum.backupsAgain + result.backupsAgain,
    recoveredTo: sum.recoveredTo + result.recoveredTo,
    looks: sum.looks + result.looks,
    indexedWrites: sum.indexedWrites + result.indexedWrites,
    indexedRefusals: sum.indexedRefusals + result.indexedRefusals,
    failures: result.violation === undefined ? sum.failures : [...sum.failures, result],
  };
}
