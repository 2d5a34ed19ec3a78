import type { KayaError } from "@kaya/core";
import type { ClusterClock } from "./clock.js";

interface Told {
  at: number;
  /** How long it is not told again, in milliseconds. */
  pauseMs: number;
}

/** The pause of a trouble doubles up to this many first pauses. */
const MOST_PAUSES = 64;
/** More messages than this are not remembered. */
const MOST_MESSAGES = 100;

/** Decides whether a trouble is told. Calls are tried again several times a second, and fail with the same error for as long as its cause lasts. */
export class NewTroubles {
  readonly #clock: ClusterClock;
  readonly #firstPauseMs: number;
  readonly #told = new Map<string, Told>();

  constructor(clock: ClusterClock, firstPauseMs: number) {
    this.#clock = clock;
    this.#firstPauseMs = firstPauseMs;
  }

  /** False if the same error was told shortly before. The pause between two doubles each time. A pause that passed without the error begins anew. */
  isNew({ code, message }: KayaError): boolean {
    const key = `${code} ${message}`;
    const now = this.#clock.now();
    const before = this.#told.get(key);
    if (before !== undefined && now - before.at < before.pauseMs) return false;
    const isOver = before === undefined || now - before.at > 2 * before.pauseMs;
    const pauseMs = isOver
      ? this.#firstPauseMs
      : Math.min(2 * before.pauseMs, MOST_PAUSES * this.#firstPauseMs);
    if (this.#told.size >= MOST_MESSAGES) this.#told.clear();
    this.#told.set(key, { at: now, pauseMs });
    return true;
  }

  /** The cause has gone: the next error is told at once. */
  clear(): void {
    this.#told.clear();
  }
}
