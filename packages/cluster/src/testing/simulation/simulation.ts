import { type GenerateClusterOptions, generateClusterSteps } from "./generate.js";
import { lookBack } from "./look-back.js";
import type { ClusterStep } from "./steps.js";
import { ClusterRuleBroken, type ClusterViolation } from "./violation.js";
import { ClusterWorld } from "./world.js";

/** What one run did, and the first thing that went wrong in it. */
export interface ClusterSimulationResult {
  /** The seed of the run. */
  readonly seed: number;
  /** Steps that were carried out. */
  readonly steps: number;
  /** Calls of the shared log. */
  readonly calls: number;
  /** Epochs that began: claims that were done. */
  readonly epochs: number;
  /** Records in the shared log. */
  readonly records: number;
  /** The answers that clients got. */
  readonly clients: {
    /** Writes that were acknowledged. */
    readonly acknowledged: number;
    /** Writes whose error left their fate open. */
    readonly inDoubt: number;
    /** Writes that were refused. */
    readonly refused: number;
    /** Writes whose condition did not hold. */
    readonly conflicts: number;
    /** Linearizable reads with an answer. */
    readonly reads: number;
    /** Local reads with an answer. */
    readonly localReads: number;
  };
  /** Calls of the shared log, by kind. */
  readonly callsByKind: Readonly<Record<string, number>>;
  /** Faults that struck, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** How long the run took, in virtual milliseconds. */
  readonly virtualMs: number;
  /** Two runs in which the same happened have the same. */
  readonly digest: string;
  /** The broken promise; absent if none was found. */
  readonly violation?: ClusterViolation;
}

/**
 * One seeded run of three nodes over one shared log, with clients that call and faults everywhere; everything that clients were told is compared with
 * what the shared log has. It never rejects over what it finds.
 */
export function runClusterSimulation(options: GenerateClusterOptions): Promise<ClusterSimulationResult> {
  return runClusterSteps(options.seed, generateClusterSteps(options));
}

/** Runs given steps as `runClusterSimulation` does: those of a run, or a part of them. */
export function runClusterSteps(
  seed: number,
  steps: readonly ClusterStep[],
): Promise<ClusterSimulationResult> {
  return runIn(new ClusterWorld(seed), seed, steps);
}

/** Never rejects over what it finds. */
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

/** FNV-1a. */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** What failed, and the command that shows it again. */
export function describeClusterViolation(result: ClusterSimulationResult, steps: number): string {
  const { seed, violation } = result;
  if (violation === undefined) return `seed ${seed}: nothing was wrong`;
  return [
    `seed ${seed}, step ${violation.step}: ${violation.rule}: ${violation.message}`,
    `run it again: node packages/cluster/torture/main.mjs --seeds ${seed}..${seed} --steps ${steps} --no-explorer --no-chaos`,
  ].join("\n");
}
