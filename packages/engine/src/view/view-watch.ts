import type { Watch } from "../watch/watch.js";

type Result<T> = IteratorResult<T, undefined>;

/**
 * The state of a key or a range of a view, and then its changes, in the types of the view. A slow reader skips
 * to the newest.
 */
export class ViewWatch<T> implements AsyncIterableIterator<T, undefined> {
  readonly #next: () => Promise<Result<T>>;
  readonly #end: () => Promise<unknown>;

  /** @internal Made by `View.watch`. */
  constructor(next: () => Promise<Result<T>>, end: () => Promise<unknown>) {
    this.#next = next;
    this.#end = end;
  }

  /**
   * The next entry or change, as soon as there is one. After a rejection the watch is over.
   *
   * @throws KayaError KAYA_DECODE_FAILED if the codec cannot read a key or value; KAYA_WRITER_FAILED after
   *   everything was given if the engine has failed; KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED; or the signal's
   *   reason
   */
  async next(): Promise<Result<T>> {
    return this.#next();
  }

  /** Ends the watch: calls of `next` that wait resolve as done. */
  async return(): Promise<Result<T>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  /** The watch itself, for `for await`. Leaving the loop ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the watch at the end of an `await using` block, as `return` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

/**
 * A watch whose entries or changes are decoded; it ends at one that cannot be.
 * @param decode gives undefined for one that is left out
 */
export function decodedWatch<From, To>(
  watch: Watch<From>,
  decode: (from: From) => To | undefined,
): ViewWatch<To> {
  const next = async (): Promise<Result<To>> => {
    for (;;) {
      const { done, value } = await watch.next();
      if (done === true) return { done, value };
      const decoded = await decodeOrEnd(value);
      if (decoded !== undefined) return { done: false, value: decoded };
    }
  };
  const decodeOrEnd = async (from: From) => {
    try {
      return decode(from);
    } catch (error) {
      await watch.return();
      throw error;
    }
  };
  return new ViewWatch(next, () => watch.return());
}
