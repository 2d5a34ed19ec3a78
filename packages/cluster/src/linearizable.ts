import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import type { LogHead, SharedLog } from "./shared-log.js";
import { unlessAborted, within } from "./within.js";

export interface ReadBarrierOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called before each read of the head; the returned function gets the head. See `KnownLog.reading`. */
  readonly reading: () => (head: LogHead | undefined) => void;
  /** Resolves once the records up to `lsn` can be read here. @throws KayaError if they never will, or the signal's reason */
  readonly applied: (lsn: Lsn, signal: AbortSignal) => Promise<void>;
}

/** A read of the head for calls that came before it began. */
interface SharedRead {
  readonly lsn: Promise<Lsn>;
  /** When the last of these calls has no time left. */
  deadline: number;
}

/**
 * Makes a read linearizable, on any node: reads the head, and waits until its records are applied here. Every write that was acknowledged before the call
 * is at or below that head. Calls during a read of the head share the next read, which begins after them. Each call has one deadline for all of its waiting.
 */
export class ReadBarrier {
  readonly #options: ReadBarrierOptions;
  /** Settles when the read of the head that is under way has ended. One is under way at a time. */
  #current: Promise<unknown> = Promise.resolve();
  /** It has not begun, so calls may still join it. */
  #next: SharedRead | undefined;

  constructor(options: ReadBarrierOptions) {
    this.#options = options;
  }

  /**
   * Resolves once everything that was acknowledged before this call can be read here.
   * @returns the LSN of the head that it read
   * @throws KayaError KAYA_NO_MAJORITY if that took longer than `timeoutMs`
   */
  async pass(closing: AbortSignal): Promise<Lsn> {
    const { clock, timeoutMs, applied } = this.#options;
    const deadline = clock.now() + timeoutMs;
    const head = this.#headLsn(deadline, closing);
    let lsn: Lsn | undefined;
    try {
      lsn = await this.#until(deadline, closing, (signal) => unlessAborted(head, signal));
      const found = lsn;
      await this.#until(deadline, closing, (signal) => applied(found, signal));
      return lsn;
    } catch (error) {
      if (KayaError.is(error)) throw error;
      closing.throwIfAborted();
      throw lsn === undefined ? this.#noHead(error) : this.#notApplied(lsn, error);
    }
  }

  /** The LSN of a head that is read after this call. */
  #headLsn(deadline: number, closing: AbortSignal): Promise<Lsn> {
    if (this.#next !== undefined) {
      this.#next.deadline = deadline;
      return this.#next.lsn;
    }
    const read: SharedRead = {
      deadline,
      lsn: this.#current.then(() => {
        this.#next = undefined; // calls from now on come after the head read began
        return this.#readHead(read.deadline, closing);
      }),
    };
    this.#next = read;
    this.#current = read.lsn.catch(() => undefined); // each caller is told
    return read.lsn;
  }

  async #readHead(deadline: number, closing: AbortSignal): Promise<Lsn> {
    const { log, reading } = this.#options;
    const saw = reading();
    try {
      const head = await this.#until(deadline, closing, (signal) => log.head({ signal }));
      saw(head);
      return head?.lsn ?? 0;
    } catch (error) {
      closing.throwIfAborted();
      throw KayaError.is(error, "KAYA_CORRUPTION") ? error : this.#noHead(error);
    }
  }

  /** @throws `closing.reason` when it aborts; else as `run`, whose signal aborts at the deadline */
  async #until<T>(
    deadline: number,
    closing: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options;
    return within(clock, Math.max(deadline - clock.now(), 0), run, closing);
  }

  #noHead(cause: unknown): KayaError {
    const { message } = asKayaError(cause, "read the head");
    return this.#noMajority(`the head cannot be read, and a linearizable read needs it: ${message}`, cause);
  }

  #notApplied(lsn: Lsn, cause: unknown): KayaError {
    const { timeoutMs } = this.#options;
    return this.#noMajority(`this node did not get the records up to LSN ${lsn} in ${timeoutMs} ms`, cause);
  }

  #noMajority(found: string, cause: unknown): KayaError {
    return new KayaError(
      "KAYA_NO_MAJORITY",
      `${this.#options.log.name}: ${found}. Nothing was read: try again, or read with { consistency: "local" }.`,
      { cause },
    );
  }
}
