import { type DurabilityMode, KayaError, type PartialEngineConfig } from "@kaya/core";
import type { BatchOperation, Engine, RangeOptions } from "@kaya/engine";
import type { CrashOptions, SimDisk } from "@kaya/io";
import { isGranted, isWithoutEffect } from "./answers.js";
import { type EngineWrite, perform, performNow } from "./engine-write.js";
import type { HistoryNotes } from "./history.js";
import { openEngine } from "./open-engine.js";

export interface EngineSessionOptions {
  readonly config: PartialEngineConfig;
  /** A fault of the workload takes bytes away from a process that lives: nothing relaxed is promised. */
  readonly losesRelaxed?: boolean;
}

/** Uses an engine as a program would, over crashes and reopenings, and notes the answers in a history. */
export class EngineSession {
  readonly #disk: SimDisk;
  readonly #history: HistoryNotes<EngineWrite>;
  readonly #options: EngineSessionOptions;
  /** What may be in the store, by LSN. */
  #log: EngineWrite[] = [];
  readonly #accepted = new Set<EngineWrite>();
  /** Writes that the engine before this one accepted may still wait for room on a full disk (R5). */
  #isTailFinished = true;
  #engine: Engine | undefined;

  constructor(disk: SimDisk, history: HistoryNotes<EngineWrite>, options: EngineSessionOptions) {
    this.#disk = disk;
    this.#history = history;
    this.#options = options;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error("the session is not open");
    return this.#engine;
  }

  /** Why the open engine failed for good. */
  get failure(): KayaError | undefined {
    return this.engine.failure;
  }

  /** What may be in the store, in the order of the log: the write with LSN n is at n - 1. */
  get log(): readonly EngineWrite[] {
    return this.#log;
  }

  /** Opens the engine. Data that it calls durable is durable; data that it does not have is gone for good. */
  async open(config: PartialEngineConfig = this.#options.config): Promise<void> {
    this.#engine = await openEngine(config, this.#disk, this.#disk.session());
    const { durableLsn, lastLsn } = this.#engine.stats();
    this.#isTailFinished = durableLsn === lastLsn;
    this.#accepted.clear();
    for (const [index, write] of this.#log.entries()) {
      if (index < durableLsn) this.#history.acknowledge(write);
      else if (index < lastLsn) this.#accept(write);
      else this.#history.reject(write);
    }
    this.#log.length = Math.min(lastLsn, this.#log.length);
  }

  put(key: string, value = `value of ${key}`, durability: DurabilityMode = "strict"): Promise<void> {
    return this.write([{ type: "put", key, value }], durability);
  }

  delete(key: string, durability: DurabilityMode = "strict"): Promise<void> {
    return this.write([{ type: "delete", key }], durability);
  }

  clear(prefix: string, durability: DurabilityMode = "strict"): Promise<void> {
    return this.#perform({ durability, write: { clear: prefix } });
  }

  write(operations: readonly BatchOperation[], durability: DurabilityMode = "strict"): Promise<void> {
    return this.#perform({ durability, write: operations });
  }

  /** By the synchronous methods; false if the engine was busy, and nothing was written. */
  writeNow(operations: readonly BatchOperation[], durability: DurabilityMode = "strict"): boolean {
    const { engine } = this;
    const write = { durability, write: operations };
    this.#history.attempt(write);
    this.#log.push(write);
    try {
      this.#take(write, performNow(engine, operations, durability).durable);
      return true;
    } catch (error) {
      if (isWithoutEffect(error, engine.failure)) this.#reject(write);
      return !KayaError.is(error, "KAYA_BUSY");
    }
  }

  putNow(key: string, value = `value of ${key}`, durability: DurabilityMode = "strict"): boolean {
    return this.writeNow([{ type: "put", key, value }], durability);
  }

  async sync(): Promise<void> {
    const accepted = [...this.#accepted];
    if (await isGranted(this.engine.sync())) this.#acknowledge(...accepted);
  }

  /** Whether it was done: then all earlier writes are durable; otherwise nothing changed. */
  flush(): Promise<boolean> {
    return this.#settle(() => this.engine.flush());
  }

  /** As `flush`. Where it was not done, the flush that it begins with may have been. */
  compact(range?: RangeOptions): Promise<boolean> {
    return this.#settle(() => this.engine.compact(range));
  }

  async close(): Promise<void> {
    const accepted = [...this.#accepted];
    const isClosed = await isGranted(this.engine.close());
    // An engine that never found room for the tail of the one before it closes all the same, and promises nothing.
    if (isClosed && this.#isTailFinished) this.#acknowledge(...accepted);
  }

  /** Cuts the power in the middle of the workload. Open again to go on. */
  crash(options?: CrashOptions): void {
    this.#disk.crash(options);
    this.#history.powerCut();
  }

  /** Kills the process in the middle of the workload. Open again to go on. */
  kill(): void {
    this.#disk.killProcess();
  }

  async #settle(run: () => Promise<unknown>): Promise<boolean> {
    const accepted = [...this.#accepted];
    const isDone = await isGranted(run());
    if (isDone) this.#acknowledge(...accepted);
    return isDone;
  }

  async #perform(write: EngineWrite): Promise<void> {
    const { engine } = this;
    this.#history.attempt(write);
    this.#log.push(write);
    try {
      const { durable } = await perform(engine, write);
      this.#take(write, durable);
    } catch (error) {
      if (isWithoutEffect(error, engine.failure)) this.#reject(write);
    }
  }

  #take(write: EngineWrite, durable: boolean): void {
    this.#isTailFinished = true; // nothing is written before
    if (write.durability === "strict" || durable) this.#history.acknowledge(write);
    else this.#accept(write);
  }

  #accept(write: EngineWrite): void {
    if (this.#options.losesRelaxed !== true) this.#history.accept(write);
    this.#accepted.add(write);
  }

  #reject(write: EngineWrite): void {
    this.#history.reject(write);
    this.#log.splice(this.#log.indexOf(write), 1);
  }

  #acknowledge(...writes: readonly EngineWrite[]): void {
    this.#isTailFinished = true;
    for (const write of writes) this.#history.acknowledge(write);
  }
}
