import { type GenerateClusterOptions, generateClusterSteps } from "./generate.js";
import { lookBack } from "./look-back.js";
import type { ClusterStep } from "./steps.js";
import { ClusterRuleBroken, type ClusterViolation } from "./violation.js";
import { ClusterWorld } from "./world.js";

/** The result of one run, and the first violation in it. */
export interface ClusterSimulationResult {
  /** The seed of the run. */
  readonly seed: number;
  /** The number of steps that were run. */
  readonly steps: number;
  /** The number of calls of the shared log. */
  readonly calls: number;
  /** The number of epochs, which is the number of successful claims. */
  readonly epochs: number;
  /** The number of records in the shared log. */
  readonly records: number;
  /** How often the clients got each kind of answer. */
  readonly clients: {
    /** The number of acknowledged writes. */
    readonly acknowledged: number;
    /** The number of writes with an unknown outcome. */
    readonly inDoubt: number;
    /** The number of refused writes. */
    readonly refused: number;
    /** The number of writes whose condition did not hold. */
    readonly conflicts: number;
    /** The number of linearizable reads that got an answer. */
    readonly reads: number;
    /** The number of local reads that got an answer. */
    readonly localReads: number;
  };
  /** The number of calls of the shared log and of the blob store, by kind. */
  readonly callsByKind: Readonly<Record<string, number>>;
  /** The number of injected faults, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** The duration of the run in virtual milliseconds. */
  readonly virtualMs: number;
  /** A hash of all that happened: two runs in which the same happened have the same digest. */
  readonly digest: string;
  /** The broken promise; absent if the run found none. */
  readonly violation?: ClusterViolation;
}

/**
 * Runs one simulation from a seed: three nodes over one shared log, clients, and faults everywhere. It compares all answers that the
 * clients got with the shared log. A violation is in the result; the promise does not reject.
 */
export function runClusterSimulation(options: GenerateClusterOptions): Promise<ClusterSimulationResult> {
  return runClusterSteps(options.seed, generateClusterSteps(options));
}

/** Runs given steps in the way of `runClusterSimulation`: those of a run, or a part of them. */
export function runClusterSteps(
  seed: number,
  steps: readonly ClusterStep[],
): Promise<ClusterSimulationResult> {
  return runIn(new ClusterWorld(seed), seed, steps);
}

/** Runs steps in a world. A violation is in the result; the promise does not reject. */
export async function runIn(
  world: ClusterWorld,
  seed: number,
  steps: readonly ClusterStep[],
): Promise<ClusterSimulationResult> {
  let index = 0;
  try {
    for (const node of world.nodes) node.open();
    await world.run({ step: "advance", ms: 100 });
    for (const step of steps) {
      await world.run(step);
      index++;
    }
    await lookBack(world);
    return resultOf(seed, index, world);
  } catch (error) {
    const rule = error instanceof ClusterRuleBroken ? error.rule : "unexpected-error";
    const message =
      error instanceof ClusterRuleBroken
        ? error.message
        : error instanceof Error
          ? `${error.stack}`
          : `${error}`;
    return { ...resultOf(seed, index, world), violation: { rule, step: index, message } };
  }
}

function resultOf(
  seed: number,
  steps: number,
  { clients, clock, log, struck, calls }: ClusterWorld,
): ClusterSimulationResult {
  return {
    seed,
    steps,
    calls: log.calls,
    epochs: log.head?.epoch ?? 0,
    records: log.head?.lsn ?? 0,
    clients: { ...clients.counts },
    callsByKind: { ...calls },
    faults: { ...struck },
    virtualMs: clock.now(),
    digest: digestOf(
      JSON.stringify([log.calls, clock.now(), log.history.map(({ bytes }) => [...bytes]), clients.writes]),
    ),
  };
}

/** The FNV-1a hash of a text. */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Describes the violation, with the command that repeats the run. */
export function describeClusterViolation(result: ClusterSimulationResult, steps: number): string {
  const { seed, violation } = result;
  if (violation === undefined) return `seed ${seed}: no violation`;
  return [
    `seed ${seed}, step ${violation.step}: ${violation.rule}: ${violation.message}`,
    `run it again: node packages/cluster/torture/main.mjs --seeds ${seed}..${seed} --steps ${steps} --no-explorer --no-chaos`,
  ].join("\n");
}
