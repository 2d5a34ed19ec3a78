import type { Run } from "../run.js";
import { figureOf, type Spread } from "../statistics.js";
import { formatShort } from "./format.js";
import { PLOT_ROWS } from "./summary.js";

const WIDTH = 860;
const COLUMNS = 2;
const COLUMN_WIDTH = WIDTH / COLUMNS;
/** Of the bars, from the left edge of a column. */
const PLOT_LEFT = 104;
const PLOT_RIGHT = COLUMN_WIDTH - 50;
const BAR_HEIGHT = 11;
const BAR_STEP = 15;
const GROUP_HEAD = 20;
const GROUP_GAP = 14;
const TOP = 62;

interface Bar {
  readonly system: string;
  readonly spread: Spread;
}

interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

// Text and grid take the reader's colours; a page in dark and one in light show the same plot.
const STYLE = `
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .note, .axis { fill: #59636e; font-size: 11px; }
  .group { font-weight: 600; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .whisker { stroke: #1f2328; stroke-width: 1; opacity: 0.55; }
  .kaya { fill: #0969da; }
  .raw { fill: none; stroke: #59636e; stroke-dasharray: 3 2; }
  .peer { fill: #afb8c1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .note, .axis { fill: #9198a1; }
    .grid { stroke: #30363d; }
    .whisker { stroke: #f0f6fc; }
    .kaya { fill: #4493f8; }
    .raw { stroke: #9198a1; }
    .peer { fill: #545d68; }
  }`;

/** Bars of the rates that tell most, on one logarithmic scale, in two columns; a whisker from the least to the most. */
export function toSvg(run: Run): string {
  const groups = groupsOf(run);
  const scale = scaleOf(groups);
  const half = Math.ceil(groups.length / COLUMNS);
  const columns = [groups.slice(0, half), groups.slice(half)].filter((column) => column.length > 0);
  const height = TOP + Math.max(0, ...columns.map(heightOf)) + 6;
  const { date, commit, cpu, fileSystem, node } = run.machine;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">
<title id="title">Kaya beside its peers, operations per second</title>
<style>${STYLE}
</style>
<text class="title" x="12" y="22">Operations per second, logarithmic scale; longer is better</text>
<text class="note" x="12" y="39">${escapeXml(`${date}, ${commit}, ${cpu}, ${fileSystem}, Node ${node}, ${run.mode} mode`)}</text>
${columns.map((column, i) => columnMarks(column, i * COLUMN_WIDTH, height, scale)).join("\n")}
</svg>
`;
}

function heightOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { bars }) => sum + GROUP_HEAD + bars.length * BAR_STEP + GROUP_GAP, 0);
}

function columnMarks(groups: readonly Group[], left: number, height: number, scale: LogScale): string {
  let y = TOP;
  const body = groups.map((group) => {
    const marks = groupMarks(group, y, scale);
    y += heightOf([group]);
    return marks;
  });
  return `<g transform="translate(${left})">
${[gridMarks(scale, height), ...body].join("\n")}
</g>`;
}

/** The rows of the plot, or all rates of a run that has none of those; what only one system has is left out. */
function groupsOf(run: Run): Group[] {
  const rates = run.rows.filter(({ better }) => better === "higher");
  const rows = rates.filter(({ id }) => PLOT_ROWS.includes(id));
  return (rows.length === 0 ? rates : rows)
    .map((row) => ({
      title: `${row.title} (${row.unit})`,
      bars: run.systems.flatMap(({ name }) => {
        const spread = figureOf(run.samples, { row: row.id, system: name });
        return spread === undefined || spread.min <= 0 ? [] : [{ system: name, spread }];
      }),
    }))
    .filter(({ bars }) => bars.length > 1);
}

interface LogScale {
  /** Powers of ten, from the least to the most. */
  readonly from: number;
  readonly to: number;
  x(value: number): number;
}

function scaleOf(groups: readonly Group[]): LogScale {
  const spreads = groups.flatMap(({ bars }) => bars.map(({ spread }) => spread));
  const from = Math.floor(Math.log10(Math.min(...spreads.map(({ min }) => min), 1e9)));
  const to = Math.ceil(Math.log10(Math.max(...spreads.map(({ max }) => max), 10)));
  const start = Math.min(from, to - 1);
  const x = (value: number) =>
    PLOT_LEFT + ((Math.log10(value) - start) / (to - start)) * (PLOT_RIGHT - PLOT_LEFT);
  return { from: start, to, x };
}

function gridMarks({ from, to, x }: LogScale, height: number): string {
  const marks = Array.from({ length: to - from + 1 }, (_, i) => {
    const at = round(x(10 ** (from + i)));
    return `<line class="grid" x1="${at}" y1="${TOP - 4}" x2="${at}" y2="${height - 8}"/>
<text class="axis" x="${at}" y="${TOP - 8}" text-anchor="middle">${formatShort(10 ** (from + i))}</text>`;
  });
  return marks.join("\n");
}

function groupMarks({ title, bars }: Group, top: number, scale: LogScale): string {
  const head = `<text class="group" x="12" y="${top + 13}">${escapeXml(title)}</text>`;
  return [head, ...bars.map((bar, i) => barMarks(bar, top + GROUP_HEAD + i * BAR_STEP, scale))].join("\n");
}

function barMarks({ system, spread }: Bar, y: number, { x }: LogScale): string {
  const end = round(x(spread.median));
  const middle = y + BAR_HEIGHT / 2;
  const [low, high] = [round(x(spread.min)), round(x(spread.max))];
  return `<text x="${PLOT_LEFT - 8}" y="${y + 10}" text-anchor="end">${escapeXml(system)}</text>
<rect class="${classOf(system)}" x="${PLOT_LEFT}" y="${y}" width="${round(end - PLOT_LEFT)}" height="${BAR_HEIGHT}" rx="2"/>
<line class="whisker" x1="${low}" y1="${middle}" x2="${high}" y2="${middle}"/>
<text class="note" x="${Math.max(end, high) + 6}" y="${y + 10}">${formatShort(spread.median)}</text>`;
}

function classOf(system: string): string {
  if (system === "kaya") return "kaya";
  return system === "raw loop" ? "raw" : "peer";
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
