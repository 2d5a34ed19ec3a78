import { KayaError } from "@kaya/core";
import type { WriteResult } from "@kaya/engine";
import { quote, toText } from "./bytes.js";
import type { Broken } from "./conditions.js";
import { mustHold } from "./violation.js";
import type { Watched } from "./watched.js";
import type { World } from "./world.js";

interface FlyingConflict {
  readonly broken: Broken;
  readonly answer: Watched<WriteResult>;
}

/** The batches of one process whose conditions do not hold, and that are not rejected yet. */
export class FlyingConflicts {
  readonly #world: World;
  #flying: FlyingConflict[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  add(broken: Broken, answer: Watched<WriteResult>): void {
    this.#flying.push({ broken, answer });
  }

  /** @param mustHaveReason ends the run where the write that it lost to may not be rejected with that error */
  harvest(mustHaveReason: (error: unknown, what: string) => void): void {
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const { broken, answer } of settled) {
      const what = `the batch whose condition on ${quote(broken.key)} does not hold`;
      mustHold(answer.state === "rejected", "wrong-answer", () => `${what} was written`);
      this.#world.digest.add(`conflict ${quote(broken.key)} ${String(answer.error)}`);
      if (KayaError.is(answer.error, "KAYA_CONFLICT")) this.#mustBeTold(broken, answer.error, what);
      else mustHaveReason(answer.error, what);
    }
  }

  #mustBeTold({ key, byLsn }: Broken, error: KayaError, what: string): void {
    mustHold(error.key !== undefined && toText(error.key) === key, "wrong-answer", () => {
      return `${what} was told of another key: ${error}`;
    });
    const { acknowledgedLsn } = this.#world.timeline;
    mustHold(acknowledgedLsn >= byLsn, "wrong-answer", () => {
      return `${what} was told so before LSN ${byLsn}, which broke it, was acknowledged; LSN ${acknowledgedLsn} is`;
    });
  }
}
