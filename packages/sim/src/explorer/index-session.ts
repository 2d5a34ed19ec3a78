import type { DurabilityMode, PartialEngineConfig } from "@kaya/core";
import { Engine, KayaError, type Turns } from "@kaya/engine";
import type { CrashOptions, Disk, SimDisk } from "@kaya/io";
import { isGranted, isWithoutEffect } from "./answers.js";
import type { HistoryNotes } from "./history.js";
import { indexedView, plainView, type Row, type RowWrite } from "./indexed-rows.js";
import { engineOptionsOf } from "./open-engine.js";

/** A build takes its turns without real time, so that each run is the same. */
const TURNS: Turns = {
  operations: 1024,
  next: async () => {
    for (let i = 0; i < 12; i++) await undefined;
  },
};

/** @param on what it is opened on; default: the disk itself */
export function openIndexed(config: PartialEngineConfig, disk: SimDisk, on: Disk = disk): Promise<Engine> {
  return Engine.open(config, on, { ...engineOptionsOf(disk), turns: TURNS });
}

/** Writes rows of a view with indexes, over crashes and reopenings, and notes what it is told. */
export class IndexSession {
  readonly #disk: SimDisk;
  readonly #history: HistoryNotes<RowWrite>;
  readonly #config: PartialEngineConfig;
  #engine: Engine | undefined;
  /** What may be there and was not acknowledged. */
  readonly #accepted = new Set<RowWrite>();

  constructor(disk: SimDisk, history: HistoryNotes<RowWrite>, config: PartialEngineConfig) {
    this.#disk = disk;
    this.#history = history;
    this.#config = config;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the session is not open");
    return this.#engine;
  }

  async open(): Promise<void> {
    this.#engine = await openIndexed(this.#config, this.#disk, this.#disk.session());
    this.#accepted.clear();
  }

  /** Of a program that knows of no indexes. */
  async writePlain(key: string, row: Row): Promise<void> {
    await this.#note({ [key]: row }, "strict", () => plainView(this.engine).put(key, row));
  }

  put(key: string, row: Row, durability: DurabilityMode = "strict"): Promise<void> {
    return this.#note({ [key]: row }, durability, () =>
      indexedView(this.engine).put(key, row, { durability }),
    );
  }

  delete(key: string, durability: DurabilityMode = "strict"): Promise<void> {
    return this.#note({ [key]: null }, durability, () =>
      indexedView(this.engine).delete(key, { durability }),
    );
  }

  batch(rows: Exclude<RowWrite, "clear">, durability: DurabilityMode = "strict"): Promise<void> {
    const operations = Object.entries(rows).map(([key, row]) =>
      row === null ? ({ type: "delete", key } as const) : ({ type: "put", key, value: row } as const),
    );
    return this.#note({ ...rows }, durability, () =>
      indexedView(this.engine).batch(operations, { durability }),
    );
  }

  clear(durability: DurabilityMode = "strict"): Promise<void> {
    // An object of its own: items of a history are told apart.
    return this.#note("clear", durability, () => indexedView(this.engine).clear({}, { durability }));
  }

  /** Whether it was done: not where a fault or a crash came. */
  ready(): Promise<boolean> {
    return isGranted(indexedView(this.engine).ready());
  }

  flush(): Promise<boolean> {
    return isGranted(this.engine.flush());
  }

  async close(): Promise<void> {
    const accepted = [...this.#accepted];
    if (await isGranted(this.engine.close())) for (const write of accepted) this.#history.acknowledge(write);
  }

  crash(options?: CrashOptions): void {
    this.#disk.crash(options);
    this.#history.powerCut();
  }

  kill(): void {
    this.#disk.killProcess();
  }

  async #note(
    write: RowWrite,
    durability: DurabilityMode,
    run: () => Promise<{ durable: boolean }>,
  ): Promise<void> {
    const { engine } = this;
    this.#history.attempt(write);
    try {
      const { durable } = await run();
      if (durability === "strict" || durable) this.#history.acknowledge(write);
      else {
        this.#history.accept(write);
        this.#accepted.add(write);
      }
    } catch (error) {
      const isRefused = KayaError.is(error, "KAYA_NOT_UNIQUE");
      if (isRefused || isWithoutEffect(error, engine.failure)) this.#history.reject(write);
    }
  }
}
