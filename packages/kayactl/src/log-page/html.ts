import { createHash } from "node:crypto";
import { toJson } from "../bytes.js";
import type { TablesLook } from "../inspect/tables-look.js";
import type { PageData } from "../page/page-data.js";
import { formatBytes, formatCount, plural } from "../units.js";
import { firstPaintStyle, renderLegend, renderScale, renderSegments } from "./first-paint.js";
import { text } from "./html-text.js";
import { renderLevels } from "./levels.js";
import { pageScript, pageStyle } from "./script.js";

/** By this a page is known that may be written again. */
export const GENERATOR = '<meta name="generator" content="kayactl inspect wal --html">';

/** One page that needs nothing else: its policy forbids everything but the script and the style that stand in it. */
export function renderPage(data: PageData, block: Uint8Array, tables: TablesLook | undefined): string {
  const script = `\n${pageScript()}\n`;
  const style = `\n${pageStyle()}\n${data.segments.length === 0 ? "" : firstPaintStyle(data)}\n`;
  const policy = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${GENERATOR}
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${text(titleOf(data))}</title>
<style>${style}</style>
</head>
<body>
<header>
<p class="quiet">Kaya log</p>
<div class="headline">
<h1>${text(data.path)}</h1>
${verdict(data)}
</div>
${facts(data)}
</header>
<p id="failure" role="alert" hidden></p>
<noscript><p class="quiet">The pictures need JavaScript; all of it is in this file.</p></noscript>
<main>
${findings(data)}
${data.segments.length === 0 ? '<p class="empty">There is no log segment here, so there is nothing to draw.</p>' : pictures(data)}
${tables === undefined ? "" : renderLevels(tables)}
</main>
<footer class="quiet">
${data.segments.length === 0 ? "" : `<p>${text(contentsOf(data))}</p>`}
<p>Made by kayactl ${text(data.version)} on <time>${text(data.madeAt)}</time>.</p>
</footer>
<div id="tooltip" aria-hidden="true" hidden></div>
<script type="application/json" id="data">${toJson(data).replaceAll("<", "\\u003c")}</script>
<script type="application/octet-stream" id="block">${Buffer.from(block).toString("base64")}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** The script draws the records. All else is there before it runs, so that nothing moves. */
function pictures(data: PageData): string {
  const [finding] = data.findings;
  const shown = data.segments[finding?.segment ?? 0];
  return `<section aria-labelledby="segments-title">
<h2 id="segments-title">Segments, to scale</h2>
<ul id="legend">${renderLegend(data)}</ul>
<ol id="segments">${renderSegments(data)}</ol>
${renderScale(data)}
</section>
<section aria-labelledby="detail-title">
<h2 id="detail-title">In detail: <span id="detail-name">${text(shown?.name ?? "")}</span></h2>
<div class="tools">
<span class="group"><button type="button" id="zoom-in">Zoom in</button><button type="button" id="zoom-out">Zoom out</button><button type="button" id="zoom-all">Whole segment</button></span>
<span class="group"><button type="button" id="previous">Previous</button><button type="button" id="next">Next record</button></span>
<form id="go-to"><label for="lsn">LSN</label><input id="lsn" inputmode="numeric" pattern="[0-9]+" required autocomplete="off"><button>Go</button></form>
</div>
<canvas id="detail" class="strip" tabindex="0" role="slider" aria-label="Place in the segment" aria-describedby="keys"></canvas>
<div class="axis"><span id="axis-from">offset 0</span><span id="axis-scale">all of it, ${formatBytes(shown?.bytes ?? 0)}</span><span id="axis-to">${shown?.bytes ?? 0}</span></div>
<p id="keys" class="quiet">Click or <kbd>←</kbd> <kbd>→</kbd> select a record, <kbd>Home</kbd> <kbd>End</kbd> the first and the last; <kbd>+</kbd> <kbd>−</kbd>, Ctrl and the wheel, or a double click zoom; <kbd>Page Up</kbd> <kbd>Page Down</kbd> or dragging move.</p>
<div id="record"><p class="quiet">${text(finding?.text ?? "Select a record to see its fields and bytes.")}</p></div>
</section>
<section id="charts">
<div><h2>Records by size</h2><div id="sizes" class="chart-room"></div></div>
<div><h2>Bytes written over LSN</h2><div id="writes" class="chart-room"></div></div>
</section>`;
}

function titleOf(data: PageData): string {
  return `${STATES[stateOf(data)].title}${data.path}`;
}

const STATES = {
  clean: { title: "", sign: "✓", name: "No damage" },
  torn: { title: "Unfinished write: ", sign: "!", name: "Unfinished write" },
  damaged: { title: "Damaged: ", sign: "✕", name: "Damaged" },
} as const;

function stateOf({ findings }: PageData): keyof typeof STATES {
  if (findings.length === 0) return "clean";
  return findings.every(({ isTorn }) => isTorn) ? "torn" : "damaged";
}

function verdict(data: PageData): string {
  if (data.segments.length === 0) return '<p class="verdict">No log</p>';
  const state = stateOf(data);
  const { sign, name } = STATES[state];
  return `<p class="verdict is-${state}"><span aria-hidden="true">${sign}</span> ${name}</p>`;
}

function facts({ segments }: PageData): string {
  const sum = (of: (segment: PageData["segments"][number]) => number) =>
    segments.reduce((total, segment) => total + of(segment), 0);
  const [first] = segments.flatMap(({ firstLsn }) => firstLsn ?? []);
  const last = segments.flatMap(({ lastLsn }) => lastLsn ?? []).at(-1);
  const entries = [
    ["segments", formatCount(segments.length)],
    ["records", formatCount(sum(({ records }) => records))],
    ["LSN", first === undefined ? "none" : `${first} to ${last}`],
    ["bytes", formatBytes(sum(({ bytes }) => bytes))],
  ];
  return `<dl class="facts">${entries.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`;
}

function findings({ findings: found, notes }: PageData): string {
  const items = [
    ...found.map(
      ({ text: sentence, isTorn }, index) =>
        `<li${isTorn ? ' class="is-torn"' : ""}><span>${text(sentence)}</span> <button type="button" data-finding="${index}">Show</button></li>`,
    ),
  ];
  const damage =
    items.length === 0
      ? ""
      : `<section aria-labelledby="findings-title"><h2 id="findings-title">${found.every(({ isTorn }) => isTorn) ? "At the end of the log" : "Damage"}</h2><ul class="findings">${items.join("")}</ul></section>`;
  const quiet = notes.map((note) => `<li>${text(note)}</li>`).join("");
  return damage + (quiet === "" ? "" : `<ul class="notes">${quiet}</ul>`);
}

/** What the page has of the log, and what not. */
function contentsOf({ groupSize, segments, excerpts }: PageData): string {
  const embedded = excerpts.reduce((total, { length }) => total + length, 0);
  const all = segments.reduce((total, { bytes }) => total + bytes, 0);
  const rows =
    groupSize === 1
      ? "Every record is in this page."
      : `The log has too many records for a page: ${plural(groupSize, "record")} stand together as one. Sizes are counted from all of them.`;
  const bytes =
    embedded === all
      ? "So are all bytes."
      : `Of the files' ${formatBytes(all)} it has ${formatBytes(embedded)} to show in hex: around damage, and the beginning and the end of each segment.`;
  return `${rows} ${bytes}`;
}

function hashOf(inline: string): string {
  return `sha256-${createHash("sha256").update(inline).digest("base64")}`;
}
