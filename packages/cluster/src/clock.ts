/** Time, so that simulations need none. Durations only: no node compares its time of day with another's. */
export interface ClusterClock {
  /** Milliseconds from some moment on; never backwards. */
  now(): number;
  /** Resolves after so many milliseconds, or when the signal aborts: it never rejects. It keeps no process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own. */
export const SYSTEM_CLOCK: ClusterClock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      timer.unref();
      signal?.addEventListener("abort", end, { once: true });
    }),
};
