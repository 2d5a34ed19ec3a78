import { padEnd, textWidth } from "./text.js";

/**
 * Rows as lines, their cells under each other two spaces apart.
 * @param left the columns that begin at the same place; the others end at the same place, as figures do
 */
export function columns(rows: readonly (readonly string[])[], left: readonly number[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, textWidth(cell));
  }
  const toWidth = (cell: string, column: number) => {
    const width = widths[column] ?? 0;
    return left.includes(column) ? padEnd(cell, width) : cell.padStart(width + cell.length - textWidth(cell));
  };
  return rows.map((row) => row.map(toWidth).join("  ").trimEnd());
}
