import { KayaError, type Lsn } from "@kaya/core";
import type { CheckpointResult, Engine } from "@kaya/engine";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

interface FlyingCheckpoint {
  /** All up to here was written before it was asked for. */
  lsn: Lsn;
  readonly answer: Watched<CheckpointResult>;
}

/** What a fault does to a checkpoint. Nothing is different then, so the model has nothing to do. */
const FAILED = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED"];

/** The checkpoints that were asked for and are not answered yet. What they put on the disk is looked at with the log. */
export class FlyingCheckpoints {
  readonly #world: World;
  readonly #engine: Engine;
  #flying: FlyingCheckpoint[] = [];
  #hasStarted = false;

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  start(): void {
    this.#hasStarted = true;
    this.#flying.push({
      lsn: this.#world.timeline.lastLsn,
      answer: new Watched(this.#engine.checkpoint()),
    });
  }

  /** What was written behind this is not there any more. */
  takeBackTo(lsn: Lsn): void {
    for (const checkpoint of this.#flying) checkpoint.lsn = Math.min(checkpoint.lsn, lsn);
  }

  /** @param mustHaveStruck ends the run where no fault can be why */
  harvest(mustHaveStruck: (error: unknown) => void): void {
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const { lsn, answer } of settled) {
      if (answer.state === "resolved") this.#take(lsn, answer.value);
      else this.#mustHaveReason(answer.error, mustHaveStruck);
    }
  }

  #take(lsn: Lsn, result: CheckpointResult): void {
    const { timeline, digest } = this.#world;
    digest.add(`checkpoint ${result.lsn} ${result.entries} ${result.segmentsDropped}`);
    mustHold(result.lsn >= lsn && result.lsn <= timeline.lastLsn, "wrong-answer", () => {
      return `a checkpoint covers LSN ${result.lsn}; it was asked for at LSN ${lsn}, and the last is ${timeline.lastLsn}`;
    });
    const { lsn: newest = 0 } = this.#engine.stats().checkpoint;
    mustHold(newest >= result.lsn, "wrong-account", () => {
      return `a checkpoint covers LSN ${result.lsn}, and stats() names LSN ${newest}`;
    });
    timeline.makeDurable(Math.min(result.lsn, timeline.acknowledgedLsn));
  }

  #mustHaveReason(error: unknown, mustHaveStruck: (error: unknown) => void): void {
    this.#world.digest.add(`no checkpoint ${error}`);
    const { state, failure } = this.#engine;
    if (KayaError.is(error, "KAYA_CLOSED") && state === "closed") return;
    if (KayaError.is(error, "KAYA_WRITER_FAILED") && failure !== undefined) {
      mustHold(error.cause === failure, "wrong-refusal", () => {
        return `a checkpoint after a failure must name ${failure} as the cause, not ${error.cause}`;
      });
      return;
    }
    mustHold(KayaError.is(error) && FAILED.includes(error.code), "wrong-refusal", () => {
      return `a checkpoint was rejected with ${error}, the engine is ${state}, its failure ${failure}`;
    });
    mustHaveStruck(error);
  }
}
