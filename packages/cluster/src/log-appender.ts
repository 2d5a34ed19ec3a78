import { asKayaError, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import { fateOf } from "./epoch-starts.js";
import type { LogEntry, LogHead, SharedLog } from "./shared-log.js";
import { within } from "./within.js";

/** One group commit of the engine. */
export interface AppendBatch {
  /** LSN of its first record. */
  readonly firstLsn: Lsn;
  /** LSN of its last record. */
  readonly lastLsn: Lsn;
  /** Sequence number of the last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The encoded records, one after the other. The bytes do not change until the append settles. */
  readonly bytes: Uint8Array;
}

/** Calls of an appender to its owner. */
export interface AppendEvents {
  /** A batch is in the log. */
  appended(batch: AppendBatch, durationMs: number): void;
  /** An attempt got no answer. */
  doubted(error: unknown): void;
  /** This writer can append nothing more. Called once. */
  ended(reason: KayaError): void;
}

export interface AppenderOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  /** How long an append tries, in milliseconds. */
  readonly commitTimeoutMs: number;
  /** The head that this node's claim returned. */
  readonly head: LogHead;
  readonly events: AppendEvents;
}

/** The first pause before an append is tried again; it doubles up to `MAX_PAUSE_MS`. */
const PAUSE_MS = 10;
const MAX_PAUSE_MS = 250;

/**
 * The writer of one epoch. It appends batches to the shared log, one at a time.
 *
 * - C2: each append compares the head with the last head that this writer made. Only this comparison keeps two writers apart.
 * - C3: `append` resolves only if the batch is in the log.
 * - C4: after an attempt without an answer it reads the head, which shows whether the entry is in the log. It repeats the attempt only with
 *   the same bytes. If the outcome is still unknown at the deadline, the writer ends: a late request may still arrive, so the writer must
 *   send no other bytes at these LSNs in its epoch.
 */
export class LogAppender {
  readonly #options: AppenderOptions;
  #head: LogHead;
  #end: KayaError | undefined;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#head = options.head;
  }

  /** The last head that this writer made. */
  get head(): LogHead {
    return this.#head;
  }

  /** The error that ended this writer; undefined while it can append. */
  get end(): KayaError | undefined {
    return this.#end;
  }

  /** Ends the writer if the head shows a newer epoch. A pending append gets its outcome from its own answer. */
  observe(head: LogHead): void {
    if (head.epoch > this.#head.epoch) this.#stop(fenced(this.#head, head, undefined));
  }

  /**
   * Appends a batch. The caller waits for it before it appends the next one.
   * @throws KayaError KAYA_FENCED: another node became the writer, nothing of the batch is in the log, and this writer has ended;
   *   KAYA_NO_MAJORITY, KAYA_DISK_FULL, KAYA_INVALID_ARGUMENT, KAYA_IO: nothing of the batch is in the log, and the next one may succeed;
   *   KAYA_IN_DOUBT: the batch may be in the log, or may still arrive, and this writer has ended
   */
  async append(batch: AppendBatch): Promise<void> {
    const { events, clock } = this.#options;
    const began = clock.now();
    await this.#append(batch);
    events.appended(batch, clock.now() - began);
  }

  async #append(batch: AppendBatch): Promise<void> {
    if (this.#end !== undefined) throw this.#refusal(this.#end);
    if (batch.firstLsn !== this.#head.lsn + 1) {
      const { lsn } = this.#head;
      throw new KayaError(
        "KAYA_INVARIANT_VIOLATION",
        `${this.#name}: a batch that begins with LSN ${batch.firstLsn} does not follow LSN ${lsn}`,
      );
    }
    const attempt = new Attempt(this.#options, this.#head, batch);
    try {
      this.#head = await attempt.run();
    } catch (error) {
      const failure = asKayaError(error, "append to the shared log");
      if (attempt.isLast) this.#stop(failure);
      throw failure;
    }
    if (attempt.newer !== undefined) this.observe(attempt.newer);
  }

  #refusal(cause: KayaError): KayaError {
    const message = `nothing was written: this node is no longer the writer. ${cause.message}`;
    return new KayaError("KAYA_FENCED", message, { cause, leader: cause.leader });
  }

  #stop(reason: KayaError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#options.events.ended(reason);
  }

  get #name(): string {
    return `${this.#options.log.name}, epoch ${this.#head.epoch}`;
  }
}

/** The append of one batch. It repeats the same comparison with the same bytes until the outcome is known or the time is over. */
class Attempt {
  /** True: this writer must append no later batch. */
  isLast = false;
  /** The head of a later epoch, if one was seen. */
  newer: LogHead | undefined;
  readonly #options: AppenderOptions;
  readonly #expected: LogHead;
  readonly #entry: LogEntry;
  readonly #deadline: number;
  /** The error of the first attempt with an unknown outcome. That attempt may have been done, or may still be done. */
  #doubt: unknown;
  #pause = PAUSE_MS;

  constructor(options: AppenderOptions, expected: LogHead, batch: AppendBatch) {
    this.#options = options;
    this.#expected = expected;
    const { firstLsn, lastLsn, lastSequence, bytes } = batch;
    // The bytes are copied: an aborted request may still be sent after the engine has reused the buffer.
    this.#entry = { firstLsn, lastLsn, lastSequence, bytes: new Uint8Array(bytes) };
    this.#deadline = options.clock.now() + options.commitTimeoutMs;
  }

  /** @returns the head whose last entry is this one */
  async run(): Promise<LogHead> {
    for (;;) {
      try {
        return await this.#try();
      } catch (error) {
        const head = await this.#clearUp(error);
        if (head !== undefined) return head;
        await this.#wait(error);
      }
    }
  }

  #try(): Promise<LogHead> {
    const { log, clock, commitTimeoutMs } = this.#options;
    // An attempt gets a quarter of the time, so that a request without an answer leaves time for more attempts.
    const ms = Math.min(this.#left, Math.max(commitTimeoutMs / 4, 1));
    return within(clock, ms, (signal) => log.append(this.#expected, this.#entry, { signal }));
  }

  /**
   * Finds the outcome of a failed attempt.
   * @returns the head if the entry is in the log nevertheless; undefined: try again
   * @throws KayaError as `LogAppender.append`
   */
  async #clearUp(error: unknown): Promise<LogHead | undefined> {
    if (!isDefinite(error)) {
      this.#doubt ??= error;
      this.#options.events.doubted(error);
    }
    const isFenced = KayaError.is(error, "KAYA_FENCED");
    if (this.#doubt === undefined && !isFenced) {
      if (KayaError.is(error, "KAYA_NO_MAJORITY")) return undefined;
      throw error; // nothing of the entry is in the log
    }
    const read = await this.#readHead();
    if (!read.isKnown) {
      if (this.#doubt !== undefined) return undefined;
      this.isLast = true;
      throw error; // fenced by an unknown node
    }
    return this.#judge(read.head, error, isFenced);
  }

  #judge(head: LogHead | undefined, error: unknown, isFenced: boolean): LogHead | undefined {
    const fate = fateOf(this.#entry, this.#expected, head);
    if (head !== undefined && head.epoch > this.#expected.epoch) this.newer = head;
    switch (fate) {
      case "appended":
        return this.#headOfEntry(head as LogHead); // `fateOf` says "appended" only for a known head
      case "open":
        return undefined;
      case "never":
        this.isLast = true;
        throw fenced(this.#expected, head as LogHead, error);
      case "unknown":
        this.isLast = true;
        if (this.#doubt === undefined && isFenced) throw fenced(this.#expected, head, error);
        throw this.#inDoubt(this.#doubt);
    }
  }

  /** The head right after the entry, also if a later epoch has changed the head since then. */
  #headOfEntry(head: LogHead): LogHead {
    if (head.epoch === this.#expected.epoch) return head;
    const { lastLsn, lastSequence } = this.#entry;
    return { ...this.#expected, lsn: lastLsn, sequence: lastSequence, version: "" };
  }

  async #readHead(): Promise<ReadHead> {
    const { log, clock } = this.#options;
    // Even at its deadline, a fenced writer gets a short time to read the new head.
    const ms = Math.max(this.#left, PAUSE_MS);
    try {
      return { isKnown: true, head: await within(clock, ms, (signal) => log.head({ signal })) };
    } catch {
      return { isKnown: false }; // the caller reports the error of the append
    }
  }

  /**
   * Pauses before the next attempt, and ends the append if no time is left after the pause. An attempt that has no time for an answer would
   * only create doubt.
   */
  async #wait(error: unknown): Promise<void> {
    if (this.#left > 0) await this.#options.clock.sleep(Math.min(this.#pause, this.#left));
    this.#pause = Math.min(2 * this.#pause, MAX_PAUSE_MS);
    if (this.#left > 0) return;
    if (this.#doubt === undefined) throw error;
    this.isLast = true;
    throw this.#inDoubt(this.#doubt);
  }

  #inDoubt(cause: unknown): KayaError {
    const { firstLsn, lastLsn } = this.#entry;
    const { log, commitTimeoutMs } = this.#options;
    return new KayaError(
      "KAYA_IN_DOUBT",
      `${log.name}, epoch ${this.#expected.epoch}: no answer within ${commitTimeoutMs} ms says whether LSN ${firstLsn} to ${lastLsn} are in the log. Either all of them are, or none. This node ended its epoch. When a later epoch has begun, read with { consistency: "linearizable" } to find out.`,
      { cause },
    );
  }

  get #left(): number {
    return this.#deadline - this.#options.clock.now();
  }
}

type ReadHead = { readonly isKnown: true; readonly head: LogHead | undefined } | { readonly isKnown: false };

const DEFINITE = [
  "KAYA_FENCED",
  "KAYA_DISK_FULL",
  "KAYA_NO_MAJORITY",
  "KAYA_INVALID_ARGUMENT",
  "KAYA_IO",
] as const;

/** Whether the failed attempt is known to have done nothing, now and later. */
export function isDefinite(error: unknown): boolean {
  return DEFINITE.some((code) => KayaError.is(error, code));
}

/** The error of a writer that another node replaced. */
export function fenced(own: LogHead, head: LogHead | undefined, cause: unknown): KayaError {
  const by =
    head === undefined || head.epoch <= own.epoch
      ? "the head is not the one that this node made"
      : `${head.writer}${head.address === undefined ? "" : ` (${head.address})`} became the writer with epoch ${head.epoch}`;
  return new KayaError(
    "KAYA_FENCED",
    `log ${own.logId}: ${by}, and this node wrote up to LSN ${own.lsn} in epoch ${own.epoch}. Nothing of the write is in the log: write to the new writer.`,
    { leader: head?.address, ...(cause !== undefined && { cause }) },
  );
}
