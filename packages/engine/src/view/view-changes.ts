import type { SequenceNumber } from "@kaya/core";
import type { Change, ChangeOperation, Changes } from "../changes/changes.js";
import { compareBytes, successorOfPrefix } from "../memtable/bytes.js";
import type { ViewFormat } from "./view-reader.js";

type Of<T extends ChangeOperation["type"]> = Extract<ChangeOperation, { readonly type: T }>;

/** What a write did to a key of a view, or to a range of them. */
export type ViewChangeOperation<K, V> =
  | (Omit<Of<"put">, "key" | "value"> & {
      readonly key: K;
      readonly value: V;
      readonly sequence: SequenceNumber;
    })
  | (Omit<Of<"delete">, "key"> & { readonly key: K; readonly sequence: SequenceNumber })
  | (Of<"deleteRange"> & {
      readonly sequence: SequenceNumber;
      /** Whether a key of the view is in the range. `start` and `end` are whole keys, in bytes, within the view. */
      includes(key: K): boolean;
    });

/** One write, and what of it was in the view: all of it at once. */
export interface ViewChange<K, V> extends Omit<Change, "operations"> {
  readonly operations: readonly ViewChangeOperation<K, V>[];
}

type Result<K, V> = IteratorResult<ViewChange<K, V>, undefined>;

/** Changes that are skipped before a consumer's place moves past them. */
const SKIPPED_AT_ONCE = 256;

/**
 * The durable changes of a view in order, as `Engine.changes`: writes that are about other keys are left out. What a consumer's feed left out it
 * acknowledges by itself, now and then, where everything that it gave is acknowledged: so a consumer is of one view.
 */
export class ViewChanges<K, V> implements AsyncIterableIterator<ViewChange<K, V>, undefined> {
  readonly #changes: Changes;
  readonly #format: ViewFormat<K, V, never, unknown>;
  readonly #end: Uint8Array | undefined;
  readonly #isConsumer: boolean;
  /** Of the last change that was given, until it is acknowledged. */
  #open: string | undefined;
  #skipped = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @internal Made by `View.changes`. */
  constructor(changes: Changes, format: ViewFormat<K, V, never, unknown>, isConsumer: boolean) {
    this.#changes = changes;
    this.#format = format;
    this.#end = successorOfPrefix(format.keys.prefix);
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
      const each = this.#operation(operation, change.sequence + index);
      if (each !== undefined) own.push(each);
    }
    return own.length === 0 ? undefined : { ...change, operations: own };
  }

  #operation(operation: ChangeOperation, sequence: SequenceNumber): ViewChangeOperation<K, V> | undefined {
    if (operation.type === "deleteRange") return this.#range(operation, sequence);
    if (!this.#hasKey(operation.key)) return undefined;
    const { keys, values } = this.#format;
    const key = keys.decode(operation.key);
    if (operation.type === "delete") return { ...operation, key, sequence };
    return { ...operation, key, value: values.decode(operation.value, operation.key), sequence };
  }

  #range(operation: Of<"deleteRange">, sequence: SequenceNumber): ViewChangeOperation<K, V> | undefined {
    const { keys } = this.#format;
    const start = compareBytes(operation.start, keys.prefix) < 0 ? new Uint8Array(keys.prefix) : operation.start;
    const isWithin =
      operation.end !== undefined && (this.#end === undefined || compareBytes(operation.end, this.#end) < 0);
    const end = isWithin ? operation.end : this.#end && new Uint8Array(this.#end);
    if (end !== undefined && compareBytes(start, end) >= 0) return undefined;
    const includes = (key: K) => {
      const bytes = keys.encode(key);
      return compareBytes(bytes, start) >= 0 && (end === undefined || compareBytes(bytes, end) < 0);
    };
    return { type: "deleteRange", start, end, sequence, includes };
  }

  #hasKey(key: Uint8Array): boolean {
    const { prefix } = this.#format.keys;
    return compareBytes(key, prefix) >= 0 && (this.#end === undefined || compareBytes(key, this.#end) < 0);
  }
}
