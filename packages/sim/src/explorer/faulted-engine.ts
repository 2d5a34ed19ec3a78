import type { PartialEngineConfig } from "@kaya/core";
import type { SimDisk } from "@kaya/io";
import { type ConsumerFact, ConsumerSession } from "./consumer-session.js";
import { EngineSession } from "./engine-session.js";
import type { EngineWrite } from "./engine-write.js";
import { FaultedStore, type FaultedStoreOptions } from "./faulted-store.js";
import type { HistoryNotes } from "./history.js";

/** The part of an engine that the first fault of a pair strikes. */
export type EngineAction =
  | "writes"
  | "flush"
  | "flush beside writes"
  | "flush beside consumers"
  | "compaction"
  | "consumers"
  | "close"
  | "open";

export interface FaultedEngineOptions {
  readonly seed: number;
  readonly config: PartialEngineConfig;
  readonly losesRelaxed: boolean;
}

/** An engine in use while faults strike. */
export class FaultedEngine extends FaultedStore<EngineSession> {
  readonly #action: EngineAction;
  readonly #consumers: ConsumerSession;

  constructor(
    disk: SimDisk,
    history: HistoryNotes<EngineWrite | ConsumerFact>,
    action: EngineAction,
    options: FaultedEngineOptions,
  ) {
    super(new EngineSession(disk, history, options), { seed: options.seed, action: actionOf(action) });
    this.#action = action;
    this.#consumers = new ConsumerSession(history);
  }

  protected async write(round: number): Promise<void> {
    await this.session.put(`p${round % 3}`, long(60 + 40 * (round % 4)));
    await this.session.put("q", `${round}`, "relaxed");
    if (this.#action !== "compaction") return;
    await this.session.delete(`p${(round + 1) % 3}`, "relaxed");
    await this.session.flush();
    await this.session.clear("v", "relaxed");
  }

  protected async use(round: number): Promise<void> {
    switch (this.#action) {
      case "writes":
        return this.#write(round);
      case "flush":
        await this.session.flush();
        return;
      case "flush beside writes":
        await Promise.all([this.session.flush(), this.session.put("beside", `${round}`, "relaxed")]);
        return;
      case "flush beside consumers":
        await Promise.all([this.#changeConsumers(round), this.session.flush()]);
        return;
      case "compaction":
        await this.session.compact();
        return;
      case "consumers":
        return this.#changeConsumers(round);
    }
  }

  protected async mustWork(round: number): Promise<void> {
    await this.session.put("mended", `${round}`);
    const { failure } = this.session;
    const { durableLsn, lastLsn } = this.session.engine.stats();
    if (failure === undefined && durableLsn === lastLsn) return;
    throw new Error(`the engine takes no write, and no fault strikes any more: ${failure}`);
  }

  /** Writes of both modes, several in flight, over the end of a segment. */
  async #write(round: number): Promise<void> {
    const { session } = this;
    await Promise.all([
      session.put(`w${round % 2}`, long(150), "relaxed"),
      session.delete("q"),
      session.put("v", long(60), "relaxed"),
    ]);
    await session.put(`x${round % 3}`, long(380), "relaxed");
    await session.put("y", long(300));
  }

  /** One consumer is registered, reads and acknowledges; the one of the round before leaves. */
  async #changeConsumers(round: number): Promise<void> {
    const { engine } = this.session;
    const [name, before] = [`c${round % 2}`, `c${(round + 1) % 2}`];
    await this.#consumers.add(engine, name);
    await this.session.put("for the consumer", `${round}`);
    await this.#consumers.acknowledgeNext(engine, name);
    await this.#consumers.remove(engine, before);
  }
}

function actionOf(action: EngineAction): FaultedStoreOptions["action"] {
  return action === "close" || action === "open" ? action : "use";
}

function long(length: number): string {
  return "x".repeat(length);
}
