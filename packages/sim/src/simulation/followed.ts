import { KayaError, type Lsn } from "@kaya/core";
import type { Change, Changes, Engine } from "@kaya/engine";
import { isExplained, isIdLost, mayHaveDropped, mustBeNext } from "./feed-rules.js";
import { mustHold } from "./violation.js";
import { Watched } from "./watched.js";
import type { World } from "./world.js";

/** Progress of an outside follower: it survives process and disk. */
export interface FeedPosition {
  readonly lsn: Lsn;
  readonly token: string;
}

/**
 * Somebody follows the changes of one process, and goes on in the next where it was. A delivered change counts as acknowledged: the model
 * wants it after every crash.
 */
export class Followed {
  readonly #world: World;
  readonly #engine: Engine;
  readonly #strikesBefore: number;
  #feed: Changes | undefined;
  #token: Watched<string> | undefined;
  /** All that was acknowledged when the token was asked for. */
  #least: Lsn = 0;
  #over: Watched<void> | undefined;
  #delivered: Change[] = [];
  /** The feed that is open has given something. */
  #hasBegun = false;

  constructor(world: World, engine: Engine) {
    this.#world = world;
    this.#engine = engine;
    this.#strikesBefore = world.faults.strikes.length;
  }

  /** It asked for a token, or for the id of the log, which a feed begins with. */
  get mayUseLog(): boolean {
    return this.#token !== undefined || (this.#feed !== undefined && !this.#hasBegun);
  }

  start(): void {
    if (this.#feed !== undefined || this.#token !== undefined) return;
    const { followed } = this.#world;
    if (followed !== undefined || this.#coveredLsn === 0) {
      this.#follow(followed);
      return;
    }
    this.#least = this.#world.timeline.acknowledgedLsn;
    this.#token = new Watched(this.#engine.changesToken());
  }

  stop(): void {
    void this.#feed?.return();
  }

  /** Takes in what was delivered, and how it ended. */
  harvest(): void {
    for (const change of this.#delivered.splice(0)) this.#take(change);
    this.#harvestToken();
    const over = this.#over;
    if (over === undefined || over.state === "pending") return;
    this.#over = undefined;
    this.#feed = undefined;
    if (over.state === "rejected") this.#mustHaveReason(over.error);
  }

  #harvestToken(): void {
    const asked = this.#token;
    if (asked === undefined || asked.state === "pending") return;
    this.#token = undefined;
    if (asked.state === "rejected") {
      this.#mustHaveReason(asked.error);
      return;
    }
    const { timeline, digest } = this.#world;
    const token = asked.value;
    const lsn = Number(token.split("-")[1]);
    mustHold(lsn >= this.#least && lsn <= timeline.acknowledgedLsn, "wrong-answer", () => {
      return `a token stands for LSN ${lsn}; acknowledged was LSN ${this.#least}, and is LSN ${timeline.acknowledgedLsn}`;
    });
    digest.add(`token ${token}`);
    timeline.makeDurable(lsn);
    this.#world.followed = { lsn, token };
    if (this.#engine.state !== "closed") this.#follow(this.#world.followed);
  }

  #follow(from: FeedPosition | undefined): void {
    try {
      this.#feed = this.#engine.changes(from === undefined ? {} : { since: from.token });
    } catch (error) {
      this.#mustHaveReason(error);
      return;
    }
    this.#hasBegun = false;
    this.#over = new Watched(this.#read(this.#feed));
  }

  async #read(feed: Changes): Promise<void> {
    for await (const change of feed) this.#delivered.push(change);
  }

  #take(change: Change): void {
    const { digest, followed } = this.#world;
    const { lsn, token } = change;
    mustBeNext(this.#world, this.#engine, change, (followed?.lsn ?? 0) + 1);
    this.#hasBegun = true;
    this.#world.followed = { lsn, token };
    this.#world.delivered++;
    digest.add(`delivered ${lsn} ${token}`);
  }

  #mustHaveReason(error: unknown): void {
    const engine = this.#engine;
    const { faults, digest, followed } = this.#world;
    digest.add(`not followed ${error}`);
    if (KayaError.is(error, "KAYA_LOG_TRUNCATED")) {
      this.#world.followed = undefined;
      const isGone = mayHaveDropped(engine, followed?.lsn ?? 0) || isIdLost(this.#world);
      mustHold(isGone, "wrong-refusal", () => `what follows LSN ${followed?.lsn} was refused: ${error}`);
      return;
    }
    mustHold(
      isExplained(error, engine, faults.strikes.slice(this.#strikesBefore)),
      "wrong-refusal",
      () => `a feed ended with ${error}, the engine is ${engine.state}, its failure ${engine.failure}`,
    );
  }

  get #coveredLsn(): Lsn {
    return this.#engine.stats().tables.covered.lsn;
  }
}
