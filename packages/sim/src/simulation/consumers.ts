import type { Engine } from "@kaya/engine";
import { Consumed } from "./consumed.js";
import { CONSUMER_NAMES } from "./consumer-places.js";
import { mustHold } from "./violation.js";
import type { World } from "./world.js";

/** The consumers of one process. */
export class Consumers {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #strikesBefore: number;
  readonly #consumed = new Map<string, Consumed>();

  /** The engine was just opened: each consumer's place is now certain. */
  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
    this.#strikesBefore = world.faults.strikes.length;
    for (const [name, places] of world.consumers) {
      const consumed = new Consumed(world, engine, name, places);
      const registered = engine.consumers().find((consumer) => consumer.name === name);
      consumed.look(registered);
      const lsn = registered?.lsn;
      const { isDoubtful } = places;
      places.settle(lsn === undefined ? undefined : { least: lsn, most: lsn });
      places.isDoubtful = isDoubtful;
      this.#consumed.set(name, consumed);
    }
  }

  get areWaiting(): boolean {
    return [...this.#consumed.values()].some(({ isWaiting }) => isWaiting);
  }

  get mayUseLog(): boolean {
    return [...this.#consumed.values()].some(({ mayUseLog }) => mayUseLog);
  }

  of(name: string): Consumed {
    const consumed = this.#consumed.get(name);
    if (consumed === undefined) throw new Error(`the consumers are ${CONSUMER_NAMES}, not ${name}`);
    this.#world.usesConsumers = true;
    return consumed;
  }

  harvest(): void {
    for (const consumed of this.#consumed.values()) consumed.harvest();
  }

  look(isDiskIdle: boolean): void {
    const known = this.#engine.consumers();
    for (const [name, consumed] of this.#consumed)
      consumed.look(known.find((consumer) => consumer.name === name));
    const { consumers, keptLogBytes } = this.#engine.stats().changes;
    mustHold(consumers === known.length, "wrong-account", () => {
      return `stats() counts ${consumers} consumers of ${known.length}`;
    });
    const { faults, maxKeptLogBytes = Number.POSITIVE_INFINITY } = this.#world;
    // Segments that could not be removed stay.
    const isBounded = isDiskIdle && faults.strikes.length === this.#strikesBefore;
    mustHold(keptLogBytes <= maxKeptLogBytes || !isBounded, "wrong-account", () => {
      return `${keptLogBytes} bytes of the log are kept for consumers, and maxKeptLogBytes is ${maxKeptLogBytes}`;
    });
  }

  mustBeCaughtUp(): void {
    // Followers of the log wait with it.
    if (this.#world.unfinishedAt === this.#world.acknowledged) return;
    for (const consumed of this.#consumed.values()) consumed.mustBeCaughtUp();
  }
}
