import { type Explorable, type ExploreOptions, explore } from "./explore.js";
import type { ExplorationReport } from "./report.js";
import { type Reproduction, reproduce } from "./reproduce.js";
import type { CrashViolation } from "./violation.js";

/** How much to explore, and from which seed. */
export type ExplorationBudget = Omit<ExploreOptions<unknown>, "workload" | "check">;

/** A workload and its check under a name, whatever their items are. */
export interface Scenario {
  /** The name of the scenario. */
  readonly name: string;
  /** Explores the scenario within a budget. */
  explore(budget?: ExplorationBudget): Promise<ExplorationReport>;
  /** Makes one violation again: the same crashes, on the same workload. */
  reproduce(violation: Pick<CrashViolation, "seed" | "crashes">): Promise<Reproduction<unknown>>;
}

/**
 * Makes a scenario of a name, a workload and its check.
 *
 * @param limits the limits of this scenario, if the budget names none
 */
export function scenario<T>(
  name: string,
  explorable: Explorable<T>,
  limits: ExplorationBudget = {},
): Scenario {
  return {
    name,
    explore: (budget = {}) => explore({ ...limits, ...budget, ...explorable }),
    reproduce: (violation) => reproduce(explorable, violation),
  };
}
