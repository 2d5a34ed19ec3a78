import type { ClusterClock } from "../clock.js";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** Settings of a `SimClock`. */
export interface SimClockOptions {
  /**
   * True: time goes on by itself to the next sleeper whenever the process has nothing else to do. False (default): only `advance` and `run` move it.
   */
  readonly isAutomatic?: boolean;
  /** Turns of the event loop without a wake-up that count as nothing to do. Default 4. */
  readonly idleTurns?: number;
}

/**
 * Virtual time: hours pass in milliseconds, and the same sleeps wake in the same order in each run. Sleepers of the same moment wake in the order in
 * which they went to sleep, and what the first one caused runs before the next one wakes.
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

  /** How many sleep. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  /** Resolves when virtual time has moved on by `ms`, or when the signal aborts. */
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

  /** Moves time on by `ms`. Each sleeper wakes at its moment, and what it causes runs before time goes on. */
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
   * Moves time on, as far as needed, until the work has settled.
   * @throws Error if nobody sleeps and the work has not settled, or after `limitMs` (default one virtual hour)
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
      if (next === undefined) throw new Error(`at ${this.#now} ms nobody sleeps, and the work waits`);
      if (next.at > end) throw new Error(`the work has not settled within ${limitMs} virtual ms`);
      this.#wakeNext();
    }
  }

  /** Lets everything run that needs no time. */
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
