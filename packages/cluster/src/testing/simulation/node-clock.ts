import type { ClusterClock } from "../../clock.js";

/** The clock of one process. Its sleeps do not end while the process is stopped (SIGSTOP), and never end after it has died. */
export class NodeClock implements ClusterClock {
  readonly #clock: ClusterClock;
  #resumed: Promise<void> | undefined;
  #resume: () => void = () => undefined;

  constructor(clock: ClusterClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal);
    while (this.#resumed !== undefined) await this.#resumed;
  }

  get isStopped(): boolean {
    return this.#resumed !== undefined;
  }

  stop(): void {
    this.#resumed ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  goOn(): void {
    this.#resumed = undefined;
    this.#resume();
  }
}
