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

/**
 * Lets background work take half of the time at most while others want the disk and the event loop: it rests for as long as it
 * worked.
 */
export class Pace {
  readonly #load: Load;
  #worked = 0;
  #since = performance.now();

  constructor(load: Load) {
    this.#load = load;
  }

  /** After a step of the work. */
  async step(): Promise<void> {
    this.#worked += performance.now() - this.#since;
    if (this.#worked >= SHORTEST_MS) {
      if (this.#load.isBusy() && !this.#load.isUrgent()) await sleep(Math.min(this.#worked, LONGEST_MS));
      this.#worked = 0;
    }
    this.#since = performance.now();
  }
}
