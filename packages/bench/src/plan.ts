import type { Options } from "./options.js";
import type { System } from "./system.js";
import { SYSTEMS } from "./systems/all.js";
import type { Row, Workload } from "./workload.js";
import { WORKLOADS } from "./workloads/all.js";

export interface PlannedWorkload {
  readonly workload: Workload;
  readonly rows: readonly Row[];
  readonly systems: readonly System[];
}

/** What is measured: the workloads that have a row and a system that is asked for. */
export function planOf(options: Pick<Options, "scale" | "only" | "systems">): PlannedWorkload[] {
  const systems = SYSTEMS.filter(({ name }) => options.systems.includes(name));
  return WORKLOADS.map((workload) => ({
    workload,
    rows: workload.rows(options.scale).filter(({ id }) => isWanted(id, options)),
    systems: systems.filter((system) => workload.runsOn(system)),
  })).filter((planned) => planned.rows.length > 0 && planned.systems.length > 0);
}

function isWanted(rowId: string, { only, scale }: Pick<Options, "scale" | "only">): boolean {
  if (only !== undefined) return only.test(rowId);
  return !scale.leaveOut.some((name) => rowId.startsWith(`${name}/`));
}

/** The systems of a round: each round another one is first, so that none is always behind the same. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
