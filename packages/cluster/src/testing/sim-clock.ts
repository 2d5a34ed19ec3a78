import type { ClusterClock } from "../clock.js";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Settings of a `SimClock`. */
export interface SimClockOptions {
  /** True: time moves by itself to the next sleeper when the process has nothing else to do. False (default): only `advance` and `run` move it. */
  readonly isAutomatic?: boolean;
  /** If no sleeper wakes for this number of turns of the event loop, the process counts as idle. Default 4. */
  readonly idleTurns?: number;
}

/**
 * A clock with virtual time: hours pass in milliseconds. In each run, the same sleepers wake in the same order. Sleepers of the same moment
 * wake in the order in which they went to sleep. Everything that one sleeper causes runs before the next one wakes.
 */
export class SimClock implements ClusterClock {
  readonly #sleepers: Sleeper[] = [];
  readonly #isAutomatic: boolean;
  readonly #idleTurns: number;
  #now = 0;
  #isDriven = false;

  /** @param options whether time moves by itself */
  constructor(options: SimClockOptions = {}) {
    this.#isAutomatic = options.isAutomatic ?? false;
    this.#idleTurns = options.idleTurns ?? 4;
  }

  /** Virtual milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** The number of sleepers. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  /** Resolves when virtual time has moved by `ms`, or when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const wake = () => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      };
      const sleeper = { at: this.#now + Math.max(0, ms), wake };
      const giveUp = () => {
        const index = this.#sleepers.indexOf(sleeper);
        if (index >= 0) this.#sleepers.splice(index, 1);
        resolve();
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#add(sleeper);
      if (this.#isAutomatic) this.#drive();
    });
  }

  /** Moves time by `ms`. Each sleeper wakes at its moment. Everything that it causes runs before time moves further. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let next = this.#sleepers[0]; next !== undefined && next.at <= end; next = this.#sleepers[0]) {
      this.#wakeNext();
      await this.settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /**
   * Moves time as far as needed until the work has settled.
   * @throws Error if there is no sleeper and the work has not settled, or after `limitMs` (default one virtual hour)
   */
  async run<T>(work: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    work.then(settled, settled);
    const end = this.#now + limitMs;
    for (;;) {
      await this.settle();
      if (isSettled) return work;
      const next = this.#sleepers[0];
      if (next === undefined)
        throw new Error(`at ${this.#now} ms there is no sleeper, but the work has not settled`);
      if (next.at > end) throw new Error(`the work has not settled within ${limitMs} virtual ms`);
      this.#wakeNext();
    }
  }

  /** Runs everything that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < this.#idleTurns; turn++) await new Promise(setImmediate);
  }

  #add(sleeper: Sleeper): void {
    let index = this.#sleepers.length;
    while (index > 0 && (this.#sleepers[index - 1]?.at ?? 0) > sleeper.at) index--;
    this.#sleepers.splice(index, 0, sleeper);
  }

  #wakeNext(): void {
    const next = this.#sleepers.shift();
    if (next === undefined) return;
    this.#now = Math.max(this.#now, next.at);
    next.wake();
  }

  #drive(): void {
    if (this.#isDriven) return;
    this.#isDriven = true;
    void this.#driveOn();
  }

  async #driveOn(): Promise<void> {
    while (this.#sleepers.length > 0) {
      await this.settle();
      this.#wakeNext();
    }
    this.#isDriven = false;
  }
}
