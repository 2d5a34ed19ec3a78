import { KayaError, type Lsn } from "@kaya/core";
import type { Change, Changes, Consumer, Engine } from "@kaya/engine";
import type { ConsumerPlaces } from "./consumer-places.js";
import { isExplained, isIdLost, mustBeNext } from "./feed-rules.js";
import { mayOutgrowWhatIsKept } from "./kept-log.js";
import { Registering } from "./registering.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

interface OpenFeed {
  readonly changes: Changes;
  readonly over: Watched<void>;
  /** Changes not checked yet. */
  readonly delivered: Change[];
  /** Of the last change that was. */
  lsn: Lsn;
  /** One for each change that was, in order. */
  readonly tokens: { readonly lsn: Lsn; readonly token: string }[];
}

/**
 * One consumer in one process: it registers, reads its feed and acknowledges, one at a time. Later processes get everything again that it
 * has not acknowledged, as long as that is kept.
 */
export class Consumed {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #name: string;
  readonly #places: ConsumerPlaces;
  readonly #registering: Registering;
  readonly #strikesBefore: number;
  #feed: OpenFeed | undefined;
  #isTruncated = false;

  constructor(world: World, engine: Engine, name: string, places: ConsumerPlaces) {
    this.#world = world;
    this.#engine = engine;
    this.#name = name;
    this.#places = places;
    this.#registering = new Registering(world, engine, places);
    this.#strikesBefore = world.faults.strikes.length;
  }

  get isWaiting(): boolean {
    return this.#registering.isWaiting;
  }

  /** It asked for something that may use the log: to be registered, or for the id of the log, which a feed begins with. */
  get mayUseLog(): boolean {
    return this.isWaiting || this.#feed?.tokens.length === 0;
  }

  add(): void {
    this.#registering.add(this.#name, this.#registered);
  }

  remove(): void {
    if (this.isWaiting) return;
    void this.#feed?.changes.return();
    this.#registering.remove(this.#name, this.#registered);
  }

  /** Reads on from its place; if it has none, or that is gone, it registers first. */
  read(): void {
    if (this.#feed !== undefined || this.isWaiting) return;
    const registered = this.#registered;
    if (registered === undefined || registered.isTruncated) {
      this.add();
      return;
    }
    try {
      const changes = this.#engine.changes({ consumer: this.#name });
      const delivered: Change[] = [];
      const over = new Watched(readInto(delivered, changes));
      this.#feed = { changes, over, delivered, lsn: registered.lsn, tokens: [] };
    } catch (error) {
      this.#mustHaveReason(error, registered.lsn);
    }
  }

  /** @param permille which of the changes that it was given, from the first to the last */
  acknowledge(permille: number): void {
    const { tokens = [], changes } = this.#feed ?? {};
    const chosen = tokens[Math.floor((permille * (tokens.length - 1)) / 1000)];
    const registered = this.#registered;
    if (changes === undefined || chosen === undefined || registered === undefined) return;
    const answer = () => changes.acknowledge(chosen.token);
    this.#registering.acknowledge(answer, Math.max(registered.lsn, chosen.lsn));
  }

  /** Takes in deliveries and answers. */
  harvest(): void {
    this.#registering.harvest();
    const feed = this.#feed;
    if (feed === undefined) return;
    for (const change of feed.delivered.splice(0)) this.#take(change, feed);
    const { over, lsn } = feed;
    if (over.state === "pending") return;
    this.#feed = undefined;
    if (over.state === "rejected") this.#mustHaveReason(over.error, lsn);
  }

  /** The engine's state of it fits its answers, and its log exists. */
  look(registered: Consumer | undefined): void {
    mustHold(this.#places.includes(registered?.lsn), "acknowledged-lost", () => {
      return `the consumer ${this.#name} is registered at LSN ${registered?.lsn}, and must be at ${this.#places}`;
    });
    const isTruncated = registered?.isTruncated === true;
    if (isTruncated) this.#mustBeTruncated(registered.lsn, "it says so");
    if (isTruncated && !this.#isTruncated) this.#world.truncated++;
    this.#isTruncated = isTruncated;
  }

  /** Nothing is under way: readers got everything durable. */
  mustBeCaughtUp(): void {
    const { durableLsn } = this.#engine.stats();
    // Records of the engine before this one may still wait for room on a full disk, so it may be further.
    const lsn = this.#feed?.lsn ?? durableLsn;
    mustHold(lsn >= durableLsn, "hang", () => {
      return `the consumer ${this.#name} was given changes up to LSN ${lsn}, and durable is LSN ${durableLsn}`;
    });
  }

  get #registered(): Consumer | undefined {
    return this.#engine.consumers().find(({ name }) => name === this.#name);
  }

  #take(change: Change, feed: OpenFeed): void {
    const { lsn, token } = change;
    mustBeNext(this.#world, this.#engine, change, feed.lsn + 1);
    feed.lsn = lsn;
    feed.tokens.push({ lsn, token });
    this.#world.delivered++;
    this.#world.digest.add(`delivered to ${this.#name} ${lsn} ${token}`);
  }

  #mustHaveReason(error: unknown, lsn: Lsn): void {
    const { faults, digest } = this.#world;
    const { state, failure } = this.#engine;
    digest.add(`not consumed ${error}`);
    if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) {
      this.#mustBeTruncated(lsn, error.message);
      return;
    }
    const strikes = faults.strikes.slice(this.#strikesBefore);
    mustHold(isExplained(error, this.#engine, strikes), "wrong-refusal", () => {
      return `the feed of ${this.#name} ended with ${error}, the engine is ${state}, its failure ${failure}`;
    });
  }

  #mustBeTruncated(lsn: Lsn, why: string): void {
    const isOutgrown = mayOutgrowWhatIsKept(lsn, this.#world);
    const mayBe = this.#places.isDoubtful || isIdLost(this.#world) || isOutgrown;
    mustHold(mayBe, "wrong-refusal", () => {
      return `the log behind LSN ${lsn} is not there for ${this.#name}, which stayed within what is kept: ${why}`;
    });
  }
}

async function readInto(delivered: Change[], changes: Changes): Promise<void> {
  for await (const change of changes) delivered.push(change);
}
