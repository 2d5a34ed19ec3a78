import { KayaError, type Lsn } from "@kaya/core";
import type { Engine, FlushResult } from "@kaya/engine";
import type { CompactStep } from "./steps.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";
import { rangeOf } from "./write-input.js";

interface FlyingFlush {
  readonly what: "flush" | "compaction";
  /** All up to here was written before it was asked for. */
  lsn: Lsn;
  /** A compaction gives nothing. */
  readonly answer: Watched<FlushResult | undefined>;
}

/**
 * Effects of a fault on a flush or a compaction. The data does not change, so the model does not either. A directory's failed sync may lose
 * the name of a table that the other one has just made: that one then misses it.
 */
const FAILED = ["KAYA_DISK_FULL", "KAYA_IO", "KAYA_FSYNC_FAILED", "KAYA_NOT_FOUND"];

/** The flushes and compactions that were asked for and are not answered yet. Their files are checked with the log. */
export class FlyingFlushes {
  readonly #world: World;
  readonly #engine: Engine;
  #flying: FlyingFlush[] = [];

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
  }

  get isEmpty(): boolean {
    return this.#flying.length === 0;
  }

  flush(): void {
    this.#start("flush", this.#engine.flush());
  }

  compact({ range }: CompactStep): void {
    this.#start(
      "compaction",
      this.#engine.compact(rangeOf(range)).then(() => undefined),
    );
  }

  /** Later writes are gone. */
  takeBackTo(lsn: Lsn): void {
    for (const flush of this.#flying) flush.lsn = Math.min(flush.lsn, lsn);
  }

  /** @param mustHaveStruck ends the run where no fault can be why */
  harvest(mustHaveStruck: (error: unknown, what: string) => void): void {
    const settled = this.#flying.filter(({ answer }) => answer.state !== "pending");
    this.#flying = this.#flying.filter(({ answer }) => answer.state === "pending");
    for (const flush of settled) {
      if (flush.answer.state === "resolved") this.#take(flush);
      else this.#mustHaveReason(flush, mustHaveStruck);
    }
  }

  #start(what: FlyingFlush["what"], answer: Promise<FlushResult | undefined>): void {
    this.#flying.push({ what, lsn: this.#world.timeline.lastLsn, answer: new Watched(answer) });
  }

  #take({ what, lsn, answer }: FlyingFlush): void {
    const { timeline, digest } = this.#world;
    const { covered } = this.#engine.stats().tables;
    const { lsn: through, entries, bytes, segmentsDropped } = answer.value ?? { lsn: covered.lsn };
    digest.add(`${what} ${through} ${entries} ${bytes} ${segmentsDropped}`);
    mustHold(through >= lsn && through <= timeline.lastLsn, "wrong-answer", () => {
      return `a ${what} covers LSN ${through}; it was asked for at LSN ${lsn}, and the last is ${timeline.lastLsn}`;
    });
    mustHold(covered.lsn >= through, "wrong-account", () => {
      return `a ${what} covers LSN ${through}, and stats() says that the tables cover LSN ${covered.lsn}`;
    });
    timeline.makeDurable(Math.min(through, timeline.acknowledgedLsn));
  }

  #mustHaveReason(
    { what, answer: { error } }: FlyingFlush,
    mustHaveStruck: (error: unknown, what: string) => void,
  ): void {
    this.#world.digest.add(`no ${what} ${error}`);
    const { state, failure } = this.#engine;
    if (KayaError.is(error, "KAYA_CLOSED") && state === "closed") return;
    if (KayaError.is(error, "KAYA_WRITER_FAILED") && failure !== undefined) {
      mustHold(error.cause === failure, "wrong-refusal", () => {
        return `a ${what} after a failure must name ${failure} as the cause, not ${error.cause}`;
      });
      return;
    }
    mustHold(KayaError.is(error) && FAILED.includes(error.code), "wrong-refusal", () => {
      return `a ${what} was rejected with ${error}, the engine is ${state}, its failure ${failure}`;
    });
    mustHaveStruck(error, `the ${what}`);
  }
}
