import type { FaultKind } from "./steps.js";
import type { Trace } from "./trace.js";
import { RuleBroken, type Violation } from "./violation.js";
import type { World } from "./world.js";

/** What was done, in one run or in many. */
export interface SimulationCounts {
  readonly steps: number;
  /** Operations that changed the disk: each one a moment that a crash could have met. */
  readonly diskOperations: number;
  readonly crashes: number;
  readonly kills: number;
  /** Faults that met an operation. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Faults that struck in what followed another one. */
  readonly faultPairs: number;
  readonly reopenings: number;
  /** Flushes that were done, and compactions: merges, moves and drops. */
  readonly flushes: number;
  readonly compactions: number;
  /** Writes that were answered with success. */
  readonly acknowledged: number;
  /** Changes that a feed gave. */
  readonly delivered: number;
  /** Read steps; besides, every key is read after every step. */
  readonly reads: number;
  /** Transactions that were written; of these, called again before; and those that lost for good. */
  readonly transactions: number;
  readonly retries: number;
  readonly lostTransactions: number;
  /** Changes that a consumer acknowledged. */
  readonly consumed: number;
  /** How often a consumer found that it was too slow for what is kept. */
  readonly truncated: number;
  /** Backups that were done, and directories that were built as of some LSN. */
  readonly backups: number;
  /** Backups that went over an earlier one. */
  readonly backupsAgain: number;
  readonly recoveredTo: number;
  /** Openings of another process that only looked. */
  readonly looks: number;
  /** Writes to rows of indexes that were acknowledged, and those that were told that another row has the key. */
  readonly indexedWrites: number;
  readonly indexedRefusals: number;
}

/** What one run did, and the first thing that went wrong in it. */
export interface SimulationResult extends SimulationCounts {
  readonly seed: number;
  /** Two runs in which the same happened, down to each operation of the disk, have the same. */
  readonly digest: string;
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
