const COLUMNS = [
  { title: "mutant", width: 60, of: ({ name }) => name },
  { title: "rule", width: 6, of: ({ rule }) => rule },
  {
    title: "found by",
    width: 48,
    of: ({ outcome, foundBy }) => (outcome === "found" ? foundBy : outcome.toUpperCase()),
  },
  { title: "after", width: 12, of: ({ cost }) => cost },
];

export const TABLE_HEAD = [
  line((column) => column.title, "ms"),
  line(({ width }) => "-".repeat(width), "-----"),
].join("\n");

/** @param {import("./harness.mjs").MutantResult} result */
export function tableRow(result) {
  return line((column) => column.of(result), String(result.ms));
}

function line(cellOf, last) {
  return [...COLUMNS.map((column) => cellOf(column).padEnd(column.width)), last.padStart(5)].join("  ");
}
