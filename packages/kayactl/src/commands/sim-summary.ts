import type { SimulationResult, SimulationSummary } from "@kaya/sim";
import { table } from "../terminal/columns.js";
import type { Output } from "../terminal/output.js";
import { escapeLines, escapeText } from "../terminal/text.js";
import { formatCount, formatDuration, plural } from "../units.js";
import type { SavedTrace } from "./sim-trace.js";

export interface RunsReport {
  readonly summary: SimulationSummary;
  readonly seeds: { readonly from: number; readonly to: number };
  readonly operations: number;
  readonly isInterrupted: boolean;
  /** Of the first failure. */
  readonly saved: SavedTrace | undefined;
  readonly durationMs: number;
}

const MOST_FAILURES = 10;

export function summaryJson({
  summary,
  seeds,
  operations,
  isInterrupted,
  saved,
  durationMs,
}: RunsReport): object {
  const { failures, ...counts } = summary;
  return {
    ok: failures.length === 0 && !isInterrupted,
    interrupted: isInterrupted,
    seeds,
    operations,
    ...counts,
    durationMs: Math.round(durationMs),
    failures: failures.map(({ seed, violation }) => ({ seed, ...violation, again: again(seed, operations) })),
    ...(saved !== undefined && { trace: saved.path, traceSteps: saved.steps }),
  };
}

export async function printSummary(out: Output, report: RunsReport): Promise<void> {
  const { summary, seeds, operations, isInterrupted, saved, durationMs } = report;
  const { failures, runs } = summary;
  const { bold, green, red, yellow } = out.colors;
  const verdict = failures.length > 0 ? red("FAILED") : isInterrupted ? yellow("INTERRUPTED") : green("OK");
  const range = runs > 1 ? `seeds ${seeds.from} to ${seeds.from + runs - 1}` : `seed ${seeds.from}`;
  await out.line(`${bold(verdict)} ${range}, ${plural(operations, "step")} each`);
  await out.line(table([...summaryRows(summary), ["took", formatDuration(durationMs)]]));
  for (const failure of failures.slice(0, MOST_FAILURES)) {
    await out.line(red(describeFailure(failure)));
    await out.line(`  again: ${again(failure.seed, operations)}`);
    if (saved === undefined || failure !== failures[0]) continue;
    await out.line(
      `  shrunk to ${plural(saved.steps, "step")}: kayactl sim replay ${escapeText(saved.path)}`,
    );
  }
  if (failures.length > MOST_FAILURES) {
    await out.line(`and ${formatCount(failures.length - MOST_FAILURES)} more`);
  }
}

/** One run in words: what broke, and where. */
export function describeFailure({ seed, violation }: SimulationResult): string {
  if (violation === undefined) return `seed ${seed}: nothing was wrong`;
  const { step, rule, message } = violation;
  return `seed ${seed}, step ${step}: ${rule}: ${escapeLines(message)}`;
}

/** What a run and many of them have in common. */
type Counts = Omit<SimulationSummary, "runs" | "failures">;

export function countRows(counts: Counts): [name: string, value: string][] {
  const faults = Object.entries(counts.faults).map(([kind, count]) => `${kind} ${formatCount(count)}`);
  return [
    ["steps", formatCount(counts.steps)],
    ["disk operations", formatCount(counts.diskOperations)],
    ["acknowledged", formatCount(counts.acknowledged)],
    ["reads", formatCount(counts.reads)],
    ["crashes", formatCount(counts.crashes)],
    ["kills", formatCount(counts.kills)],
    ["reopenings", formatCount(counts.reopenings)],
    ["flushes, compactions", `${formatCount(counts.flushes)}, ${formatCount(counts.compactions)}`],
    ["faults", faults.join(", ")],
  ];
}

function summaryRows(summary: SimulationSummary): [name: string, value: string][] {
  const { runs, failures } = summary;
  return [["runs", formatCount(runs)], ...countRows(summary), ["failures", formatCount(failures.length)]];
}

function again(seed: number, operations: number): string {
  return `kayactl sim run --seed ${seed} --ops ${operations} --runs 1`;
}
