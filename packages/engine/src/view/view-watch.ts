import type { Watch } from "../watch/watch.js";

type Result<T> = IteratorResult<T, undefined>;

/** What became of a key or of a range of a view, as long as it is read: as `Watch`, in the types of the view. */
export class ViewWatch<T> implements AsyncIterableIterator<T, undefined> {
  readonly #next: () => Promise<Result<T>>;
  readonly #end: () => Promise<unknown>;

  /** @internal Made by `View.watch`. */
  constructor(next: () => Promise<Result<T>>, end: () => Promise<unknown>) {
    this.#next = next;
    this.#end = end;
  }

  /** As `Watch.next`; rejects with KAYA_DECODE_FAILED, too. After a rejection it is over. */
  async next(): Promise<Result<T>> {
    return this.#next();
  }

  /** Ends it: calls of `next` that wait are done. */
  async return(): Promise<Result<T>> {
    await this.#end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

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
