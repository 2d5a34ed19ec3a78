import { type Explorable, type ExploreOptions, explore } from "./explore.js";
import type { ExplorationReport } from "./report.js";
import { type Reproduction, reproduce } from "./reproduce.js";
import type { CrashViolation } from "./violation.js";

/** How much to explore, and from which seed. */
export type ExplorationBudget = Omit<ExploreOptions<unknown>, "workload" | "check">;

/** A workload and its check under a name, whatever their items are. */
export interface Scenario {
  readonly name: string;
  explore(budget?: ExplorationBudget): Promise<ExplorationReport>;
  reproduce(violation: Pick<CrashViolation, "seed" | "crashes">): Promise<Reproduction<unknown>>;
}

/** @param limits of this scenario, where the budget names none */
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
