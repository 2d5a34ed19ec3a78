import CliTable from "cli-table3";

// No frame: two spaces between the columns and nothing else.
const FRAME = Object.fromEntries(
  [
    "top",
    "top-mid",
    "top-left",
    "top-right",
    "bottom",
    "bottom-mid",
    "bottom-left",
    "bottom-right",
    "left",
    "left-mid",
    "mid",
    "mid-mid",
    "right",
    "right-mid",
  ].map((part) => [part, ""]),
);

/**
 * Rows as lines, their cells under each other two spaces apart.
 * @param left the columns that begin at the same place; the others end at the same place, as figures do
 */
export function columns(rows: readonly (readonly string[])[], left: readonly number[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const table = new CliTable({
    chars: { ...FRAME, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    colAligns: Array.from({ length: count }, (_, column) => (left.includes(column) ? "left" : "right")),
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

/** Names and values under each other. */
export function table(rows: readonly (readonly [name: string, value: string])[]): string {
  return columns(rows, [0, 1]).join("\n");
}
