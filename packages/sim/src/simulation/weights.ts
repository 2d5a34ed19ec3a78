import type { Random } from "@kaya/io";
import type { FaultKind, IndexStep, StepName, TransactingStepName } from "./steps.js";

/** The steps that are drawn by weight. Others come by themselves, in runs that need them. */
export type DrawnStep = Exclude<StepName, "time" | TransactingStepName | IndexStep["step"]>;

/** How often each step comes, in proportion to the others. */
export type StepWeights = Readonly<Record<DrawnStep, number>>;

/** How often each kind of fault comes, in proportion to the others. */
export type FaultWeights = Readonly<Record<FaultKind, number>>;

/** How often each step comes by default, in proportion to the others. */
export const STEP_WEIGHTS: StepWeights = {
  put: 40,
  delete: 6,
  batch: 9,
  clear: 1,
  get: 3,
  "get-sync": 1,
  has: 1,
  "get-many": 2,
  count: 1.5,
  size: 0.5,
  scan: 4,
  "open-scan": 2,
  "read-scan": 2,
  "open-snapshot": 2,
  "read-snapshot": 3,
  sync: 3,
  flush: 3,
  compact: 1.5,
  advance: 12,
  settle: 10,
  fault: 2,
  crash: 3,
  kill: 1.5,
  close: 1,
  reopen: 1,
  intrude: 0.3,
  follow: 3,
  unfollow: 0.5,
  "add-consumer": 1,
  "remove-consumer": 0.2,
  consume: 2,
  acknowledge: 6,
  backup: 1.5,
  "cancel-backup": 0.2,
  "recover-to": 1.5,
  look: 1.5,
};

/** How often each kind of fault comes by default, in proportion to the others. */
export const FAULT_WEIGHTS: FaultWeights = {
  "fsync-failed": 3,
  "io-error": 3,
  "disk-full": 2,
  "partial-write": 3,
  "read-error": 1,
  "no-descriptors": 1,
};

/** Of the runs: how likely a fault is to be one of a pair. */
export const PAIR_CHANCES: readonly [number, ...number[]] = [0, 0.3, 0.3, 0.8];

/** Of the runs: how likely a write is to be done when its call returns. */
export const HURRIES: readonly [number, ...number[]] = [0, 0, 0.1, 0.3, 0.9];

/** Of the runs: how likely a put is to be one that expires. Where none does, the time stands still. */
export const FLEETINGS: readonly [number, ...number[]] = [0, 0, 0.1, 0.3, 0.8];

/** Of the runs: how likely a step is to be one of a transaction, or an update. */
export const TRANSACTION_CHANCES: readonly [number, ...number[]] = [0, 0, 0, 0.5];

/** Of those steps, and of others that transactions had better meet. */
export const TRANSACTION_WEIGHTS: Readonly<Record<TransactingStepName | "clear" | "flush", number>> = {
  "open-transaction": 4,
  "transaction-get": 3,
  "transaction-scan": 3,
  "transaction-write": 4,
  "end-transaction": 4,
  update: 2,
  clear: 0.7,
  flush: 0.7,
};

/** Of the runs: how likely it is that a step of rows with indexes comes before another one. */
export const INDEX_CHANCES: readonly [number, ...number[]] = [0, 0, 0, 0.3, 0.6];

/** Of those steps. */
export const INDEX_WEIGHTS: Readonly<Record<IndexStep["step"], number>> = {
  "index-write": 30,
  "index-clear": 0.7,
  "index-build": 2,
  "index-verify": 1,
};

/** Actions that are tried, and tried again, around most pairs, with their weights. */
export const RETRIED_WEIGHTS: Readonly<Record<RetriedStep, number>> = {
  flush: 4,
  compact: 1,
  sync: 1,
  put: 2,
  close: 1,
  backup: 1,
  "add-consumer": 1,
};

export type RetriedStep = "flush" | "compact" | "sync" | "put" | "close" | "backup" | "add-consumer";

/**
 * Gives each run a character of its own: some steps come more often, others hardly or never. A bug that needs two rare
 * things together is found by the runs in which both are frequent ("Swarm Testing", ISSTA 2012).
 */
export function vary<K extends string>(
  weights: Readonly<Record<K, number>>,
  random: Random,
): Record<K, number> {
  const varied: Record<K, number> = { ...weights };
  for (const name of Object.keys(weights) as K[])
    varied[name] = weights[name] * random.pick([0, 0.3, 1, 1, 1, 3]);
  return varied;
}

/** One of the names, by weight; the first where all weigh nothing. */
export function pickByWeight<K extends string>(weights: Readonly<Record<K, number>>, random: Random): K {
  const entries = Object.entries(weights) as [K, number][];
  let left = (random.uint32() / 2 ** 32) * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return (entries[0] as [K, number])[0];
}
