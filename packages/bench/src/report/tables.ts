import type { Run } from "../run.js";
import { figureOf } from "../statistics.js";
import type { Row } from "../workload.js";

/** Rows and systems, medians. The best of the stores that keep their data on disk is bold. */
export function figuresTable(
  run: Run,
  rows: readonly Row[],
  format: (value: number) => string,
  titleOf = ({ title, unit }: Row) => `${title} (${unit})`,
): string {
  const names = run.systems.map(({ name }) => name);
  const onDisk = new Set(
    run.systems
      .filter(({ name, durable }) => durable !== undefined && name !== "raw loop")
      .map(({ name }) => name),
  );
  const lines = rows.map((row) => {
    const medians = names.map((system) => figureOf(run.samples, { row: row.id, system })?.median);
    const stores = medians.filter(
      (median, i) => median !== undefined && onDisk.has(names[i] ?? ""),
    ) as number[];
    const best = row.better === "higher" ? Math.max(...stores) : Math.min(...stores);
    const cells = medians.map((median, i) => {
      if (median === undefined) return "";
      const isBest = stores.length > 1 && median === best && onDisk.has(names[i] ?? "");
      return isBest ? `**${format(median)}**` : format(median);
    });
    return [titleOf(row), ...cells];
  });
  return table(["", ...names], lines);
}

/** Markdown. Columns of `figures` are to the right; absent: all but the first. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  figures: readonly number[] = head.map((_, i) => i).slice(1),
): string {
  const alignment = head.map((_, i) => (figures.includes(i) ? "--:" : "---"));
  return [head, alignment, ...rows.map((row) => row.map(escapeCell))].map(toLine).join("\n");
}

function toLine(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|");
}
