import { setTimeout as sleep } from "node:timers/promises";
import type { SharedLog } from "@kaya/cluster";

interface Wait<T> {
  /** Undefined: not yet. */
  readonly look: () => Promise<T | undefined>;
  /** It is looked again after so long even if nothing was announced. */
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Looks whenever the members change, and from time to time. @returns undefined after the time, and after the signal */
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
      await Promise.race([changed, sleep(everyMs, undefined, { signal: over }).catch(() => undefined)]); // over: the loop ends
    }
    return undefined;
  } finally {
    end.abort();
  }
}
