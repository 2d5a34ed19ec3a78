const REDRAW_MS = 200;
const PLAIN_LINE_MS = 15_000;
const CLEAR_LINE = "\r\u001b[K";

/** How far it is, on standard error: one line that is redrawn on a terminal, else a plain line now and then. */
export class ProgressLine {
  #stream = process.stderr;
  #nextAt = performance.now();
  #isDrawn = false;

  /** @param {() => string} text */
  update(text) {
    const now = performance.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + (this.#stream.isTTY ? REDRAW_MS : PLAIN_LINE_MS);
    if (this.#stream.isTTY) {
      this.#isDrawn = true;
      this.#stream.write(`${CLEAR_LINE}${text().slice(0, (this.#stream.columns ?? 80) - 1)}`);
    } else this.#stream.write(`${text()}\n`);
  }

  done() {
    if (this.#isDrawn) this.#stream.write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}
