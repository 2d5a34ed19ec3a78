import type { ScanProgress } from "@kaya/wal";
import type { OutputStream } from "./output.js";
import { formatBytes, formatDuration } from "./units.js";

const QUIET_MS = 1000;
const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5000;
const CLEAR_LINE = "\r\u001b[K";

/**
 * How far the reading of a log is, on standard error. It says nothing in the first second. A terminal gets one line that is
 * redrawn and disappears at the end, anything else a plain line every few seconds.
 */
export class Progress {
  readonly #stream: OutputStream;
  readonly #now: () => number;
  readonly #started: number;
  #nextAt: number;
  #isDrawn = false;

  constructor(stream: OutputStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
    this.#started = now();
    this.#nextAt = this.#started + (stream.isTTY === true ? QUIET_MS : PLAIN_LINE_MS);
  }

  update(progress: ScanProgress): void {
    const now = this.#now();
    if (now < this.#nextAt) return;
    const text = describeProgress(progress, now - this.#started);
    if (this.#stream.isTTY === true) {
      this.#nextAt = now + REDRAW_MS;
      this.#isDrawn = true;
      this.#stream.write(`${CLEAR_LINE}${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
    } else {
      this.#nextAt = now + PLAIN_LINE_MS;
      this.#stream.write(`${text}\n`);
    }
  }

  /** Takes the line away. */
  done(): void {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

function describeProgress({ bytes, totalBytes }: ScanProgress, elapsedMs: number): string {
  const share = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const rate = bytes / (elapsedMs / 1000);
  const left = rate > 0 ? formatDuration(Math.ceil(Math.max(0, totalBytes - bytes) / rate) * 1000) : "?";
  return (
    `reading the log: ${String(Math.floor(share * 100)).padStart(3)}%, ` +
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${formatBytes(Math.round(rate))}/s, ${left.replace(".0 s", " s")} left`
  );
}
