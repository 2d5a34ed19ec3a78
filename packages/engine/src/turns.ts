import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * How long work is cut into slices, so that the event loop goes on in between. For tests; the default suits
 * programs.
 */
export interface Turns {
  /** How many keys or operations a slice has: some milliseconds of work. */
  readonly operations: number;
  /** Resolves when the next slice may begin. */
  next(): Promise<void>;
  /**
   * How long a transaction or an update that lost goes before the others, at most, in milliseconds; `Infinity` where no real time passes. Default
   * 1,000.
   */
  readonly longestPrecedenceMs?: number;
}

export const SYSTEM_TURNS: Turns = { operations: 1024, next: () => nextTurn() };

/** Counts what many small pieces of work come to, and takes a turn each time they come to a slice. */
export class TurnTaker {
  readonly #turns: Turns;
  #done = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** @returns undefined where the work may go on at once */
  after(operations: number): Promise<void> | undefined {
    this.#done += operations;
    if (this.#done < this.#turns.operations) return undefined;
    this.#done = 0;
    return this.#turns.next();
  }
}
