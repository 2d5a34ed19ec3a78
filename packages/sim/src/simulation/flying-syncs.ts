import type { Lsn } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

interface FlyingSync {
  /** All up to here is durable once it resolves. */
  readonly lsn: Lsn;
  readonly answer: Watched<void>;
}

/** The syncs of one process that are not answered yet. */
export class FlyingSyncs {
  readonly #world: World;
  readonly #engine: Engine;
  #flying: FlyingSync[] = [];

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  start(): void {
    this.#flying.push({ lsn: this.#world.timeline.lastLsn, answer: new Watched(this.#engine.sync()) });
  }

  /** @param mustHaveReason ends the run where a sync may not be rejected with that error */
  harvest(mustHaveReason: (error: unknown, what: string) => void): void {
    const { digest } = this.#world;
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const { lsn, answer } of settled) {
      digest.add(`sync ${lsn} ${answer.state}`);
      if (answer.state === "rejected") mustHaveReason(answer.error, `the sync through LSN ${lsn}`);
      else this.#take(lsn);
    }
  }

  #take(lsn: Lsn): void {
    const { timeline } = this.#world;
    mustHold(timeline.acknowledgedLsn >= lsn, "wrong-answer", () => {
      return `a sync through LSN ${lsn} resolved, but only LSN ${timeline.acknowledgedLsn} is answered`;
    });
    const { durableLsn } = this.#engine.stats();
    mustHold(
      durableLsn >= lsn,
      "wrong-answer",
      () => `a sync through LSN ${lsn} resolved, durable is ${durableLsn}`,
    );
    timeline.makeDurable(lsn);
  }
}
