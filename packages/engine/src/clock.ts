import { describe, readInput } from "@kaya/core";
import { invalid } from "./input.js";

/**
 * Where the time comes from by which entries expire. For tests; the default is `Date.now` and
 * `performance.now`.
 */
export interface ClockSource {
  /** Milliseconds since 1970. It may jump in both directions, when the clock is set or the machine slept. */
  wall(): number;
  /** Milliseconds since an arbitrary moment. It never goes back. */
  elapsed(): number;
}

/** Gives the time, in whole milliseconds since 1970. */
export type Now = () => number;

/**
 * The time that entries expire by. It never goes back, and is never slower than the time that really passes: when the wall clock is set back, it goes
 * on from where it was. So what a reader was told is gone stays gone.
 */
export class Clock {
  readonly #source: ClockSource;
  /** The most that the wall clock was ahead of the other one. */
  #ahead = Number.NEGATIVE_INFINITY;

  constructor(source: ClockSource) {
    this.#source = source;
    this.now(); // its time begins here, wherever the wall clock is set before it is asked for it
  }

  readonly now: Now = () => {
    const elapsed = this.#source.elapsed();
    this.#ahead = Math.max(this.#ahead, this.#source.wall() - elapsed);
    return Math.floor(elapsed + this.#ahead);
  };
}

// Taken once: tests that replace the timers of a process may set this one back.
const elapsed = performance.now.bind(performance);

/** One for all engines of the process: an engine that is closed and opened again does not go back either. */
export const SYSTEM_CLOCK = new Clock({ wall: () => Date.now(), elapsed });

/** The time of the first question, for all that come. */
export function once(now: Now): Now {
  let time: number | undefined;
  return () => {
    time ??= now();
    return time;
  };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function clockOf(source: ClockSource | undefined): Clock {
  if (source === undefined) return SYSTEM_CLOCK;
  readInput("the clock", () => {
    for (const name of ["wall", "elapsed"] as const) {
      const part: unknown = source?.[name];
      if (typeof part !== "function")
        throw invalid(`the clock has two functions, wall and elapsed: ${name} is ${describe(part)}`);
    }
  });
  return new Clock(source);
}
