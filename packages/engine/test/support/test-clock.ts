import type { ClockSource } from "../../src/index.js";

/** A clock that stands until it is moved. It begins after the real one, so that whatever went by that would be seen. */
export class TestClock implements ClockSource {
  static readonly START = 2 ** 42;
  #wall = TestClock.START;
  #elapsed = 5;
  /** How often somebody looked at it. */
  reads = 0;

  /** What an engine that looked at it all the time takes for the time, as long as nobody sets it back. */
  get time(): number {
    return this.#wall;
  }

  wall(): number {
    this.reads++;
    return this.#wall;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  pass(ms: number): void {
    this.#elapsed += ms;
    this.#wall += ms;
  }

  /** Somebody sets the wall clock. */
  set(by: number): void {
    this.#wall += by;
  }
}
