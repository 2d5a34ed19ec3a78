import type { OutputStream } from "../output.js";
import { ProgressLine } from "../progress-line.js";
import { formatBytes, formatDuration, plural } from "../units.js";
import type { Shown } from "../while-shown.js";

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
