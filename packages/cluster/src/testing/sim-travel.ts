import type { ClusterClock } from "../clock.js";
import type { SimDelay, SimFault } from "./sim-faults.js";

/** The way of one message, a request or a reply: it takes the latency, and then an injected delay. */
export async function travel(
  clock: ClusterClock,
  latencyMs: number,
  extra: SimDelay | undefined,
): Promise<void> {
  if (latencyMs > 0) await clock.sleep(latencyMs);
  if (typeof extra === "number") await clock.sleep(extra);
  else await extra;
}

/** How long the caller waits for an answer, in milliseconds. */
export function limitOf(fault: SimFault | undefined, timeoutMs: number): number {
  const isLost = fault?.kind === "requestLost" || fault?.kind === "replyLost";
  return isLost ? (fault.afterMs ?? timeoutMs) : timeoutMs;
}

/** The answer that never comes. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
