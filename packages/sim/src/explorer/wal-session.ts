import { type DurabilityMode, KayaError, type WalConfig } from "@kaya/core";
import type { CrashOptions, SimDisk } from "@kaya/io";
import { type WalPayload, type WalRecord, WalWriter } from "@kaya/wal";
import { isGranted, isWithoutEffect } from "./answers.js";
import type { HistoryNotes } from "./history.js";
import { readCheckpoint, writeCheckpoint } from "./wal-checkpoint.js";
import type { WalWrite } from "./wal-write.js";

export interface WalSessionOptions {
  readonly config: Partial<WalConfig>;
  /** A fault of the workload takes bytes away from a process that lives: nothing relaxed is promised. */
  readonly losesRelaxed?: boolean;
  /** The log is opened as by an owner who knows that the machine was started again. */
  readonly trustPageCache?: boolean;
  /** Given to the first writer: what shows its records. */
  readonly onCommit?: (record: WalRecord) => void;
}

/** So that values of two lengths of the scenarios are written apart, and others are not. */
const LARGE_VALUE_BYTES = 200;

type Append = readonly [payload: WalPayload, mode?: DurabilityMode];

/** Uses a log as a program would, over crashes and reopenings, and notes the answers in a history. */
export class WalSession {
  readonly #disk: SimDisk;
  readonly #history: HistoryNotes<WalWrite>;
  readonly #options: WalSessionOptions;
  /** What may be in the log, by LSN. */
  #log: WalWrite[] = [];
  /** Relaxed writes that are not known to be durable. */
  readonly #accepted = new Set<WalWrite>();
  /** Writes that the writer before this one accepted may still wait for room on a full disk (R5). */
  #isTailFinished = true;
  #writer: WalWriter | undefined;

  constructor(disk: SimDisk, history: HistoryNotes<WalWrite>, options: WalSessionOptions) {
    this.#disk = disk;
    this.#history = history;
    this.#options = options;
  }

  get writer(): WalWriter {
    if (this.#writer === undefined) throw new Error("the session is not open");
    return this.#writer;
  }

  /** These records are in the log already: durable, or maybe not. */
  begin(payloads: readonly WalPayload[], durable = true): void {
    this.#log = payloads.map((payload) => ({ payload, mode: "strict" }));
    for (const write of this.#log) {
      this.#history.attempt(write);
      if (durable) this.#history.acknowledge(write);
    }
  }

  /** Why the open writer failed for good. */
  get failure(): KayaError | undefined {
    return this.writer.failure;
  }

  /** Opens the log. Records that it calls durable are durable; records that it does not have are gone for good. */
  async open(): Promise<void> {
    const after = readCheckpoint(this.#disk);
    const { config, trustPageCache = false } = this.#options;
    const onCommit = this.#writer === undefined ? this.#options.onCommit : undefined;
    this.#writer = await WalWriter.open(config, this.#disk.session(), {
      ...{ after, trustPageCache, largeValueBytes: LARGE_VALUE_BYTES },
      ...(onCommit !== undefined && { onCommit, onCommitSync: onCommit }),
    });
    const { durableLsn, nextLsn } = this.#writer;
    this.#isTailFinished = durableLsn === nextLsn - 1;
    this.#accepted.clear();
    for (const [index, write] of this.#log.entries()) {
      if (index < durableLsn) this.#history.acknowledge(write);
      else if (index < nextLsn - 1) this.#accept(write);
      else this.#history.reject(write);
    }
    this.#log.length = Math.min(nextLsn - 1, this.#log.length);
  }

  /** Appends all of them in one turn and waits until each is settled. */
  async append(...appends: readonly Append[]): Promise<void> {
    await Promise.all(appends.map(([payload, mode = "strict"]) => this.#append({ payload, mode })));
  }

  /** `append` in the next turn: writes in flight go first. */
  async appendLater(...appends: readonly Append[]): Promise<void> {
    await Promise.resolve();
    await this.append(...appends);
  }

  /** Appends one that is done when it returns; false where the writer was busy, and nothing was appended. */
  appendNow(payload: WalPayload, mode: DurabilityMode = "strict"): boolean {
    const { writer } = this;
    const write = { payload, mode };
    this.#history.attempt(write);
    this.#log.push(write);
    try {
      this.#take(write, writer.appendSync(payload, mode).durable);
      return true;
    } catch (error) {
      if (isWithoutEffect(error, writer.failure)) this.#reject(write);
      return !KayaError.is(error, "KAYA_BUSY");
    }
  }

  async sync(): Promise<void> {
    const accepted = [...this.#accepted];
    if (await isGranted(this.writer.sync())) this.#acknowledge(...accepted);
  }

  async rotate(): Promise<void> {
    const accepted = [...this.#accepted];
    if (await isGranted(this.writer.rotate())) this.#acknowledge(...accepted);
  }

  async close(): Promise<void> {
    const accepted = [...this.#accepted];
    const isClosed = await isGranted(this.writer.close());
    // A writer that never found room for the tail of the one before it closes all the same, and promises nothing.
    if (isClosed && this.#isTailFinished) this.#acknowledge(...accepted);
  }

  /** Puts the state up to here into a checkpoint, and drops the segments that it covers; `meanwhile` the log goes on. */
  async checkpoint(meanwhile: () => Promise<void>): Promise<void> {
    await this.sync();
    if (this.writer.durableLsn < this.writer.nextLsn - 1) return; // the sync failed
    const position = { lsn: this.writer.durableLsn, sequence: this.writer.nextSequence - 1 };
    await writeCheckpoint(this.#disk, position);
    await meanwhile();
    await this.writer.dropSegmentsBefore(position.lsn + 1);
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

  async #append(write: WalWrite): Promise<void> {
    const { writer } = this;
    this.#history.attempt(write);
    this.#log.push(write);
    try {
      const { durable } = await writer.append(write.payload, write.mode);
      this.#take(write, durable);
    } catch (error) {
      if (isWithoutEffect(error, writer.failure)) this.#reject(write);
    }
  }

  #take(write: WalWrite, durable: boolean): void {
    this.#isTailFinished = true; // nothing is written before
    if (write.mode === "strict" || durable) this.#history.acknowledge(write);
    else this.#accept(write);
  }

  #accept(write: WalWrite): void {
    if (this.#options.losesRelaxed !== true) this.#history.accept(write);
    this.#accepted.add(write);
  }

  #reject(write: WalWrite): void {
    this.#history.reject(write);
    this.#log.splice(this.#log.indexOf(write), 1);
  }

  #acknowledge(...writes: readonly WalWrite[]): void {
    this.#isTailFinished = true;
    for (const write of writes) this.#history.acknowledge(write);
  }
}
