import { onAbort } from "../signal.js";
import type { Watched } from "./watches.js";

type Result<T> = IteratorResult<T, undefined>;

const DONE = { done: true, value: undefined } as const;

/** The state of a key or a range, and then its changes. A slow reader skips to the newest. */
export abstract class Watch<T> implements AsyncIterableIterator<T, undefined> {
  readonly #watched: Watched;
  readonly #signal: AbortSignal | undefined;
  #hasBegun = false;
  #ended: { readonly reason: unknown; readonly isAtOnce: boolean } | undefined;
  /** Something may have come since `take` was called last. */
  #isAwake = false;
  #resume: () => void = () => undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** No signal is waited for any more. */
  #stopWaiting: () => void = () => undefined;

  /** @internal */
  constructor(watched: Watched, signal: AbortSignal | undefined) {
    this.#watched = watched;
    this.#signal = signal;
  }

  /**
   * The next entry or change, as soon as there is one. After a rejection the watch is over.
   *
   * @throws KayaError KAYA_WRITER_FAILED after everything was given if the engine has failed; KAYA_CORRUPTION,
   *   KAYA_IO, KAYA_CLOSED; or the signal's reason
   */
  next(): Promise<Result<T>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => undefined); // its caller has the rejection
    return next;
  }

  /** Ends the watch: calls of `next` that wait resolve as done. */
  async return(): Promise<Result<T>> {
    this.end(undefined);
    return DONE;
  }

  /** The watch itself, for `for await`. Leaving the loop ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the watch at the end of an `await using` block, as `return` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /**
   * @param reason what waits rejects with it; done where there is none
   * @param isAtOnce what was not given yet is dropped
   * @internal
   */
  end(reason: unknown, isAtOnce = true): void {
    if (this.#ended === undefined || (isAtOnce && !this.#ended.isAtOnce)) this.#ended = { reason, isAtOnce };
    if (isAtOnce) this.#letGo();
    this.wake();
  }

  /** There may be something to give. */
  protected wake(): void {
    this.#isAwake = true;
    this.#resume();
  }

  /** From here on `wake` is called for what changes. Called once, before the first `take`. */
  protected abstract begin(): Promise<void>;

  /** Takes what is to be given next; undefined where there is nothing now. */
  protected abstract take(): T | undefined | Promise<T | undefined>;

  /** Lets go of everything. Doing it again is fine. */
  protected abstract letGo(): void;

  async #next(): Promise<Result<T>> {
    const value = await this.#nextValue();
    return value === undefined ? this.#tellEnd() : { done: false, value };
  }

  /** Undefined once it is over. */
  async #nextValue(): Promise<T | undefined> {
    try {
      if (!this.#hasBegun) await this.#begin();
      for (;;) {
        if (this.#isOver()) return undefined;
        this.#isAwake = false;
        const value = await this.take();
        if (this.#isOver()) return undefined;
        if (value !== undefined) return value;
        if (this.#isAwake) continue;
        if (this.#ended !== undefined) return undefined;
        await new Promise<void>((resolve) => {
          this.#resume = resolve;
        });
      }
    } catch (error) {
      // Where it was ended, that is why reading failed.
      if (!this.#isOver()) this.end(error);
      return undefined;
    }
  }

  #isOver(): boolean {
    return this.#ended?.isAtOnce === true;
  }

  async #begin(): Promise<void> {
    this.#hasBegun = true;
    const signal = this.#signal;
    if (signal?.aborted === true) this.end(signal.reason);
    if (this.#ended !== undefined) return;
    if (signal !== undefined) this.#stopWaiting = onAbort(signal, () => this.end(signal.reason));
    await this.begin();
  }

  #tellEnd(): Result<T> {
    const reason = this.#ended?.reason;
    this.#ended = { reason: undefined, isAtOnce: true };
    this.#letGo();
    if (reason !== undefined) throw reason;
    return DONE;
  }

  #letGo(): void {
    this.#stopWaiting();
    this.#watched.forget(this);
    this.letGo();
  }
}
