import { shownAs } from "../terminal/progress-line.js";
import { formatCount, formatDuration, plural } from "../units.js";

/** How far an import is. */
export interface Imported {
  readonly entries: number;
  readonly readBytes: number;
  /** Of a file. */
  readonly totalBytes: number | undefined;
}

/** A line that says how far an import is. */
export const importProgress = shownAs(describe);

function describe({ entries, readBytes, totalBytes }: Imported, elapsedMs: number): string {
  const share =
    totalBytes === undefined || totalBytes === 0 ? "" : ` ${Math.floor((readBytes / totalBytes) * 100)}%,`;
  const rate = formatCount(Math.round(entries / (elapsedMs / 1000)));
  return `importing:${share} ${plural(entries, "entry", "entries")}, ${rate}/s, ${formatDuration(elapsedMs)}`;
}
