import { describe, readInput } from "@kaya/core";
import type { Entry } from "../entry.js";
import type { IndexOf } from "../indexes/index-reader.js";
import type { ViewIndexes } from "../indexes/view-indexes.js";
import { invalid } from "../input.js";
import type { Page, PageOptions } from "../page.js";
import type { Reader } from "../reader.js";
import type { KeyValue } from "../row.js";
import { Rows, type ScanOf } from "../scan.js";
import type { ViewBounds, ViewKeys, ViewRange } from "./view-keys.js";
import { rowKinds, type ViewKeyValue, type ViewRowKinds, ViewSyncScan } from "./view-rows.js";
import type { ViewValues } from "./view-values.js";

/**
 * A key and what it has, in the types of a view. It serves as a condition of a batch: the key is still as it
 * was read.
 */
export interface ViewEntry<K, V> extends Omit<Entry, "key" | "value"> {
  /** The key, without the view's prefix. */
  readonly key: K;
  /** The value; undefined if the key is absent. */
  readonly value: V | undefined;
}

/** Some entries of a range of a view, and where the next page begins. */
export interface ViewPage<K, V> extends Omit<Page, "entries"> {
  /** The entries in key order; from the last to the first with `reverse`. */
  readonly entries: ViewKeyValue<K, V>[];
}

/** How keys and values of a view are written. */
export interface ViewFormat<K, V, In, P> {
  readonly keys: ViewKeys<K, P>;
  readonly values: ViewValues<V, In>;
  readonly indexes: ViewIndexes<K, V>;
}

/**
 * Reads what a view has, in its types: from the engine as it is now, from a snapshot, or from a transaction.
 */
export class ViewReader<K, V, P = never, X = Record<never, never>> {
  readonly #reader: Reader;
  readonly #keys: ViewKeys<K, P>;
  readonly #values: ViewValues<V, never>;
  readonly #indexes: ViewIndexes<K, V>;
  readonly #kinds: ViewRowKinds<K, V>;

  /** @internal Made by `View`. */
  constructor(reader: Reader, format: ViewFormat<K, V, never, P>) {
    const { keys, values, indexes } = format;
    this.#reader = reader;
    this.#kinds = rowKinds(format);
    this.#keys = keys;
    this.#values = values;
    this.#indexes = indexes;
  }

  /**
   * Finds rows by an index that the view declares. In a snapshot the index must have been built when the
   * snapshot was made.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for a name that the view does not declare
   */
  index<N extends keyof X & string>(name: N): IndexOf<X[N], K, V> {
    return this.#indexes.at(this.#reader, name) as IndexOf<X[N], K, V>;
  }

  /**
   * The value of a key; undefined if the key is absent or has expired. It never blocks the event loop.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  async get(key: K): Promise<V | undefined> {
    const bytes = this.#keys.encode(key);
    const value = this.#reader.find(bytes);
    return this.#decoded(value instanceof Promise ? await value : value, bytes);
  }

  /**
   * The value of a key, without a promise; undefined if the key is absent or has expired. It reads a block that
   * is not in memory synchronously.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  getSync(key: K): V | undefined {
    const bytes = this.#keys.encode(key);
    return this.#decoded(this.#reader.getSync(bytes), bytes);
  }

  /**
   * Resolves to true if the key has a value that has not expired. The value is not decoded.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT (also for a key that the codec refuses)
   */
  async has(key: K): Promise<boolean> {
    return this.#reader.has(this.#keys.encode(key));
  }

  /**
   * The value of a key with the sequence of the write that made it, and when it expires. It serves as a
   * condition of a later batch: that the key is still as it was read. For an absent key `value` and `sequence`
   * are undefined.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  async getEntry(key: K): Promise<ViewEntry<K, V>> {
    return this.#entry(key, await this.#reader.getEntry(this.#keys.encode(key)));
  }

  /**
   * The value of a key with the sequence of the write that made it, and when it expires, without a promise.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  getEntrySync(key: K): ViewEntry<K, V> {
    return this.#entry(key, this.#reader.getEntrySync(this.#keys.encode(key)));
  }

  /**
   * The values of several keys at one moment, in the keys' order; undefined for each absent key.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  async getMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    const encoded = readInput("the keys of getMany", () => {
      if (!Array.isArray(keys)) throw invalid(`getMany takes an array of keys, not ${describe(keys)}`);
      return Array.from(keys as readonly K[], (key) => this.#keys.encode(key));
    });
    const values = await this.#reader.getMany(encoded);
    return values.map((value, index) => this.#decoded(value, encoded[index] as Uint8Array));
  }

  /**
   * The entries of a range in key order, as they are at this call, whatever is written while they are read:
   * `for await (const { key, value } of users.scan())`. Read it once, to its end, or leave the loop, or close
   * it.
   *
   * @param range default: all keys of the view
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT; while reading also KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO
   */
  scan(range?: ViewRange<K, P>): Rows<ViewKeyValue<K, V>> {
    return new Rows(this.#of(range), this.#kinds.both);
  }

  /**
   * The entries of a range in key order, for a loop without `await`. The event loop stands still while the loop
   * runs.
   *
   * @param range default: all keys of the view
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT; while reading also KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO
   */
  scanSync(range?: ViewRange<K, P>): ViewSyncScan<K, V> {
    return new ViewSyncScan(this.#of(range), this.#kinds);
  }

  /**
   * The keys of a range in key order. Values are not decoded.
   *
   * @param range default: all keys of the view
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT; while reading also KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO
   */
  keys(range?: ViewRange<K, P>): Rows<K> {
    return new Rows(this.#of(range), this.#kinds.keys);
  }

  /**
   * The values of a range, in the order of their keys. Keys are not decoded.
   *
   * @param range default: all keys of the view
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT; while reading also KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO
   */
  values(range?: ViewRange<K, P>): Rows<V> {
    return new Rows(this.#of(range), this.#kinds.values);
  }

  /**
   * The entries of a range in key order, each as the pair `[key, value]`, as a `Map` gives them.
   *
   * @param range default: all keys of the view
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT; while reading also KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO
   */
  entries(range?: ViewRange<K, P>): Rows<[key: K, value: V]> {
    return new Rows(this.#of(range), this.#kinds.pairs);
  }

  /**
   * The entry with the smallest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  async first(bounds?: ViewBounds<K, P>): Promise<ViewKeyValue<K, V> | undefined> {
    return this.#keyValue(await this.#reader.first(this.#keys.bounds(bounds)));
  }

  /**
   * The entry with the greatest key within the bounds; undefined if there is none.
   *
   * @throws KayaError KAYA_DECODE_FAILED with the `key` in bytes if the codec cannot read the key or value,
   *   KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT (also
   *   for a key that the codec refuses)
   */
  async last(bounds?: ViewBounds<K, P>): Promise<ViewKeyValue<K, V> | undefined> {
    return this.#keyValue(await this.#reader.last(this.#keys.bounds(bounds)));
  }

  /**
   * The next `size` entries of a range, and a `cursor` for the entries behind them. A cursor is text, belongs
   * to its range, and stays valid after a restart: pass the same bounds and direction each time.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, also for the cursor of another range; KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_CLOSED
   */
  async page(
    range: Omit<ViewRange<K, P>, "limit"> | undefined,
    options: PageOptions,
  ): Promise<ViewPage<K, V>> {
    const { entries, ...page } = await this.#reader.page(this.#keys.range(range), options);
    return { ...page, entries: entries.map((entry) => this.#decodedEntry(entry)) };
  }

  /**
   * How many entries a range of the view has. The count is exact: it reads the keys, so its time grows with the
   * range.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  async count(range?: ViewRange<K, P>): Promise<number> {
    return this.#reader.count(this.#keys.range(range));
  }

  #of(range: ViewRange<K, P> | undefined): ScanOf {
    return this.#reader.scanOf(this.#keys.range(range));
  }

  #keyValue(entry: KeyValue | undefined): ViewKeyValue<K, V> | undefined {
    return entry && this.#decodedEntry(entry);
  }

  #decodedEntry({ key, value }: KeyValue): ViewKeyValue<K, V> {
    return { key: this.#keys.decode(key), value: this.#values.decode(value, key) };
  }

  #decoded(value: Uint8Array | undefined, key: Uint8Array): V | undefined {
    return value === undefined ? undefined : this.#values.decode(value, key);
  }

  #entry(key: K, entry: Entry): ViewEntry<K, V> {
    return { ...entry, key, value: this.#decoded(entry.value, entry.key) };
  }
}
