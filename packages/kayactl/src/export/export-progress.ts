import type { OutputStream } from "../terminal/output.js";
import { ProgressLine } from "../terminal/progress-line.js";
import type { Shown } from "../terminal/while-shown.js";
import { formatBytes, formatDuration, plural } from "../units.js";

/** What was written so far. */
export interface Exported {
  readonly entries: number;
  readonly bytes: number;
}

/** A line that says how much was written, of a whole that is not known. */
export function exportProgress(stream: OutputStream): Shown<Exported> {
  const line = new ProgressLine(stream);
  return {
    update: ({ entries, bytes }) =>
      line.update(
        (elapsedMs) =>
          `exporting: ${plural(entries, "entry", "entries")}, ${formatBytes(bytes)}, ` +
          `${formatBytes(Math.round(bytes / (elapsedMs / 1000)))}/s, ${formatDuration(elapsedMs)}`,
      ),
    done: () => line.done(),
  };
}
