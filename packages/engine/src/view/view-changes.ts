import type { Change, Changes } from "../changes/changes.js";
import { ChangeDecoder, type ViewChangeOperation } from "./view-change.js";
import type { ViewFormat } from "./view-reader.js";

/** One write, and what of it was in the view: all of it at once. */
export interface ViewChange<K, V> extends Omit<Change, "operations"> {
  readonly operations: readonly ViewChangeOperation<K, V>[];
}

type Result<K, V> = IteratorResult<ViewChange<K, V>, undefined>;

/** Changes that are skipped before a consumer's place moves past them. */
const SKIPPED_AT_ONCE = 256;

/**
 * The durable changes of a view in order, as `Engine.changes`: writes that are about other keys are left out. The feed of a
 * consumer acknowledges what it left out by itself, now and then, once all that it gave is acknowledged: so each view has a consumer of its own.
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

  /** As `Changes.next`; rejects with KAYA_DECODE_FAILED, too. */
  next(): Promise<Result<K, V>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => undefined); // its caller has the rejection
    return next;
  }

  /** As `Changes.return`. */
  async return(): Promise<Result<K, V>> {
    await this.#changes.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** As `Changes.acknowledge`. */
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
