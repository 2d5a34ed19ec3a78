import type { Run } from "../run.js";
import { type Figure, figureOf, ratioOf, type Spread, valuesOf } from "../statistics.js";
import { type Reference, TARGETS, type Target } from "../targets.js";
import { type Bottleneck, bottleneckOf, limitOf, type Usage } from "../usage.js";
import { formatFigure, formatRatio } from "./format.js";

const KAYA = "kaya";

/** A target and its result. */
export interface Verdict {
  readonly title: string;
  /** `>= 0.9 x raw loop`. */
  readonly target: string;
  /** Of the ratio, or of the figure itself where the target is absolute. Absent where it was not measured. */
  readonly found?: Spread;
  readonly isRatio: boolean;
  readonly isReached?: boolean;
  /** The likely bottleneck, in a sentence with its figures. Present if the target is missed and the machine's usage was recorded. */
  readonly limit?: string;
  /** The same, in a word or two. */
  readonly bottleneck?: Bottleneck;
}

/** Of each target whose rows the run has. */
export function verdictsOf(run: Run, targets: readonly Target[] = TARGETS): Verdict[] {
  const rows = new Set(run.rows.map(({ id }) => id));
  return targets
    .filter(({ row, reference }) => rows.has(row) && rows.has(rowOf(reference) ?? row))
    .map((target) => verdictOf(run, target));
}

function rowOf(reference: Reference): string | undefined {
  return "row" in reference ? reference.row : undefined;
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

function outcomeOf(
  run: Run,
  target: Target,
  found: Spread,
): Pick<Verdict, "found" | "isReached" | "limit" | "bottleneck"> {
  if (isReached(target, found.median)) return { found, isReached: true };
  const usage = usageOf(run, { row: target.row, system: KAYA });
  return {
    found,
    isReached: false,
    ...(usage && { limit: limitOf(usage), bottleneck: bottleneckOf(usage) }),
  };
}

/** Of the round whose figure is the median, or next to it. */
function usageOf(run: Run, figure: Figure): Usage | undefined {
  const samples = valuesOf(run.samples, figure).filter(({ usage }) => usage !== undefined);
  return [...samples].sort((a, b) => a.value - b.value)[samples.length >> 1]?.usage;
}

function referenceOf(run: Run, { row, reference }: Target): Figure | undefined {
  switch (reference.kind) {
    case "system":
      return { row, system: reference.system };
    case "row":
      return { row: reference.row, system: KAYA };
    case "best":
      return bestOf(run, reference.row ?? row, reference.systems);
    case "absolute":
      return undefined;
  }
}

function bestOf(run: Run, row: string, systems: readonly string[]): Figure | undefined {
  const measured = systems.flatMap((system) => {
    const median = figureOf(run.samples, { row, system })?.median ?? 0;
    return median > 0 ? [{ system, median }] : [];
  });
  const isLess = run.rows.find(({ id }) => id === row)?.better === "lower";
  const [best] = measured.sort((a, b) => (isLess ? a.median - b.median : b.median - a.median));
  return best && { row, system: best.system };
}

function nameOf(run: Run, reference: Reference, system: string | undefined): string {
  if (reference.kind === "row") return titleOf(run, reference.row);
  if (reference.kind !== "best") return system ?? "";
  const where = reference.row === undefined ? "" : ` in "${titleOf(run, reference.row)}"`;
  return `best peer (${system ?? "none measured"})${where}`;
}

function titleOf(run: Run, row: string): string {
  return run.rows.find(({ id }) => id === row)?.title ?? row;
}

function boundOf({ atLeast, atMost }: Target, isRatio: boolean): string {
  const format = isRatio ? formatRatio : formatFigure;
  return atLeast !== undefined ? `≥ ${format(atLeast)}` : `≤ ${format(atMost ?? 0)}`;
}

function isReached({ atLeast, atMost }: Target, median: number): boolean {
  return (atLeast === undefined || median >= atLeast) && (atMost === undefined || median <= atMost);
}
