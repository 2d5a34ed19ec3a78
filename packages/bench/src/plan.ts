import type { Options } from "./options.js";
import type { Scale } from "./scale.js";
import type { System } from "./system.js";
import { SYSTEMS } from "./systems/all.js";
import type { Row, Workload } from "./workload.js";
import { WORKLOADS } from "./workloads/all.js";

export interface PlannedWorkload {
  readonly workload: Workload;
  readonly rows: readonly Row[];
  readonly systems: readonly System[];
  readonly rounds: number;
}

/** The workloads with a requested row and system. */
export function planOf(options: Pick<Options, "scale" | "only" | "systems">): PlannedWorkload[] {
  const systems = SYSTEMS.filter(({ name }) => options.systems.includes(name));
  return WORKLOADS.map((workload) => ({
    workload,
    rows: workload.rows(options.scale).filter(({ id }) => isWanted(id, options)),
    systems: systems.filter((system) => workload.runsOn(system)),
    rounds: roundsOf(workload, options.scale),
  })).filter((planned) => planned.rows.length > 0 && planned.systems.length > 0);
}

function isWanted(rowId: string, { only, scale }: Pick<Options, "scale" | "only">): boolean {
  if (only !== undefined) return only.test(rowId);
  return !scale.leaveOut.some((name) => rowId.startsWith(`${name}/`));
}

function roundsOf({ name, mostRounds = Number.POSITIVE_INFINITY }: Workload, scale: Scale): number {
  return Math.min(scale.roundsOf[name] ?? scale.rounds, mostRounds);
}

/** The systems of a round: each round another one is first, so that none is always behind the same. */
export function rotated<T>(items: readonly T[], round: number): T[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

/** Measurements of a workload in one round of one system: rows that are measured together count once. */
export function measurementsOf({ rows }: Pick<PlannedWorkload, "rows">): number {
  return new Set(rows.map(({ id, measuredWith }) => measuredWith ?? id)).size;
}

/**
 * A line a workload and one for all: rows x systems x rounds x seconds. Timed work is known before; filling, loading, opening and reading
 * once come on top, and rows that count work instead of time take their own.
 */
export function describePlan(plan: readonly PlannedWorkload[], scale: Scale): string {
  const lines = plan.map((planned) => {
    const { workload, rows, systems, rounds } = planned;
    const measurements = measurementsOf(planned);
    const secondsEach = ((workload.timesLonger ?? 1) * (scale.warmUpMs + scale.measureMs)) / 1000;
    const seconds = measurements * systems.length * rounds * secondsEach;
    const text =
      `${workload.name}: ${rows.length} rows by ${measurements} measurements x ${systems.length} systems x ${rounds} rounds ` +
      `x ${secondsEach} s = ${Math.round(seconds)} s`;
    return { text, seconds };
  });
  const total = lines.reduce((sum, { seconds }) => sum + seconds, 0);
  const all = `in all ${(total / 60).toFixed(1)} minutes are timed; filling, opening and closing come on top`;
  return [...lines.map(({ text }) => text), all].join("\n");
}
