import type { ClockSource } from "@kaya/engine";

/** After the real time: code that uses the real clock sees nothing expire here. */
const START = 2 ** 42;

/**
 * The time of a run. It moves only in its own steps. Somebody may set the wall clock forward and back while a process lives; when the next
 * one begins the clock is right again.
 */
export class SimTime {
  #wall = START;
  #elapsed = 0;
  /** The largest lead of the wall clock that the process saw. */
  #ahead = Number.NEGATIVE_INFINITY;

  /** The clock that the process reads. */
  readonly clock: ClockSource = { wall: () => this.#look(), elapsed: () => this.#elapsed };

  /** The process's time: it never goes back. */
  get now(): number {
    return this.#elapsed + Math.max(this.#ahead, this.#wall - this.#elapsed);
  }

  /** For a read-only engine. */
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
