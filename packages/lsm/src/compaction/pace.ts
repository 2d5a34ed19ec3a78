/** Shorter rests are not worth a timer; longer ones would only delay the merge. */
const SHORTEST_MS = 1;
const LONGEST_MS = 100;

/** Whom merging competes with. */
export interface Load {
  /** Somebody was served since this was asked last. */
  isBusy(): boolean;
}

/** The pauses of a merge between its steps. */
export interface Clock {
  /** In milliseconds from any beginning; it never goes back. */
  now(): number;
  /** Resolves so many milliseconds later; 0: after a turn of the event loop. */
  rest(ms: number): Promise<void>;
}

/**
 * While others want the disk a merge rests for as long as it worked. It lets the event loop turn after each step.
 */
export class Pace {
  readonly #shouldRest: () => boolean;
  readonly #clock: Clock;
  #worked = 0;
  #since: number;

  /** @param shouldRest asked once a millisecond of work at most */
  constructor(shouldRest: () => boolean, clock: Clock) {
    this.#shouldRest = shouldRest;
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** After a step of the work. */
  async step(): Promise<void> {
    this.#worked += this.#clock.now() - this.#since;
    let ms = 0;
    if (this.#worked >= SHORTEST_MS) {
      if (this.#shouldRest()) ms = Math.min(this.#worked, LONGEST_MS);
      this.#worked = 0;
    }
    await this.#clock.rest(ms);
    this.#since = this.#clock.now();
  }
}
