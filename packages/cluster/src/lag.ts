import type { Lsn } from "@kaya/core";
import { type NodeMessage, tell } from "./channels.js";
import type { ClusterClock } from "./clock.js";

/** Measures how long a node has been behind the newest head that it knows. */
export class Lag {
  readonly #clock: ClusterClock;
  readonly #message: () => NodeMessage;
  #behindSince: number | undefined;

  constructor(clock: ClusterClock, message: () => NodeMessage) {
    this.#clock = clock;
    this.#message = message;
  }

  /** How long the node has been behind, in milliseconds; 0 if it is not behind. */
  get ms(): number {
    return this.#behindSince === undefined ? 0 : this.#clock.now() - this.#behindSince;
  }

  update(lsn: Lsn, headLsn: Lsn): void {
    const isBehind = lsn < headLsn;
    if (isBehind === (this.#behindSince !== undefined)) return;
    const lagMs = this.ms;
    this.#behindSince = isBehind ? this.#clock.now() : undefined;
    tell("lag", () => ({
      ...this.#message(),
      state: isBehind ? "behind" : "level",
      lsn,
      headLsn,
      lagMs,
    }));
  }
}
