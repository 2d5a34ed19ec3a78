import type { ClockSource } from "@kaya/engine";

/** After the real time: a piece of code that goes by that sees nothing expire here. */
const START = 2 ** 42;

/**
 * The time of a run. It moves in steps of its own alone. Somebody may set the wall clock forward and back while a process lives; when the next
 * one begins the clock is right again.
 */
export class SimTime {
  #wall = START;
  #elapsed = 0;
  /** The most that the process saw the wall clock ahead of the other one. */
  #ahead = Number.NEGATIVE_INFINITY;

  /** What the process looks at. */
  readonly clock: ClockSource = { wall: () => this.#look(), elapsed: () => this.#elapsed };

  /** What the process takes for the time: it never goes back. */
  get now(): number {
    return this.#elapsed + Math.max(this.#ahead, this.#wall - this.#elapsed);
  }

  /** For an engine that only looks at what there is now. */
  get standing(): ClockSource {
    const { now } = this;
    return { wall: () => now, elapsed: () => 0 };
  }

  /** @param jump by how much somebody sets the wall clock */
  pass(ms: number, jump: number): void {
    this.#elapsed += ms;
    this.#wall += ms + jump;
  }

  /** Another process begins. */
  begin(): void {
    this.#wall = this.now;
  }

  #look(): number {
    this.#ahead = Math.max(this.#ahead, this.#wall - this.#elapsed);
    return this.#wall;
  }
}
