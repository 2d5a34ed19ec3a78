import { setTimeout as sleep } from "node:timers/promises";

/** Pauses shorter than this are not worth a timer; longer ones would only make the checkpoint late. */
const SHORTEST_MS = 1;
const LONGEST_MS = 100;

/** Whom background work competes with. */
export interface Load {
  /** Somebody was served since this was asked last. */
  isBusy(): boolean;
  /** The work must not fall behind: no more rests. */
  isUrgent(): boolean;
}

/** What background work goes by. */
export interface Clock {
  /** In milliseconds from any beginning; it never goes back. */
  now(): number;
  /** Resolves so many milliseconds later. */
  sleep(ms: number): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = { now: () => performance.now(), sleep: (ms) => sleep(ms) };

/**
 * Lets background work take half of the time at most while others want the disk and the event loop: it rests for as long as it
 * worked.
 */
export class Pace {
  readonly #load: Load;
  readonly #clock: Clock;
  #worked = 0;
  #since: number;

  constructor(load: Load, clock: Clock) {
    this.#load = load;
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** After a step of the work. */
  async step(): Promise<void> {
    this.#worked += this.#clock.now() - this.#since;
    if (this.#worked >= SHORTEST_MS) {
      const rests = this.#load.isBusy() && !this.#load.isUrgent();
      if (rests) await this.#clock.sleep(Math.min(this.#worked, LONGEST_MS));
      this.#worked = 0;
    }
    this.#since = this.#clock.now();
  }
}
