import { columns } from "../terminal/columns.js";
import { formatCount, formatDuration } from "../units.js";
import type { BenchResult, BenchRow } from "./run-bench.js";

/** From here on rounds tell more of what disturbed them than of the disk. */
const WIDE = 2;
const MOST_NAMED = 3;
/** The rows of a bench under each other. */
export function benchLines({ rows }: BenchResult): string[] {
  const cells = rows.map((row) => [
    row.name,
    valueText(row, row.median),
    roundsText(row),
    ...latencyCells(row),
  ]);
  return columns([["", "median", "rounds", "p50", "p99", "most"], ...cells], [0]);
}

function latencyCells({ latency }: BenchRow): string[] {
  if (latency === undefined) return ["", "", ""];
  return [latency.p50, latency.p99, latency.max].map(time);
}

function valueText({ unit }: BenchRow, value: number): string {
  return unit === "ms" ? time(value) : `${formatCount(significant(value))}/s`;
}

function roundsText({ unit, min, max }: BenchRow): string {
  const text = unit === "ms" ? time : (value: number) => formatCount(significant(value));
  return `${text(min)} to ${text(max)}`;
}

/** Three digits: a run cannot tell more. */
function significant(value: number): number {
  return value < 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

function time(ms: number): string {
  return ms < 1 ? `${ms.toFixed(3)} ms` : formatDuration(ms);
}

/** How to read it, and what to doubt of it. */
export function benchNotes({ rows, entries }: BenchResult): string[] {
  const wide = rows.filter(({ min, max }) => max > WIDE * min).map(({ name }) => `"${name}"`);
  const notes = [
    "A durable put alone takes about as long as the first row: it waits for an fsync. Writes that are under way together share one, so begin the next ones before the last are acknowledged.",
    `p50, p99 and most are the times of single operations. The store has ${formatCount(entries)} entries, all in memory: a larger one reads from the disk.`,
  ];
  if (wide.length > 0)
    notes.push(
      `The rounds of ${wide.length > MOST_NAMED ? "most measures" : wide.join(", ")} differ by more than a factor of ${WIDE}: something else uses the disk or the processor. Measure again, longer (--seconds), on a quiet machine.`,
    );
  return notes;
}
