import { KayaError, type Lsn } from "@kaya/core";
import type { AddedConsumer, Consumer, Engine } from "@kaya/engine";
import type { ConsumerPlaces, Place } from "./consumer-places.js";
import { isExplained, isIdLost, mayHaveDropped } from "./feed-rules.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

interface Asked {
  readonly what: "add" | "remove" | "acknowledge";
  readonly answer: Watched<unknown>;
  readonly registered: Consumer | undefined;
  readonly before: readonly Place[];
  readonly target: Place;
}

/** A write rejected with this was not done; with another error it may have been. */
const NOT_WRITTEN = ["KAYA_DISK_FULL", "KAYA_CLOSED", "KAYA_WRITER_FAILED"];

/** What a consumer asks for one after the other: each is durable once it is answered, and none ever takes it back. */
export class Registering {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #places: ConsumerPlaces;
  readonly #strikesBefore: number;
  #asked: Asked | undefined;

  constructor(world: World, engine: Engine, places: ConsumerPlaces) {
    this.#world = world;
    this.#engine = engine;
    this.#places = places;
    this.#strikesBefore = world.faults.strikes.length;
  }

  get isWaiting(): boolean {
    return this.#asked !== undefined;
  }

  add(name: string, registered: Consumer | undefined): void {
    const isThere = registered !== undefined && !registered.isTruncated;
    const least = isThere ? registered.lsn : this.#world.timeline.acknowledgedLsn;
    const target = { least, most: isThere ? least : Number.POSITIVE_INFINITY };
    this.#ask("add", () => this.#engine.addConsumer(name), registered, target);
  }

  remove(name: string, registered: Consumer | undefined): void {
    this.#ask("remove", () => this.#engine.removeConsumer(name), registered, undefined);
  }

  acknowledge(ask: () => Promise<void>, lsn: Lsn): void {
    this.#ask("acknowledge", ask, undefined, { least: lsn, most: lsn });
  }

  harvest(): void {
    const asked = this.#asked;
    if (asked === undefined || asked.answer.state === "pending") return;
    this.#asked = undefined;
    if (asked.answer.state === "rejected") this.#mustHaveReason(asked);
    else this.#take(asked);
  }

  #ask(
    what: Asked["what"],
    ask: () => Promise<unknown>,
    registered: Consumer | undefined,
    target: Place,
  ): void {
    if (this.#asked !== undefined) return;
    const before = this.#places.all;
    this.#places.mayBe(target);
    this.#asked = { what, answer: new Watched(ask()), registered, before, target };
  }

  #take({ what, answer, registered, target }: Asked): void {
    this.#world.digest.add(`${what} ${JSON.stringify(answer.value)}`);
    if (what === "add") {
      this.#takeAdded(answer.value as AddedConsumer, registered, target);
      return;
    }
    if (what === "acknowledge") this.#world.consumed++;
    if (what === "remove") {
      mustHold(answer.value === (registered !== undefined), "wrong-answer", () => {
        return `removing a consumer gave ${answer.value}, and it was ${registered?.token ?? "not there"}`;
      });
    }
    this.#places.settle(target);
  }

  #takeAdded({ lsn, isNew }: AddedConsumer, registered: Consumer | undefined, target: Place): void {
    const { timeline } = this.#world;
    const isThere = registered !== undefined && !registered.isTruncated;
    const least = target?.least ?? 0;
    mustHold(isNew === !isThere, "wrong-answer", () => {
      return `adding a consumer said that it is ${isNew ? "new" : "not new"}; it was ${registered?.token ?? "not there"}`;
    });
    mustHold(lsn >= least && lsn <= timeline.acknowledgedLsn, "wrong-answer", () => {
      return `a consumer was added at LSN ${lsn}; acknowledged was LSN ${least}, and is LSN ${timeline.acknowledgedLsn}`;
    });
    if (isNew) timeline.makeDurable(lsn);
    this.#places.settle({ least: lsn, most: lsn });
  }

  #mustHaveReason({ what, answer, before, target }: Asked): void {
    const { error } = answer;
    const { faults, digest } = this.#world;
    const { state, failure } = this.#engine;
    digest.add(`no ${what} ${error}`);
    if (KayaError.is(error) && NOT_WRITTEN.includes(error.code)) this.#places.restore(before);
    else if (what === "add") this.#places.isDoubtful = true;
    if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) {
      const isGone = mayHaveDropped(this.#engine, target?.least ?? 0) || isIdLost(this.#world);
      mustHold(isGone, "wrong-refusal", () => `to ${what} a consumer was refused: ${error}`);
      return;
    }
    const strikes = faults.strikes.slice(this.#strikesBefore);
    mustHold(isExplained(error, this.#engine, strikes), "wrong-refusal", () => {
      return `to ${what} a consumer was rejected with ${error}, the engine is ${state}, its failure ${failure}`;
    });
  }
}
