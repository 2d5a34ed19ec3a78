import { type GenerateOptions, generateTrace } from "./generate.js";
import type { SimulationResult } from "./result.js";
import { runTrace } from "./run-trace.js";
import type { SimulationTarget } from "./target.js";

/** The options of one simulated run. */
export interface SimulationOptions extends GenerateOptions {
  /** What is tested. Default: the engine as it is. */
  readonly target?: SimulationTarget;
}

/** One seeded run: its steps are made, carried out and compared with the model. It never rejects over what it finds. */
export function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  return runTrace(generateTrace(options), options.target);
}

/** What failed, and how to see it again. */
export function describeViolation(
  result: SimulationResult,
  options: Pick<GenerateOptions, "operations">,
): string {
  const { seed, violation } = result;
  if (violation === undefined) return `seed ${seed}: nothing was wrong`;
  return [
    `seed ${seed}, step ${violation.step}: ${violation.rule}: ${violation.message}`,
    `run it again: kayactl sim run --seed ${seed} --ops ${options.operations} --runs 1`,
  ].join("\n");
}
