/** The clock of a node; simulations replace it. It measures durations only: no node compares its time of day with that of another node. */
export interface ClusterClock {
  /** Milliseconds since some fixed moment. It never goes backwards. */
  now(): number;
  /** Resolves after `ms` milliseconds, or when the signal aborts. It never rejects, and does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of this machine. */
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
