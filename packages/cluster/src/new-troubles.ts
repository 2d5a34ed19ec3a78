import type { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";

interface Report {
  at: number;
  /** The error is not reported again for this time, in milliseconds. */
  pauseMs: number;
}

/** The longest pause between two reports of an error, as a multiple of the first pause. */
const MOST_PAUSES = 64;
/** If there are more different errors than this, all are forgotten. */
const MOST_MESSAGES = 100;

/** Decides whether an error is reported. Calls are tried again several times a second, and fail with the same error until its cause is removed. */
export class NewTroubles {
  readonly #clock: ClusterClock;
  readonly #firstPauseMs: number;
  readonly #reports = new Map<string, Report>();

  constructor(clock: ClusterClock, firstPauseMs: number) {
    this.#clock = clock;
    this.#firstPauseMs = firstPauseMs;
  }

  /**
   * False if the same error was reported recently. The pause between two reports doubles each time. It starts again with the first pause if more
   * than twice the pause has passed since the last report.
   */
  isNew({ code, message }: KayaError): boolean {
    const key = `${code} ${message}`;
    const now = this.#clock.now();
    const before = this.#reports.get(key);
    if (before !== undefined && now - before.at < before.pauseMs) return false;
    const isOver = before === undefined || now - before.at > 2 * before.pauseMs;
    const pauseMs = isOver
      ? this.#firstPauseMs
      : Math.min(2 * before.pauseMs, MOST_PAUSES * this.#firstPauseMs);
    if (this.#reports.size >= MOST_MESSAGES) this.#reports.clear();
    this.#reports.set(key, { at: now, pauseMs });
    return true;
  }

  /** Call it when calls succeed again: the next error is then reported immediately. */
  clear(): void {
    this.#reports.clear();
  }
}
