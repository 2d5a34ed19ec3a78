import { readInput } from "@kaya/core";
import type { Entry } from "../entry.js";
import { invalid } from "../input.js";
import type { Reader } from "../reader.js";
import type { ViewKeys, ViewRange } from "./view-keys.js";
import type { ViewValues } from "./view-values.js";

/** A key, and what it has, in the types of a view. It serves as the condition of a batch: that the key still is as it was read. */
export interface ViewEntry<K, V> extends Omit<Entry, "key" | "value"> {
  readonly key: K;
  /** Undefined where the key is absent. */
  readonly value: V | undefined;
}

/** How keys and values of a view are written. */
export interface ViewFormat<K, V, In, P> {
  readonly keys: ViewKeys<K, P>;
  readonly values: ViewValues<V, In>;
}

/**
 * Reads what a view has, in its types: from the engine as it is now, from a snapshot, or from a transaction. Besides what it says of itself, everything
 * rejects as its namesake of the engine does; with KAYA_INVALID_ARGUMENT for a key that the codec refuses; and with KAYA_DECODE_FAILED, and the
 * `key` in bytes, where the store has something that is none of the codec.
 */
export class ViewReader<K, V, P = never> {
  readonly #reader: Reader;
  readonly #keys: ViewKeys<K, P>;
  readonly #values: ViewValues<V, never>;

  /** @internal Made by `View`. */
  constructor(reader: Reader, { keys, values }: ViewFormat<K, V, never, P>) {
    this.#reader = reader;
    this.#keys = keys;
    this.#values = values;
  }

  /** The value of a key; undefined where it has none. */
  async get(key: K): Promise<V | undefined> {
    const bytes = this.#keys.encode(key);
    return this.#decoded(await this.#reader.get(bytes), bytes);
  }

  /** `get` without a promise, as `Engine.getSync`. @throws KayaError as `get` rejects */
  getSync(key: K): V | undefined {
    const bytes = this.#keys.encode(key);
    return this.#decoded(this.#reader.getSync(bytes), bytes);
  }

  async has(key: K): Promise<boolean> {
    return this.#reader.has(this.#keys.encode(key));
  }

  /** The value of a key with the sequence of the write that made it: what a later batch may have as its condition. */
  async getEntry(key: K): Promise<ViewEntry<K, V>> {
    return this.#entry(key, await this.#reader.getEntry(this.#keys.encode(key)));
  }

  /** @throws KayaError as `getSync` */
  getEntrySync(key: K): ViewEntry<K, V> {
    return this.#entry(key, this.#reader.getEntrySync(this.#keys.encode(key)));
  }

  /** The values of several keys at one point in time, in the keys' order. */
  async getMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    const encoded = readInput("the keys of getMany", () => {
      if (!Array.isArray(keys)) throw invalid("getMany takes an array of keys");
      return Array.from(keys as readonly K[], (key) => this.#keys.encode(key));
    });
    const values = await this.#reader.getMany(encoded);
    return values.map((value, index) => this.#decoded(value, encoded[index] as Uint8Array));
  }

  /** How many entries a range of the view has. Exact: it reads their keys. */
  async count(range?: ViewRange<K, P>): Promise<number> {
    return this.#reader.count(this.#keys.range(range));
  }

  #decoded(value: Uint8Array | undefined, key: Uint8Array): V | undefined {
    return value === undefined ? undefined : this.#values.decode(value, key);
  }

  #entry(key: K, entry: Entry): ViewEntry<K, V> {
    return { ...entry, key, value: this.#decoded(entry.value, entry.key) };
  }
}
