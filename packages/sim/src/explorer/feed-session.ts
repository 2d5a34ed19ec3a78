import type { DurabilityMode, Lsn, PartialEngineConfig } from "@kaya/core";
import type { Change, Engine } from "@kaya/engine";
import type { CrashOptions, SimDisk } from "@kaya/io";
import { isGranted } from "./answers.js";
import type { History } from "./history.js";
import { openEngine } from "./open-engine.js";

/** Has the whole history kept, and never acknowledges anything. */
export const ARCHIVE = "archive";
/** Acknowledges every second change. */
export const INDEX = "index";

/** The knowledge of an outside reader, independent of the directory. */
export type FeedFact =
  | { readonly fact: "delivered"; readonly lsn: Lsn; readonly text: string; readonly token: string }
  | { readonly fact: "registered"; readonly name: string }
  | { readonly fact: "acknowledged"; readonly lsn: Lsn };

/** Uses an engine as a program would beside which others follow its changes, and notes what those are told. */
export class FeedSession {
  readonly #disk: SimDisk;
  readonly #history: History<FeedFact>;
  readonly #config: PartialEngineConfig;
  #engine: Engine | undefined;

  constructor(disk: SimDisk, history: History<FeedFact>, config: PartialEngineConfig) {
    this.#disk = disk;
    this.#history = history;
    this.#config = config;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the session is not open");
    return this.#engine;
  }

  async open(): Promise<void> {
    const engine = await openEngine(this.#config, this.#disk, this.#disk.session());
    this.#engine = engine;
    for (const name of [ARCHIVE, INDEX]) {
      if (await isGranted(engine.addConsumer(name))) this.#know({ fact: "registered", name });
      else return;
    }
    // Each ends with the engine, or with the disk.
    void isGranted(this.#deliver(engine));
    void isGranted(this.#acknowledge(engine));
  }

  async put(key: string, length: number, durability: DurabilityMode = "strict"): Promise<void> {
    await isGranted(this.engine.put(key, "x".repeat(length), { durability }));
    await isGranted(this.engine.ready());
  }

  async sync(): Promise<void> {
    await isGranted(this.engine.sync());
  }

  async flush(): Promise<void> {
    await isGranted(this.engine.flush());
  }

  async reopen(): Promise<void> {
    await isGranted(this.engine.close());
    await this.open();
  }

  async crash(options: CrashOptions): Promise<void> {
    this.#disk.crash(options);
    await this.open();
  }

  async kill(): Promise<void> {
    this.#disk.killProcess();
    await this.open();
  }

  async #deliver(engine: Engine): Promise<void> {
    for await (const change of engine.changes({ consumer: ARCHIVE })) {
      const { lsn, token } = change;
      this.#know({ fact: "delivered", lsn, token, text: describeChange(change) });
    }
  }

  async #acknowledge(engine: Engine): Promise<void> {
    const feed = engine.changes({ consumer: INDEX });
    for await (const { lsn, token } of feed) {
      if (lsn % 2 === 0) continue;
      await feed.acknowledge(token);
      this.#know({ fact: "acknowledged", lsn });
    }
  }

  #know(fact: FeedFact): void {
    this.#history.attempt(fact);
    this.#history.acknowledge(fact);
  }
}

export function describeChange({ lsn, sequence, operations }: Change): string {
  const texts = operations.map((operation) => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
    if (operation.type === "deleteRange")
      return `-${text(operation.start)}..${operation.end === undefined ? "" : text(operation.end)}`;
    const key = text(operation.key);
    return operation.type === "put" ? `${key}=${operation.value.length}` : `-${key}`;
  });
  return `${lsn}/${sequence} ${texts.join(" ")}`;
}
