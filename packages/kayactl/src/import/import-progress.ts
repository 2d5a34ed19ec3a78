import type { OutputStream } from "../terminal/output.js";
import { ProgressLine } from "../terminal/progress-line.js";
import type { Shown } from "../terminal/while-shown.js";
import { formatCount, formatDuration, plural } from "../units.js";

/** How far an import is. */
export interface Imported {
  readonly entries: number;
  readonly readBytes: number;
  /** Of a file. */
  readonly totalBytes: number | undefined;
}

export function importProgress(stream: OutputStream): Shown<Imported> {
  const line = new ProgressLine(stream);
  return { update: (imported) => line.update((ms) => describe(imported, ms)), done: () => line.done() };
}

function describe({ entries, readBytes, totalBytes }: Imported, elapsedMs: number): string {
  const share =
    totalBytes === undefined || totalBytes === 0 ? "" : ` ${Math.floor((readBytes / totalBytes) * 100)}%,`;
  const rate = formatCount(Math.round(entries / (elapsedMs / 1000)));
  return `importing:${share} ${plural(entries, "entry", "entries")}, ${rate}/s, ${formatDuration(elapsedMs)}`;
}
