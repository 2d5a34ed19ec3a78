import { createHash } from "node:crypto";
import { toJson } from "../bytes.js";
import type { PageData } from "../page/page-data.js";
import type { TablesLook } from "../tables-look.js";
import { formatBytes, formatCount, plural } from "../units.js";
import { text } from "./html-text.js";
import { renderLevels } from "./levels.js";
import { pageScript, pageStyle } from "./script.js";

/** By this a page is known that may be written again. */
export const GENERATOR = '<meta name="generator" content="kayactl inspect wal --html">';

/** One page that needs nothing else: its policy forbids everything but the script and the style that stand in it. */
export function renderPage(data: PageData, block: Uint8Array, tables: TablesLook | undefined): string {
  const script = `\n${pageScript()}\n`;
  const style = `\n${pageStyle()}\n`;
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
${data.segments.length === 0 ? '<p class="empty">There is no log segment here, so there is nothing to draw.</p>' : PICTURES}
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

const PICTURES = `<section aria-labelledby="segments-title">
<h2 id="segments-title">Segments, to scale</h2>
<ul id="legend"></ul>
<ol id="segments"></ol>
</section>
<section aria-labelledby="detail-title">
<h2 id="detail-title">In detail: <span id="detail-name"></span></h2>
<div class="tools">
<span class="group"><button type="button" id="zoom-in">Zoom in</button><button type="button" id="zoom-out">Zoom out</button><button type="button" id="zoom-all">Whole segment</button></span>
<span class="group"><button type="button" id="previous">Previous</button><button type="button" id="next">Next record</button></span>
<form id="go-to"><label for="lsn">LSN</label><input id="lsn" inputmode="numeric" pattern="[0-9]+" required autocomplete="off"><button>Go</button></form>
</div>
<canvas id="detail" class="strip" tabindex="0" role="slider" aria-label="Place in the segment" aria-describedby="keys"></canvas>
<div class="axis"><span id="axis-from"></span><span id="axis-scale"></span><span id="axis-to"></span></div>
<p id="keys" class="quiet">Click or <kbd>←</kbd> <kbd>→</kbd> select a record, <kbd>Home</kbd> <kbd>End</kbd> the first and the last; <kbd>+</kbd> <kbd>−</kbd>, Ctrl and the wheel, or a double click zoom; <kbd>Page Up</kbd> <kbd>Page Down</kbd> or dragging move.</p>
<div id="record"></div>
</section>
<section id="charts">
<div><h2>Records by size</h2><div id="sizes"></div></div>
<div><h2>Bytes written over LSN</h2><div id="writes"></div></div>
</section>`;

function titleOf(data: PageData): string {
  return `${data.findings.length > 0 ? "Damaged: " : ""}${data.path}`;
}

function verdict({ findings, segments }: PageData): string {
  if (segments.length === 0) return '<p class="verdict">No log</p>';
  return findings.length === 0
    ? '<p class="verdict is-clean"><span aria-hidden="true">✓</span> No damage</p>'
    : `<p class="verdict is-damaged"><span aria-hidden="true">✕</span> Damaged</p>`;
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
      ({ text: sentence }, index) =>
        `<li><span>${text(sentence)}</span> <button type="button" data-finding="${index}">Show</button></li>`,
    ),
  ];
  const damage =
    items.length === 0
      ? ""
      : `<section aria-labelledby="findings-title"><h2 id="findings-title">What is wrong</h2><ul class="findings">${items.join("")}</ul></section>`;
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
