import { asKayaError, KayaError, type Lsn } from "@kaya/core";
import type { ClusterClock } from "./clock.js";
import type { LogHead, SharedLog } from "./shared-log.js";
import { within } from "./within.js";

export interface ReadBarrierOptions {
  readonly log: SharedLog;
  readonly clock: ClusterClock;
  /** How long one read may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called before each read of the head; the returned function gets the head. See `KnownLog.reading`. */
  readonly reading: () => (head: LogHead | undefined) => void;
  /** Resolves once the records up to `lsn` can be read here. @throws KayaError if they never will, or the signal's reason */
  readonly applied: (lsn: Lsn, signal: AbortSignal) => Promise<void>;
}

/**
 * Makes a read linearizable, on any node: reads the head, and waits until its records are applied here. Every write that was acknowledged before the call
 * is at or below that head. Calls during a read of the head share the next read, which begins after them.
 */
export class ReadBarrier {
  readonly #options: ReadBarrierOptions;
  #current: Promise<unknown> = Promise.resolve();
  #next: Promise<Lsn> | undefined;

  constructor(options: ReadBarrierOptions) {
    this.#options = options;
  }

  /**
   * Resolves once everything that was acknowledged before this call can be read here.
   * @returns the LSN of the head that it read
   * @throws KayaError KAYA_NO_MAJORITY if that took too long
   */
  async pass(closing: AbortSignal): Promise<Lsn> {
    const { clock, timeoutMs } = this.#options;
    const began = clock.now();
    const lsn = await this.#headLsn(closing);
    const left = Math.max(timeoutMs - (clock.now() - began), 1);
    try {
      await within(clock, left, (signal) => this.#options.applied(lsn, signal), closing);
    } catch (error) {
      if (KayaError.is(error)) throw error;
      closing.throwIfAborted();
      throw new KayaError(
        "KAYA_NO_MAJORITY",
        `${this.#options.log.name}: this node did not get the records up to LSN ${lsn} in ${timeoutMs} ms. Nothing was read: try again, or read with { consistency: "local" }.`,
        { cause: error },
      );
    }
    return lsn;
  }

  #headLsn(closing: AbortSignal): Promise<Lsn> {
    if (this.#next !== undefined) return this.#next;
    const next = this.#current.then(() => {
      this.#next = undefined; // calls from now on come after the head read began
      return this.#readHead(closing);
    });
    this.#next = next;
    this.#current = next.catch(() => undefined); // each caller is told
    return next;
  }

  async #readHead(closing: AbortSignal): Promise<Lsn> {
    const { log, clock, timeoutMs, reading } = this.#options;
    const saw = reading();
    try {
      const head = await within(clock, timeoutMs, (signal) => log.head({ signal }), closing);
      saw(head);
      return head?.lsn ?? 0;
    } catch (error) {
      closing.throwIfAborted();
      if (KayaError.is(error, "KAYA_CORRUPTION")) throw error;
      const { message } = asKayaError(error, "read the head");
      throw new KayaError(
        "KAYA_NO_MAJORITY",
        `${log.name}: the head cannot be read, and a linearizable read needs it: ${message}. Nothing was read: try again, or read with { consistency: "local" }.`,
        { cause: error },
      );
    }
  }
}
