import { onAbort } from "./signal.js";

/** A turn ends by itself after this: its owner may wait for something that waits behind it. */
const LONGEST_TURN_MS = 1000;

/** Ends a turn; doing it again is fine. */
export type EndTurn = () => void;

/**
 * Those who lost a conflict, by the name of what they lost on: each has its turn, in the order in which they came. While it lasts the others
 * of that name do not try, so that it loses against them no more.
 */
export class FairTurns {
  /** Resolves when the last of those who wait has had its turn. */
  readonly #last = new Map<string, Promise<void>>();

  /** Somebody waits, or has its turn. */
  isTaken(name: string): boolean {
    return this.#last.has(name);
  }

  /** Resolves when it is this one's turn. Rejects with the signal's reason where that comes first. */
  async take(name: string, signal: AbortSignal | undefined): Promise<EndTurn> {
    let end: EndTurn = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const before = this.#last.get(name);
    const over = before === undefined ? ended : before.then(() => ended);
    this.#last.set(name, over);
    void over.then(() => {
      if (this.#last.get(name) === over) this.#last.delete(name);
    });
    try {
      if (before !== undefined) await untilAborted(before, signal);
    } catch (error) {
      end();
      throw error;
    }
    const timer = setTimeout(end, LONGEST_TURN_MS);
    return () => {
      clearTimeout(timer);
      end();
    };
  }
}

/** Rejects with the signal's reason where that aborts first. */
export async function untilAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waited;
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
