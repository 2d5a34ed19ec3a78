import type { Scale } from "./scale.js";

/** Calls between two looks at the clock, for calls that take less time than the look. */
const CALLS_A_LOOK = 256;

/**
 * Operations per second with `inFlight` of them under way at any time: each caller awaits its own before its next. After a
 * warm-up of the same.
 */
export async function rateOf(inFlight: number, scale: Scale, operation: () => unknown): Promise<number> {
  if (scale.warmUpMs > 0) await drive(inFlight, scale.warmUpMs, operation);
  return drive(inFlight, scale.measureMs, operation);
}

async function drive(inFlight: number, ms: number, operation: () => unknown): Promise<number> {
  const started = performance.now();
  const deadline = started + ms;
  let done = 0;
  const caller = async () => {
    while (performance.now() < deadline) {
      await operation();
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return perSecond(done, started);
}

/** Calls per second of something synchronous, after a warm-up of the same. */
export function rateOfSync(scale: Scale, call: () => void): number {
  driveSync(scale.warmUpMs, call);
  return driveSync(scale.measureMs, call);
}

function driveSync(ms: number, call: () => void): number {
  const started = performance.now();
  const deadline = started + ms;
  let done = 0;
  do {
    for (let i = 0; i < CALLS_A_LOOK; i++) call();
    done += CALLS_A_LOOK;
  } while (performance.now() < deadline);
  return perSecond(done, started);
}

/** What `count` things since `started` (of `performance.now`) are in a second. */
export function perSecond(count: number, started: number): number {
  return (count / (performance.now() - started)) * 1000;
}
