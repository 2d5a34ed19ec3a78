import type { Run } from "../run.js";
import { type Figure, figureOf, ratioOf, type Spread, valuesOf } from "../statistics.js";
import { type Reference, TARGETS, type Target } from "../targets.js";
import { limitOf, type Usage } from "../usage.js";
import { formatFigure, formatRatio } from "./format.js";

const KAYA = "kaya";

/** A target, and what became of it. */
export interface Verdict {
  readonly title: string;
  /** `>= 0.9 x raw loop`. */
  readonly target: string;
  /** Of the ratio, or of the figure itself where the target is absolute. Absent where it was not measured. */
  readonly found?: Spread;
  readonly isRatio: boolean;
  readonly isReached?: boolean;
  /** The likely bottleneck. Present if the target is missed and the machine's usage was recorded. */
  readonly limit?: string;
}

/** Of each target whose row the run has. */
export function verdictsOf(run: Run, targets: readonly Target[] = TARGETS): Verdict[] {
  return targets
    .filter(({ row }) => run.rows.some(({ id }) => id === row))
    .map((target) => verdictOf(run, target));
}

function verdictOf(run: Run, target: Target): Verdict {
  const row = run.rows.find(({ id }) => id === target.row);
  const isRatio = target.reference.kind !== "absolute";
  const figure = { row: target.row, system: KAYA };
  const reference = referenceOf(run, target);
  const found = isRatio
    ? reference && ratioOf(run.samples, figure, reference)
    : figureOf(run.samples, figure);
  const name = nameOf(run, target.reference, reference?.system);
  return {
    title: row?.title ?? target.row,
    target: `${boundOf(target, isRatio)} ${isRatio ? name : (row?.unit ?? "")}`,
    isRatio,
    ...(found !== undefined && outcomeOf(run, target, found)),
  };
}

function outcomeOf(run: Run, target: Target, found: Spread): Pick<Verdict, "found" | "isReached" | "limit"> {
  if (isReached(target, found.median)) return { found, isReached: true };
  const usage = usageOf(run, { row: target.row, system: KAYA });
  return { found, isReached: false, ...(usage && { limit: limitOf(usage) }) };
}

/** Of the round whose figure is the median, or next to it. */
function usageOf(run: Run, figure: Figure): Usage | undefined {
  const samples = valuesOf(run.samples, figure).filter(({ usage }) => usage !== undefined);
  return [...samples].sort((a, b) => a.value - b.value)[samples.length >> 1]?.usage;
}

function referenceOf(
  run: Run,
  { row, reference }: Target,
): { readonly row: string; readonly system: string } | undefined {
  switch (reference.kind) {
    case "system":
      return { row, system: reference.system };
    case "row":
      return { row: reference.row, system: KAYA };
    case "best":
      return bestOf(run, row, reference.systems);
    case "absolute":
      return undefined;
  }
}

function bestOf(run: Run, row: string, systems: readonly string[]) {
  const medianOf = (system: string) => figureOf(run.samples, { row, system })?.median ?? 0;
  const measured = systems.filter((system) => medianOf(system) > 0);
  if (measured.length === 0) return undefined;
  const system = measured.reduce((best, next) => (medianOf(next) > medianOf(best) ? next : best));
  return { row, system };
}

function nameOf(run: Run, reference: Reference, system: string | undefined): string {
  if (reference.kind === "row") {
    return run.rows.find(({ id }) => id === reference.row)?.title ?? reference.row;
  }
  return reference.kind === "best" ? `best peer (${system ?? "none measured"})` : (system ?? "");
}

function boundOf({ atLeast, atMost }: Target, isRatio: boolean): string {
  const format = isRatio ? formatRatio : formatFigure;
  return atLeast !== undefined ? `≥ ${format(atLeast)}` : `≤ ${format(atMost ?? 0)}`;
}

function isReached({ atLeast, atMost }: Target, median: number): boolean {
  return (atLeast === undefined || median >= atLeast) && (atMost === undefined || median <= atMost);
}
