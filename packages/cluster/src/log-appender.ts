import { asKayaError, KayaError, type Lsn, type SequenceNumber } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import { fateOf } from "./epoch-starts.js";
import type { LogEntry, LogHead, SharedLog } from "./shared-log.js";
import { within } from "./within.js";

/** One group commit that the engine hands over. */
export interface AppendBatch {
  /** The first of its records. */
  readonly firstLsn: Lsn;
  /** The last of its records. */
  readonly lastLsn: Lsn;
  /** The last operation of its last record. */
  readonly lastSequence: SequenceNumber;
  /** The records, encoded, one behind the other. They stay as they are until the append settles. */
  readonly bytes: Uint8Array;
}

/** Calls of an appender to its owner. */
export interface AppendEvents {
  /** A batch is in the log. */
  appended(batch: AppendBatch, durationMs: number): void;
  /** An attempt got no answer. */
  doubted(error: unknown): void;
  /** This writer appends nothing more. Called once. */
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

/** How long an append waits before it tries again, at first and at most. */
const PAUSE_MS = 10;
const MAX_PAUSE_MS = 250;

/**
 * The writer of one epoch: appends batches to the shared log, one at a time.
 *
 * - C2: each append compares the head that this writer made last. Nothing else fences.
 * - C3: `append` resolves only if the batch is in the log.
 * - C4: after an attempt without an answer it reads the head, which shows whether the entry is in the log. It repeats the compare only with the same bytes.
 *   A fate that is open at the deadline ends the writer: a late request could still land, so it writes no other bytes at these LSNs in its epoch.
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

  /** Why it appends nothing more; undefined while it does. */
  get end(): KayaError | undefined {
    return this.#end;
  }

  /**
   * Ends the writer if the head shows a newer epoch. An append that is under way learns its fate from its own answer.
   */
  observe(head: LogHead): void {
    if (head.epoch > this.#head.epoch) this.#stop(fenced(this.#head, head, undefined));
  }

  /**
   * Appends a batch. The caller waits for it before it appends the next.
   * @throws KayaError KAYA_FENCED: another node became the writer, nothing of the batch is in the log, and this writer ended;
   *   KAYA_NO_MAJORITY, KAYA_DISK_FULL, KAYA_INVALID_ARGUMENT, KAYA_IO: nothing of it is there, and the next may succeed; KAYA_IN_DOUBT: it may be
   *   there, or may still come, and this writer ended
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
        `${this.#name}: a batch that begins with LSN ${batch.firstLsn} does not continue LSN ${lsn}`,
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
    const message = `nothing of it was written: this node is not the writer any more. ${cause.message}`;
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

/** One batch on its way: repeats the same compare with the same bytes until the fate is known or the time is up. */
class Attempt {
  /** No later batch may be tried after this one. */
  isLast = false;
  /** A head of a later epoch that was seen. */
  newer: LogHead | undefined;
  readonly #options: AppenderOptions;
  readonly #expected: LogHead;
  readonly #entry: LogEntry;
  readonly #deadline: number;
  /** An earlier attempt may have been done, or may still be. */
  #doubt: unknown;
  #pause = PAUSE_MS;

  constructor(options: AppenderOptions, expected: LogHead, batch: AppendBatch) {
    this.#options = options;
    this.#expected = expected;
    const { firstLsn, lastLsn, lastSequence, bytes } = batch;
    // A copy: a request that was given up may still be sent, and the buffer has other bytes by then.
    this.#entry = { firstLsn, lastLsn, lastSequence, bytes: new Uint8Array(bytes) };
    this.#deadline = options.clock.now() + options.commitTimeoutMs;
  }

  /** @returns the head of which the entry is the last */
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
    // A quarter of the time: a request without an answer leaves time for others.
    const ms = Math.min(this.#left, Math.max(commitTimeoutMs / 4, 1));
    return within(clock, ms, (signal) => log.append(this.#expected, this.#entry, { signal }));
  }

  /**
   * Finds out the fate of a failed attempt.
   * @returns the head, if the entry is in the log nevertheless; undefined: try again
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
      throw error; // nothing of it is there
    }
    const read = await this.#readHead();
    if (!read.isKnown) {
      if (this.#doubt !== undefined) return undefined;
      this.isLast = true;
      throw error; // fenced, by an unknown node
    }
    return this.#judge(read.head, error, isFenced);
  }

  #judge(head: LogHead | undefined, error: unknown, isFenced: boolean): LogHead | undefined {
    const fate = fateOf(this.#entry, this.#expected, head);
    if (head !== undefined && head.epoch > this.#expected.epoch) this.newer = head;
    switch (fate) {
      case "appended":
        return this.#headOfEntry(head as LogHead); // a head that is unknown has no fate
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

  /** The head as it was right after the entry, also if a later epoch has moved it on. */
  #headOfEntry(head: LogHead): LogHead {
    if (head.epoch === this.#expected.epoch) return head;
    const { lastLsn, lastSequence } = this.#entry;
    return { ...this.#expected, lsn: lastLsn, sequence: lastSequence, version: "" };
  }

  async #readHead(): Promise<ReadHead> {
    const { log, clock } = this.#options;
    // A fenced writer has a moment to read the new head, also at its deadline.
    const ms = Math.max(this.#left, PAUSE_MS);
    try {
      return { isKnown: true, head: await within(clock, ms, (signal) => log.head({ signal })) };
    } catch {
      return { isKnown: false }; // the caller tells the error of the append
    }
  }

  /** Ends the append if no time is left after the pause: an attempt without time for an answer only leaves a doubt. */
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
      `${log.name}, epoch ${this.#expected.epoch}: within ${commitTimeoutMs} ms no answer says whether LSN ${firstLsn} to ${lastLsn} are in the log. They are there whole or not at all. This node gave up its epoch: once a later epoch has begun, read with { consistency: "linearizable" } to see.`,
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

/** Whether the failed attempt did nothing, and never will. */
export function isDefinite(error: unknown): boolean {
  return DEFINITE.some((code) => KayaError.is(error, code));
}

/** The error of a writer that another node has replaced. */
export function fenced(own: LogHead, head: LogHead | undefined, cause: unknown): KayaError {
  const by =
    head === undefined || head.epoch <= own.epoch
      ? "its head is not the one that this node made"
      : `${head.writer}${head.address === undefined ? "" : ` (${head.address})`} became the writer with epoch ${head.epoch}`;
  return new KayaError(
    "KAYA_FENCED",
    `log ${own.logId}: ${by}, and this node wrote up to LSN ${own.lsn} in epoch ${own.epoch}. Nothing of the write is in the log: write there.`,
    { leader: head?.address, ...(cause !== undefined && { cause }) },
  );
}
