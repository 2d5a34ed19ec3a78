import type { Change, Changes } from "../changes/changes.js";
import { ChangeDecoder, type ViewChangeOperation } from "./view-change.js";
import type { ViewFormat } from "./view-reader.js";

/** One write, with the operations of it that concern the view: a batch stays together. */
export interface ViewChange<K, V> extends Omit<Change, "operations"> {
  /** What the write did to the view, in order; never empty. */
  readonly operations: readonly ViewChangeOperation<K, V>[];
}

type Result<K, V> = IteratorResult<ViewChange<K, V>, undefined>;

/** Changes that are skipped before a consumer's place moves past them. */
const SKIPPED_AT_ONCE = 256;

/**
 * The durable changes of a view in order. Writes to other keys are left out. The feed of a consumer
 * acknowledges the writes that it left out by itself, now and then, when all changes that it gave are
 * acknowledged: so use one consumer for each view.
 */
export class ViewChanges<K, V> implements AsyncIterableIterator<ViewChange<K, V>, undefined> {
  readonly #changes: Changes;
  readonly #decoder: ChangeDecoder<K, V>;
  readonly #isConsumer: boolean;
  /** Of the last change that was given, until it is acknowledged. */
  #open: string | undefined;
  #skipped = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @internal Made by `View.changes`. */
  constructor(changes: Changes, format: ViewFormat<K, V, never, unknown>, isConsumer: boolean) {
    this.#changes = changes;
    this.#decoder = new ChangeDecoder(format);
    this.#isConsumer = isConsumer;
  }

  /**
   * The next change, as soon as it is durable. After a rejection the feed is over.
   *
   * @throws KayaError KAYA_DECODE_FAILED if the codec cannot read a key or value; KAYA_LOG_TRUNCATED if a flush
   *   dropped the next change from the log; KAYA_WRITER_FAILED after the last durable change if the engine has
   *   failed; KAYA_CORRUPTION with file and offset; KAYA_IO, KAYA_CLOSED; or the signal's reason
   */
  next(): Promise<Result<K, V>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => undefined); // its caller has the rejection
    return next;
  }

  /** Ends the feed: calls of `next` that wait resolve as done. */
  async return(): Promise<Result<K, V>> {
    await this.#changes.return();
    return { done: true, value: undefined };
  }

  /** The feed itself, for `for await`. Leaving the loop ends it. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the feed at the end of an `await using` block, as `return` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /**
   * Says that everything up to the change with this token is done: the consumer's next feed begins behind it,
   * and the log up to it need not be kept. An older token changes nothing. Resolves when the acknowledgement is
   * durable.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT (no token, or the feed is not a consumer's), KAYA_NOT_FOUND (the
   *   consumer was removed), KAYA_LOG_TRUNCATED (a token of another log), KAYA_CLOSED, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED. Then the place that was acknowledged before stands
   */
  async acknowledge(token: string): Promise<void> {
    await this.#changes.acknowledge(token);
    if (token === this.#open) this.#open = undefined;
  }

  async #next(): Promise<Result<K, V>> {
    for (;;) {
      const { done, value } = await this.#changes.next();
      if (done === true) return { done, value };
      let change: ViewChange<K, V> | undefined;
      try {
        change = this.#inView(value);
      } catch (error) {
        await this.#changes.return();
        throw error;
      }
      if (change === undefined) await this.#skip(value.token);
      else {
        this.#open = value.token;
        return { done: false, value: change };
      }
    }
  }

  async #skip(token: string): Promise<void> {
    if (!this.#isConsumer || this.#open !== undefined || ++this.#skipped < SKIPPED_AT_ONCE) return;
    this.#skipped = 0;
    await this.#changes.acknowledge(token);
  }

  #inView({ operations, ...change }: Change): ViewChange<K, V> | undefined {
    const own: ViewChangeOperation<K, V>[] = [];
    for (const [index, operation] of operations.entries()) {
      const each = this.#decoder.decode(operation, change.sequence + index);
      if (each !== undefined) own.push(each);
    }
    return own.length === 0 ? undefined : { ...change, operations: own };
  }
}
