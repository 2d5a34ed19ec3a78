import type { TableMeta } from "@kaya/lsm";
import { sumLevels, type TablesLook } from "../inspect/tables-look.js";
import { displayBytes } from "../terminal/text.js";
import { formatBytes, formatCount, plural } from "../units.js";
import { text } from "./html-text.js";
import { layOutTables, type TableBox, type TableLane } from "./table-layout.js";

const WIDTH = 1000;
/** Of the names of the levels. */
const LEFT = 64;
const LANE = 26;
const GAP = 4;
/** A box of this width has room for its size. */
const LABELLED = 64;
const SHOWN_KEY = 48;

/** The tables of a data directory, as a picture that needs no script; nothing where there are none. */
export function renderLevels(look: TablesLook): string {
  if (look.tables === 0) return "";
  const lanes = layOutTables(look.levels);
  const hidden = look.tables - lanes.flatMap(({ boxes }) => boxes.flatMap(({ tables }) => tables)).length;
  const height = lanes.length * (LANE + GAP);
  const label = `${plural(look.tables, "table")} on ${plural(sumLevels(look).length, "level")}, by their keys and bytes`;
  return `<section aria-labelledby="levels-title">
<h2 id="levels-title">Tables, level by level</h2>
<svg class="levels" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${text(label)}">
${lanes.map((lane, row) => laneSvg(lane, row, lanes[row - 1]?.level !== lane.level)).join("\n")}
</svg>
<p class="quiet">Keys go from left to right, newer data stands above older. A range of keys is as wide as it has bytes; the orange foot of a table is its share of tombstones.${hidden === 0 ? "" : ` ${plural(hidden, "more table")} of level 0 ${hidden === 1 ? "is" : "are"} not drawn.`} ${text(look.manifest ?? "")} says that they cover the log through LSN ${formatCount(look.coveredLsn)}.</p>
${levelTable(look)}
</section>`;
}

function laneSvg({ level, boxes }: TableLane, row: number, isFirst: boolean): string {
  const top = row * (LANE + GAP);
  const name = isFirst ? `<text class="level-name" x="0" y="${top + LANE / 2}">Level ${level}</text>` : "";
  return name + boxes.map((box) => boxSvg(box, level, top)).join("");
}

function boxSvg({ tables, from, to }: TableBox, level: number, top: number): string {
  const x = LEFT + from * (WIDTH - LEFT);
  const width = Math.max(1, (to - from) * (WIDTH - LEFT) - 1);
  const sum = (of: (table: TableMeta) => number) => tables.reduce((total, table) => total + of(table), 0);
  const bytes = sum(({ fileBytes }) => fileBytes);
  const entries = sum((table) => table.entries);
  const foot = (LANE * sum(({ tombstones }) => tombstones)) / Math.max(1, entries);
  const place = `x="${fixed(x)}" width="${fixed(width)}"`;
  return (
    `<g><title>${titleOf(tables, level).map(text).join("\n")}</title>` +
    `<rect class="table" ${place} y="${top}" height="${LANE}"/>` +
    (foot > 0
      ? `<rect class="dead" ${place} y="${fixed(top + LANE - foot)}" height="${fixed(foot)}"/>`
      : "") +
    (width >= LABELLED
      ? `<text class="table-size" x="${fixed(x + width / 2)}" y="${top + LANE / 2}">${formatBytes(bytes)}</text>`
      : "") +
    "</g>"
  );
}

function titleOf(tables: readonly TableMeta[], level: number): string[] {
  const [first] = tables;
  const last = tables.at(-1);
  if (first === undefined || last === undefined) return [];
  const name =
    tables.length === 1 ? `Table ${first.id.toString(16)}` : `${formatCount(tables.length)} tables`;
  const sum = (of: (table: TableMeta) => number) => tables.reduce((total, table) => total + of(table), 0);
  const deletions = sum(({ tombstones, rangeTombstones }) => tombstones + rangeTombstones);
  return [
    `${name}, level ${level}: ${formatBytes(sum(({ fileBytes }) => fileBytes))}, ${plural(
      sum(({ entries }) => entries),
      "entry",
      "entries",
    )}${deletions === 0 ? "" : `, ${plural(deletions, "deletion")}`}`,
    `from ${shortKey(first.start)}`,
    last.end === undefined ? "to the last key" : `before ${shortKey(last.end)}`,
    `sequences ${formatCount(Math.min(...tables.map(({ smallestSequence }) => smallestSequence)))} to ${formatCount(Math.max(...tables.map(({ largestSequence }) => largestSequence)))}`,
  ];
}

function shortKey(key: Uint8Array): string {
  if (key.length === 0) return "the first key";
  return key.length <= SHOWN_KEY ? displayBytes(key) : `${displayBytes(key.subarray(0, SHOWN_KEY))}…`;
}

function levelTable(look: TablesLook): string {
  const rows = sumLevels(look).map(({ level, tables, bytes, entries, tombstones }) =>
    [String(level), formatCount(tables), formatBytes(bytes), formatCount(entries), formatCount(tombstones)]
      .map((cell) => `<td>${cell}</td>`)
      .join(""),
  );
  const head = ["level", "tables", "bytes", "entries", "tombstones"]
    .map((name) => `<th>${name}</th>`)
    .join("");
  return `<table class="level-table"><thead><tr>${head}</tr></thead><tbody>${rows.map((row) => `<tr>${row}</tr>`).join("")}</tbody></table>`;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
