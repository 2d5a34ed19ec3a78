import type { ClusterClock } from "./clock.js";

/** The error of a call whose time is over. The call may have been done. */
export class TimeIsUp extends Error {
  override readonly name = "TimeIsUp";
}

/**
 * Calls `run` with a signal that aborts after `ms`, or when `outer` aborts.
 * @returns the result of `run`, which must settle when the signal aborts
 */
export async function within<T>(
  clock: ClusterClock,
  ms: number,
  run: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const call = new AbortController();
  const over = new AbortController();
  const giveUp = () => call.abort(outer?.reason);
  outer?.addEventListener("abort", giveUp, { once: true });
  if (outer?.aborted === true) giveUp();
  void clock.sleep(ms, over.signal).then(() => {
    if (!over.signal.aborted) call.abort(new TimeIsUp(`no answer in ${Math.round(ms)} ms`));
  });
  try {
    return await run(call.signal);
  } finally {
    over.abort();
    outer?.removeEventListener("abort", giveUp);
  }
}

/** As the work, but it rejects with the signal's reason as soon as the signal aborts. The work goes on, and its outcome is not told then. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
