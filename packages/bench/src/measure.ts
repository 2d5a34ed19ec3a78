import { Latencies } from "./latencies.js";
import type { Scale } from "./scale.js";

/** Calls between two looks at the clock, for calls that take less time than the look. */
const CALLS_A_LOOK = 256;
const P99 = 0.99;

/** How long a measurement takes. */
export type Duration = Pick<Scale, "warmUpMs" | "measureMs">;

export interface Pace {
  readonly perSecond: number;
  /** The 99th percentile of how long a caller waited for one operation, in ms. */
  readonly p99: number;
}

/**
 * Operations per second with `inFlight` of them under way at any time: each caller awaits its own before its next. After a
 * warm-up of the same.
 */
export async function rateOf(
  inFlight: number,
  duration: Duration,
  operation: () => unknown,
): Promise<number> {
  await warmUp(inFlight, duration, operation);
  const started = performance.now();
  return perSecond(await drive(inFlight, duration.measureMs, operation), started);
}

/** The same, with the latencies. */
export async function paceOf(inFlight: number, duration: Duration, operation: () => unknown): Promise<Pace> {
  await warmUp(inFlight, duration, operation);
  const latencies = new Latencies();
  const started = performance.now();
  const done = await drive(inFlight, duration.measureMs, operation, latencies);
  return { perSecond: perSecond(done, started), p99: latencies.percentile(P99) };
}

/**
 * User and system time of all threads for one operation, in µs, with `inFlight` callers that await theirs, the callers included. The work
 * of `settle` is included: operations may leave work for later.
 */
export async function cpuOf(
  inFlight: number,
  duration: Duration,
  operation: () => unknown,
  settle: () => Promise<void>,
): Promise<number> {
  await warmUp(inFlight, duration, operation);
  await settle();
  const before = process.cpuUsage();
  const done = await drive(inFlight, duration.measureMs, operation);
  await settle();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / done;
}

async function warmUp(inFlight: number, { warmUpMs }: Duration, operation: () => unknown): Promise<void> {
  if (warmUpMs > 0) await drive(inFlight, warmUpMs, operation);
}

/** Each caller does at least one. @returns how many were done */
async function drive(
  inFlight: number,
  ms: number,
  operation: () => unknown,
  latencies?: Latencies,
): Promise<number> {
  const deadline = performance.now() + ms;
  let done = 0;
  const caller = async () => {
    let now = performance.now();
    do {
      await operation();
      done++;
      const ended = performance.now();
      latencies?.add(ended - now);
      now = ended;
    } while (now < deadline);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return done;
}

/** Calls per second of something synchronous, after a warm-up of the same. */
export function rateOfSync(duration: Duration, call: () => void): number {
  driveSync(duration.warmUpMs, call);
  return driveSync(duration.measureMs, call);
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
