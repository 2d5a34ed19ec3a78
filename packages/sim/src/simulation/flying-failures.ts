import type { Lsn } from "@kaya/core";
import type { SimulatedTransaction } from "./simulated-transaction.js";
import { mustHold } from "./violation.js";
import type { World } from "./world.js";

/**
 * The transactions of one process whose function was called again, read writes under way, and threw. They are told so once those writes cannot
 * be taken back any more.
 */
export class FlyingFailures {
  readonly #world: World;
  #flying: SimulatedTransaction[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  add(transaction: SimulatedTransaction): void {
    this.#flying.push(transaction);
  }

  /** @param mustHaveReason ends the run where the writes that it read may not be rejected with that error */
  harvest(mustHaveReason: (error: unknown, what: string) => void): void {
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const { answer, failure } of settled) {
      const what = "a transaction whose function threw";
      mustHold(answer.state === "rejected", "wrong-answer", () => `${what} was acknowledged`);
      this.#world.digest.add(`transaction failed ${String(answer.error)}`);
      if (failure === undefined || answer.error !== failure.error) mustHaveReason(answer.error, what);
      else this.#mustBeCertain(failure.readTo, what);
    }
  }

  #mustBeCertain(readTo: Lsn, what: string): void {
    const { acknowledgedLsn } = this.#world.timeline;
    mustHold(acknowledgedLsn >= readTo, "wrong-answer", () => {
      return `${what} was told so before LSN ${readTo}, which it had read, was acknowledged; LSN ${acknowledgedLsn} is`;
    });
  }
}
