import { setTimeout as sleep } from "node:timers/promises";
import type { SharedLog } from "@kaya/cluster";

interface Wait<T> {
  /** Undefined: the change has not come yet. */
  readonly look: () => Promise<T | undefined>;
  /** It looks again after this time even if no change was announced. */
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Looks each time the members change, and at regular intervals. @returns undefined if the time is over or the signal aborts */
export async function waitForChange<T>(
  log: SharedLog,
  { look, everyMs, timeoutMs, signal }: Wait<T>,
): Promise<T | undefined> {
  const end = new AbortController();
  const over = AbortSignal.any([end.signal, AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
  let wake: () => void = () => undefined;
  log.watchMembers(() => wake(), { signal: over });
  try {
    while (!over.aborted) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const found = await look();
      if (found !== undefined) return found;
      await Promise.race([changed, sleep(everyMs, undefined, { signal: over }).catch(() => undefined)]); // the time is over, and the loop ends
    }
    return undefined;
  } finally {
    end.abort();
  }
}
