import type { FaultKind } from "./steps.js";
import type { Trace } from "./trace.js";
import { RuleBroken, type Violation } from "./violation.js";
import type { World } from "./world.js";

/** What was done, in one run or in many. */
export interface SimulationCounts {
  /** How many steps were run. */
  readonly steps: number;
  /** Operations that changed the disk: each one a moment that a crash could have met. */
  readonly diskOperations: number;
  /** How often the machine lost power. */
  readonly crashes: number;
  /** How often the process was killed. */
  readonly kills: number;
  /** Faults that met an operation. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Faults that struck in what followed another one. */
  readonly faultPairs: number;
  /** How often the engine was closed and opened again. */
  readonly reopenings: number;
  /** How many flushes were done. */
  readonly flushes: number;
  /** How many compactions were done: merges, moves and drops. */
  readonly compactions: number;
  /** Writes that were answered with success. */
  readonly acknowledged: number;
  /** Changes that a feed gave. */
  readonly delivered: number;
  /** Read steps; besides, every key is read after every step. */
  readonly reads: number;
  /** How many transactions were written. */
  readonly transactions: number;
  /** How many of these were called again before. */
  readonly retries: number;
  /** How many transactions lost in all their attempts. */
  readonly lostTransactions: number;
  /** Changes that a consumer acknowledged. */
  readonly consumed: number;
  /** How often a consumer found that it was too slow for what is kept. */
  readonly truncated: number;
  /** How many backups were done. */
  readonly backups: number;
  /** Backups that went over an earlier one. */
  readonly backupsAgain: number;
  /** How many directories were built as of some log sequence number. */
  readonly recoveredTo: number;
  /** Openings of another process that only looked. */
  readonly looks: number;
  /** How many writes to rows with indexes were acknowledged. */
  readonly indexedWrites: number;
  /** How many of these writes were refused because another row has the key. */
  readonly indexedRefusals: number;
}

/** What one run did, and the first thing that went wrong in it. */
export interface SimulationResult extends SimulationCounts {
  /** The seed of the run. */
  readonly seed: number;
  /** Two runs in which the same happened, down to each operation of the disk, have the same. */
  readonly digest: string;
  /** The broken promise; absent if none was found. */
  readonly violation?: Violation;
}

export function passedResult(trace: Trace, world: World): SimulationResult {
  for (const event of world.disk.events) {
    const { kind, path, position = -1, length = -1, target = "", error = "" } = event;
    world.digest.add(`${kind} ${path} ${position} ${length} ${target} ${error}`);
  }
  return {
    seed: trace.seed,
    steps: trace.steps.length,
    diskOperations: world.disk.nextOperation,
    crashes: world.crashes,
    kills: world.kills,
    faults: world.faults.countByKind(),
    faultPairs: world.faults.pairs,
    reopenings: world.reopenings,
    flushes: world.flushes,
    compactions: world.compactions,
    acknowledged: world.acknowledged,
    delivered: world.delivered,
    reads: world.reads,
    transactions: world.transactions,
    retries: world.retries,
    lostTransactions: world.lostTransactions,
    consumed: world.consumed,
    truncated: world.truncated,
    backups: world.backups,
    backupsAgain: world.backupsAgain,
    recoveredTo: world.recoveredTo,
    looks: world.looks,
    indexedWrites: world.indexedWrites,
    indexedRefusals: world.indexedRefusals,
    digest: world.digest.toString(),
  };
}

export function failedResult(trace: Trace, world: World, step: number, error: unknown): SimulationResult {
  const rule = error instanceof RuleBroken ? error.rule : "unexpected-error";
  const message =
    error instanceof RuleBroken ? error.message : error instanceof Error ? `${error.stack}` : `${error}`;
  world.digest.add(message);
  return { ...passedResult(trace, world), violation: { rule, step, message } };
}
