import type { ClusterClock } from "./clock.js";

/** Ends pauses early, so that each waiting call checks its condition again. */
export class Wake {
  readonly #waiting = new Set<() => void>();
  #isSet = false;

  /** Ends all current pauses. If there is none, the next `loopPause` ends immediately. */
  wake(): void {
    this.#isSet = this.#waiting.size === 0;
    for (const end of [...this.#waiting]) end();
  }

  /** A pause of a loop. It also ends if `wake` was called since the loop's last pause. */
  async loopPause(clock: ClusterClock, ms: number, signal: AbortSignal): Promise<void> {
    const isSet = this.#isSet;
    this.#isSet = false;
    if (!isSet) await this.pause(clock, ms, signal);
  }

  /** Resolves after `ms`, when `wake` is called, or when the signal aborts. It never rejects. */
  async pause(clock: ClusterClock, ms: number, signal?: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const end = () => woken.abort();
    if (signal?.aborted === true) return;
    this.#waiting.add(end);
    signal?.addEventListener("abort", end, { once: true });
    try {
      await clock.sleep(ms, woken.signal);
    } finally {
      this.#waiting.delete(end);
      signal?.removeEventListener("abort", end);
    }
  }
}
