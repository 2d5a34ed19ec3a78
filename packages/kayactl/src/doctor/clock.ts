import { formatDuration } from "../units.js";
import { type Finding, findingsOf } from "./finding.js";

const { ok, warning, problem } = findingsOf("clock");

/** Kaya did not exist before: a clock that shows an earlier time was never set. */
const EARLIEST = Date.UTC(2025, 0, 1);
/** What a copy from another machine, or a file system with coarse times, may differ by. */
const TOLERATED_MS = 60_000;
const STEP_MS = 1000;

export interface Times {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The same by a clock that is never set, counted from the start of the process. */
  readonly steadyNow: number;
  /** Of the newest file in the data directory; undefined where there is none. */
  readonly newestFile: number | undefined;
}

export function timesNow(newestFile: number | undefined): Times {
  return { now: Date.now(), steadyNow: performance.timeOrigin + performance.now(), newestFile };
}

/** Values that expire go by the clock. */
export function judgeClock({ now, steadyNow, newestFile }: Times): Finding[] {
  const shown = new Date(now).toISOString();
  if (now < EARLIEST)
    return [problem(`it shows ${shown}, so it was never set`, "Set it (NTP): values that expire go by it.")];
  const found: Finding[] = [];
  const step = now - steadyNow;
  if (Math.abs(step) > STEP_MS)
    found.push(
      warning(
        `it was set ${step < 0 ? "back" : "forward"} by ${formatDuration(Math.abs(step))} while this ran`,
        "Let it be set in small steps (NTP). What expires in a step forward stays gone.",
      ),
    );
  const ahead = newestFile === undefined ? 0 : newestFile - now;
  if (ahead > TOLERATED_MS)
    found.push(
      warning(
        `it shows ${shown}, and a file in the directory was written ${formatDuration(ahead)} later`,
        "The clock went back since, or the file came from a machine that is ahead. Values that expired may be there again until their moment.",
      ),
    );
  return found.length > 0 ? found : [ok(`it shows ${shown}, not before the files in the directory`)];
}
