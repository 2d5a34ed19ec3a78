import { shownAs } from "../terminal/progress-line.js";
import { formatBytes, formatDuration, plural } from "../units.js";

/** What was written so far. */
export interface Exported {
  readonly entries: number;
  readonly bytes: number;
}

/** A line that says how much was written, of a whole that is not known. */
export const exportProgress = shownAs(
  ({ entries, bytes }: Exported, elapsedMs) =>
    `exporting: ${plural(entries, "entry", "entries")}, ${formatBytes(bytes)}, ` +
    `${formatBytes(Math.round(bytes / (elapsedMs / 1000)))}/s, ${formatDuration(elapsedMs)}`,
);
