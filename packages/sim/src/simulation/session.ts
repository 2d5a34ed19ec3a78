import { KayaError } from "@kaya/core";
import type { Engine } from "@kaya/engine";
import { describeStrikes, isBesideTheLog, isSync, type Strike } from "./armed-faults.js";
import { Consumers } from "./consumers.js";
import { Followed } from "./followed.js";
import { InFlight } from "./in-flight.js";
import { Reads } from "./reads.js";
import { Transactions } from "./transactions.js";
import { mustHold } from "./violation.js";
import type { Watched } from "./watched.js";
import type { World } from "./world.js";

/** Operations that undo a failed write. If one of them fails too, the engine fails for good. */
const UNDOING: readonly Strike["operation"][] = ["truncate", "remove", "list"];

/** An engine that is open, or on its way to being closed, with what goes on in it. */
export class Session {
  readonly engine: Engine;
  readonly inFlight: InFlight;
  readonly reads: Reads;
  readonly followed: Followed;
  readonly consumers: Consumers;
  readonly transactions: Transactions;
  readonly #world: World;
  readonly #strikesBefore: number;
  readonly #strikesBeforeOpening: number;
  readonly #acknowledgedBefore: number;
  #flushes = 0;
  #compactions = 0;

  /** @param strikesBeforeOpening faults that had struck when its opening began: a compaction begins in that */
  constructor(world: World, engine: Engine, strikesBeforeOpening: number) {
    this.#world = world;
    this.engine = engine;
    this.#strikesBeforeOpening = strikesBeforeOpening;
    this.inFlight = new InFlight(world, engine, () => this.consumers.mayUseLog || this.followed.mayUseLog);
    this.reads = new Reads(world, engine);
    this.followed = new Followed(world, engine);
    this.consumers = new Consumers(world, engine);
    this.transactions = new Transactions(world, engine, this.inFlight);
    this.#strikesBefore = world.faults.strikes.length;
    this.#acknowledgedBefore = world.timeline.acknowledgedLsn;
  }

  /** Takes in the answers, and compares the engine's data and statistics with the model. */
  look(isDiskIdle: boolean): void {
    const { engine, inFlight, reads } = this;
    inFlight.harvest();
    this.followed.harvest();
    this.consumers.harvest();
    this.consumers.look(isDiskIdle);
    this.#checkState(isDiskIdle);
    this.#checkFlushes();
    const { timeline } = this.#world;
    const { lastLsn, lastSequence } = engine.stats();
    const isAlike = lastLsn === timeline.lastLsn && lastSequence === timeline.lastSequence;
    mustHold(isAlike || engine.state === "failed", "wrong-account", () => {
      const expected = `LSN ${timeline.lastLsn}, sequence ${timeline.lastSequence}`;
      return `stats() ends at LSN ${lastLsn}, sequence ${lastSequence}; written was up to ${expected}`;
    });
    if (!inFlight.isBlurred) reads.checkAll();
  }

  /** Takes in answers since the close began; when it ends, tells whether it was clean. */
  lookAtClosing(closing: Watched<void>): boolean {
    const { engine, inFlight } = this;
    const { timeline, digest } = this.#world;
    inFlight.harvest();
    this.followed.harvest();
    this.consumers.harvest();
    if (closing.state === "pending") return false;
    digest.add(`closed ${closing.state}`);
    const unanswered = () => `the engine is closed, and ${inFlight.writes} writes have no answer (W6)`;
    mustHold(inFlight.isEmpty, "hang", unanswered);
    mustHold(!this.consumers.areWaiting, "hang", () => "the engine is closed, and a consumer has no answer");
    const strikes = this.#strikes();
    if (closing.state === "rejected") {
      mustHold(KayaError.is(closing.error) && strikes.length > 0, "wrong-refusal", () => {
        return `close was rejected with ${closing.error}, after ${describeStrikes(strikes)}`;
      });
      return false;
    }
    const { durableLsn } = engine.stats();
    // Writes that an earlier engine acknowledged may still wait for room on a full disk.
    const isOwn = timeline.acknowledgedLsn > this.#acknowledgedBefore;
    mustHold(durableLsn >= timeline.acknowledgedLsn || !isOwn, "wrong-answer", () => {
      return `close resolved, but LSN ${timeline.acknowledgedLsn} is in and only LSN ${durableLsn} is durable`;
    });
    timeline.makeDurable(Math.min(durableLsn, timeline.acknowledgedLsn));
    return strikes.length === 0;
  }

  /** W4: it fails if a sync of the log failed, or a failed write could not be undone, and only then. */
  #checkState(isDiskIdle: boolean): void {
    const { state, failure } = this.engine;
    mustHold(state === (failure === undefined ? "open" : "failed"), "wrong-account", () => {
      return `the engine's state is ${state}, its failure ${failure}`;
    });
    const fatal = this.#strikes().filter(({ operation, path }) => isSync(operation) && !isBesideTheLog(path));
    if (state === "open") {
      const goesOn = () => `the engine goes on after ${describeStrikes(fatal)} (W4)`;
      // Flushes and consumers sync the root directory too.
      const isFatal = fatal.some(({ path }) => path !== "");
      mustHold(!isFatal || !isDiskIdle, "wrong-account", goesOn);
    } else {
      const failedUndo = this.#strikes().some(({ operation }) => UNDOING.includes(operation));
      mustHold(
        fatal.length > 0 || failedUndo,
        "wrong-account",
        () => `the engine failed for no reason: ${failure}`,
      );
    }
  }

  /** A flush or a compaction that fails has a reason too, and such a failure alone is not the engine's. */
  #checkFlushes(): void {
    const { flush, tables } = this.engine.stats();
    for (const error of [flush.error, tables.compactionFailure]) {
      const hasStruck = this.#world.faults.strikes.length > this.#strikesBeforeOpening;
      mustHold(error === undefined || hasStruck, "wrong-account", () => {
        return `a flush or a compaction failed for no reason: ${error}`;
      });
    }
    const { drops, moves, merges } = tables.compactions;
    const compactions = drops + moves + merges;
    this.#world.flushes += tables.flushes - this.#flushes;
    this.#world.compactions += compactions - this.#compactions;
    this.#flushes = tables.flushes;
    this.#compactions = compactions;
  }

  #strikes(): readonly Strike[] {
    return this.#world.faults.strikes.slice(this.#strikesBefore);
  }
}
