import { type PageData, type PageSegment, RECORD_TYPES } from "../page/page-data.js";
import { lsnRange, segmentLabel, shortName } from "../page/segment-text.js";
import { formatBytes, formatCount } from "../units.js";
import { text } from "./html-text.js";

/** Segments whose lane has its length before the script draws it. */
const MOST_RULES = 100;

const RANGE_NAMES = {
  damage: "damaged",
  torn: "an unfinished write: the next opening cuts it",
  cut: "behind damage: not part of the log",
  zeros: "never written",
} as const;

/** What the colours stand for. */
export function renderLegend({ segments }: PageData): string {
  const counts = RECORD_TYPES.map((_, type) =>
    segments.reduce((sum, each) => sum + (each.counts[type] ?? 0), 0),
  );
  const kinds = new Set(segments.flatMap(({ ranges }) => ranges.map(({ kind }) => kind)));
  const entries = [
    ...RECORD_TYPES.map((type, at) => [type, `${type} ${formatCount(counts[at] ?? 0)}`] as const),
    ...[...kinds].map((kind) => [kind, RANGE_NAMES[kind]] as const),
  ];
  return entries
    .map(([kind, name]) => `<li><span class="swatch swatch-${kind}"></span>${name}</li>`)
    .join("");
}

/** A line a segment; the script draws its lane. */
export function renderSegments({ segments }: PageData): string {
  return segments
    .map(
      (segment) =>
        `<li><button type="button" class="segment" aria-pressed="false" aria-label="${text(segmentLabel(segment))}"><span class="segment-name">${text(shortName(segment.name))}</span><span class="segment-lsn">${lsnRange(segment)}</span><span class="lane"><canvas class="strip"></canvas></span><span class="segment-bytes">${formatBytes(segment.bytes)}</span></button></li>`,
    )
    .join("");
}

/** Under the lanes: bytes from the beginning of a segment to the end of the largest. */
export function renderScale({ segments }: PageData): string {
  const largest = Math.max(...segments.map(({ bytes }) => bytes));
  return `<div class="segment-scale" aria-hidden="true"><span class="axis"><span>0 B</span><span>offset in the segment</span><span>${formatBytes(largest)}</span></span></div>`;
}

/** Rules that give each lane its length, and what is wrong its place, before the script has read the records. */
export function firstPaintStyle({ segments, findings }: PageData): string {
  const largest = Math.max(1, ...segments.map(({ bytes }) => bytes));
  const rules = segments.slice(0, MOST_RULES).map((segment, index) => {
    const width = Math.max(0.4, (segment.bytes / largest) * 100).toFixed(2);
    return `#segments li:nth-child(${index + 1}) .strip { width: ${width}%; background: ${backgroundOf(segment)}; }`;
  });
  const shown = segments[findings[0]?.segment ?? 0];
  if (shown !== undefined) rules.push(`#detail { background: ${backgroundOf(shown)}; }`);
  return rules.join("\n");
}

function backgroundOf({ ranges, bytes }: PageSegment): string {
  let at = "0%";
  const stops: string[] = [];
  for (const { kind, from, to } of ranges) {
    const [start, end] = [from, to].map((offset) => `${((offset / Math.max(1, bytes)) * 100).toFixed(3)}%`);
    stops.push(`var(--waiting) ${at} ${start}`, `var(--${kind}) ${start} ${end}`);
    at = end ?? at;
  }
  return `linear-gradient(90deg, ${[...stops, `var(--waiting) ${at} 100%`].join(", ")})`;
}
