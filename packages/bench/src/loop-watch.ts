const TICK_MS = 1;

/** The longest time for which one task held the event loop: the lateness of a timer of one millisecond. */
export class LoopWatch {
  #last = performance.now();
  #longest = 0;
  readonly #timer = setInterval(() => this.#tick(), TICK_MS);

  /** Ends the watch. @returns milliseconds */
  stop(): number {
    this.#tick(); // a pause that is not over yet
    clearInterval(this.#timer);
    return this.#longest;
  }

  #tick(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last - TICK_MS);
    this.#last = now;
  }
}
