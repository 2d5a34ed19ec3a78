import { setImmediate as nextTurn } from "node:timers/promises";

/** How long work is cut into slices, so that the event loop goes on in between. */
export interface Turns {
  /** Keys or operations of a slice: some milliseconds. */
  readonly operations: number;
  /** Resolves when the work may go on. */
  next(): Promise<void>;
}

export const SYSTEM_TURNS: Turns = { operations: 2048, next: () => nextTurn() };
