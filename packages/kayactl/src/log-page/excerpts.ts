import type { SegmentLocation } from "@kaya/wal";
import { readBytes } from "../inspect/inspection-printer.js";
import type { PageExcerpt, PageFinding } from "../page/page-data.js";

/** Bytes of the files that a page may have besides those around damage. */
const BUDGET = 1024 * 1024;
const BEFORE_DAMAGE = 4 * 1024;
const BEHIND_DAMAGE = 8 * 1024;
const MOST_DAMAGES = 100;
/** Of one end of a segment. */
const MOST_END = 256 * 1024;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Which bytes a page has: those around damage; all others of a small log, of a large one the ends of each segment. */
export function chooseExcerpts(
  locations: readonly SegmentLocation[],
  findings: readonly PageFinding[],
): PageExcerpt[] {
  const total = locations.reduce((sum, { length }) => sum + length, 0);
  const end = total <= BUDGET ? BUDGET : Math.min(MOST_END, Math.floor(BUDGET / (2 * locations.length)));
  return locations.flatMap(({ length }, segment) => {
    const spans = findings
      .slice(0, MOST_DAMAGES)
      .filter((finding) => finding.segment === segment)
      .map(({ offset }) => ({ from: offset - BEFORE_DAMAGE, to: offset + BEHIND_DAMAGE }));
    const ends = [
      { from: 0, to: end },
      { from: length - end, to: length },
    ];
    return merged([...spans, ...ends], length).map(({ from, to }) => ({
      segment,
      offset: from,
      length: to - from,
    }));
  });
}

/** In order, without overlaps, inside the file. */
function merged(spans: readonly Span[], length: number): Span[] {
  const found: { from: number; to: number }[] = [];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const inside = { from: Math.max(0, from), to: Math.min(length, to) };
    const last = found.at(-1);
    if (inside.to <= inside.from) continue;
    if (last !== undefined && inside.from <= last.to) last.to = Math.max(last.to, inside.to);
    else found.push(inside);
  }
  return found;
}

/** The bytes of an excerpt. Where a file got shorter meanwhile, what is missing is zero. */
export async function readExcerpt(
  location: SegmentLocation,
  { offset, length }: PageExcerpt,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  bytes.set(await readBytes(location, offset, length));
  return bytes;
}
