import { columnsOf, type OutputStream } from "./output.js";
import { clip } from "./text.js";
import type { Shown } from "./while-shown.js";

const QUIET_MS = 1000;
const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5000;
const CLEAR_LINE = "\r\u001b[K";

/**
 * How far something is, on standard error. It says nothing in the first second. A terminal gets one line that is redrawn and
 * disappears at the end, anything else a plain line every few seconds.
 */
export class ProgressLine {
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

  /** @param describe is called only where there is something to show */
  update(describe: (elapsedMs: number) => string): void {
    const now = this.#now();
    if (now < this.#nextAt) return;
    const text = describe(now - this.#started);
    if (this.#stream.isTTY === true) {
      this.#nextAt = now + REDRAW_MS;
      this.#isDrawn = true;
      this.#stream.write(`${CLEAR_LINE}${clip(text, columnsOf(this.#stream) - 1)}`);
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

/** A progress line that shows what `describe` says of the newest progress. */
export function shownAs<P>(
  describe: (progress: P, elapsedMs: number) => string,
): (stream: OutputStream, now?: () => number) => Shown<P> {
  return (stream, now) => {
    const line = new ProgressLine(stream, now);
    return {
      update: (progress) => line.update((elapsedMs) => describe(progress, elapsedMs)),
      done: () => line.done(),
    };
  };
}
