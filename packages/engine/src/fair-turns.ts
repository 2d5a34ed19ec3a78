import { onAbort } from "./signal.js";

const LONGEST_TURN_MS = 1000;

/** A turn of one who lost. */
export class Turn {
  /** Resolves when it is over. */
  readonly ended: Promise<void>;
  isOver = false;
  #resolve: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** It ends by itself after `longestMs`, if that is finite: its owner may wait for something that waits behind it. */
  begin(longestMs: number): void {
    if (longestMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.end(), longestMs);
  }

  /** Doing it again is fine. */
  end(): void {
    clearTimeout(this.#timer);
    this.isOver = true;
    this.#resolve();
  }
}

/**
 * Those who lost a conflict, by the name of what they lost on: each has its turn, in the order in which they came. While it lasts the others
 * of that name do not try, so that it loses against them no more.
 */
export class FairTurns {
  /** The last of those who wait or have their turn; its promise resolves when all of them are through. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #current = new Map<string, Turn>();
  readonly #longestMs: number;

  /** @param longestMs of a turn, in milliseconds; `Infinity`: as long as its owner takes */
  constructor(longestMs = LONGEST_TURN_MS) {
    this.#longestMs = longestMs;
  }

  /** Somebody waits, or has its turn. */
  isTaken(name: string): boolean {
    return this.#last.has(name);
  }

  /** It is this one's turn now. */
  holds(name: string, turn: Turn): boolean {
    return this.#current.get(name) === turn && !turn.isOver;
  }

  /** Resolves when it is this one's turn. Rejects with the signal's reason where that comes first. */
  async take(name: string, signal: AbortSignal | undefined): Promise<Turn> {
    const turn = new Turn();
    const before = this.#last.get(name);
    const through = before === undefined ? turn.ended : before.then(() => turn.ended);
    this.#last.set(name, through);
    void through.then(() => {
      if (this.#last.get(name) !== through) return;
      this.#last.delete(name);
      this.#current.delete(name);
    });
    try {
      if (before !== undefined) await untilAborted(before, signal);
    } catch (error) {
      turn.end();
      throw error;
    }
    this.#current.set(name, turn);
    turn.begin(this.#longestMs);
    return turn;
  }
}

/** Rejects with the signal's reason where that aborts first. */
export async function untilAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waited;
  waited.catch(() => undefined); // where the signal comes first nobody else waits for it
  signal.throwIfAborted();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([waited, aborted]);
  } finally {
    stop();
  }
}
