import { copyBytes, describe, readOptions } from "@kaya/core";
import type { ChangesOptions } from "../changes/change-feeds.js";
import type { Engine } from "../engine.js";
import type { Entry } from "../entry.js";
import type { CheckedIndexes, IndexOptions } from "../indexes/index-options.js";
import type { IndexVerification } from "../indexes/verify-rows.js";
import { ViewIndexes } from "../indexes/view-indexes.js";
import { type Bytes, invalid, toBytes } from "../input.js";
import { Reader } from "../reader.js";
import { Transaction } from "../transaction/transaction.js";
import { isPromise, KEEP, type Updated, type UpdateOptions, type UpdateResult } from "../update.js";
import type { WatchOptions } from "../watch/watches.js";
import type { PutOptions, WriteOptions, WriteResult } from "../write.js";
import { keyCodec, valueCodec } from "./choose-codec.js";
import { checkSchema, type StandardSchema } from "./schema.js";
import { ChangeDecoder, type ViewChangeOperation } from "./view-change.js";
import { ViewChanges } from "./view-changes.js";
import { type ViewBounds, ViewKeys, type ViewRange } from "./view-keys.js";
import { type ViewBatchOptions, type ViewOperation, ViewOperations } from "./view-operations.js";
import { type ViewEntry, type ViewFormat, ViewReader } from "./view-reader.js";
import { ViewSnapshot } from "./view-snapshot.js";
import { ViewTransaction } from "./view-transaction.js";
import type { KeyChoice, KeyOf, PrefixOf, ValueChoice, ValueInput, ValueOutput } from "./view-types.js";
import { ViewValues } from "./view-values.js";
import { decodedWatch, type ViewWatch } from "./view-watch.js";

/** The prefix of a view, and how its keys and values are written. */
export interface ViewOptions<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined = undefined,
  Prefix = Bytes,
  X extends IndexesOf<C, D, S> = Record<never, never>,
> {
  /**
   * All keys of the view begin with this, and the view's own keys leave it out. Default: the view has all keys
   * of the store.
   */
  readonly prefix?: Prefix;
  /** `"utf8"` for text, `"tuple"` for arrays that order element by element, `"bytes"`, or a codec: `tuple<[string, Date]>()`, or one of your own. */
  readonly key: C;
  /** `"json"`, `"msgpack"` (needs the package msgpackr), `"utf8"`, `"bytes"`, or a codec: `json<User>()`, or one of your own. */
  readonly value: D;
  /** Checks values before they are written; by any library of Standard Schema. It must not be asynchronous. */
  readonly schema?: S;
  /** Indexes of the view's rows, by their names: `{ byEmail: { of: (user) => user.email, unique: true } }`. The view needs a prefix then. */
  readonly indexes?: X & CheckedIndexes<X, KeyOf<C>, ValueOutput<D, S>>;
}

/** The indexes that a view with these types can have. */
export type IndexesOf<C extends KeyChoice, D extends ValueChoice, S extends StandardSchema | undefined> = {
  readonly [name: string]: IndexOptions<KeyOf<C>, ValueOutput<D, S>>;
};

/** The type of the view that these `ViewOptions` make. */
export type ViewOf<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined,
  X = Record<never, never>,
> = View<KeyOf<C>, ValueOutput<D, S>, ValueInput<D, S>, PrefixOf<C>, X>;

/**
 * What the function of a view's `update` returns: the new value, undefined to delete the key, or `KEEP` to
 * leave it as it is.
 */
export type ViewUpdated<In> = In | undefined | typeof KEEP;

/**
 * The function of a view's `update`. It gets the key's value, or undefined if the key is absent, and returns
 * the new value, undefined to delete the key, or `KEEP`.
 */
export type ViewUpdateFunction<V, In> = (value: V | undefined) => ViewUpdated<In> | Promise<ViewUpdated<In>>;

/** Where the update stands in the log, and the value that the key has now. */
export interface ViewUpdateResult<V> extends Omit<UpdateResult, "value"> {
  /** The value that the key has now; undefined if it is absent. */
  readonly value: V | undefined;
}

const KNOWN: readonly string[] = ["prefix", "key", "value", "schema", "indexes"];

/**
 * A part of a store, in types: the keys that begin with its prefix, read as `K`, with values that are read as
 * `V` and written as `In`. It stores nothing by itself: make as many views as you like. Bytes under the prefix
 * stay the same bytes for the engine and for other views.
 *
 * If the codec or the schema refuses a key or a value, the call is refused with KAYA_INVALID_ARGUMENT, and
 * nothing is written.
 */
export class View<K, V, In = V, P = never, X = Record<never, never>> extends ViewReader<K, V, P, X> {
  /** Makes operations of this view for `Engine.batch`, to put several views into one batch. */
  readonly op: ViewOperations<K, In, P>;
  readonly #engine: Engine;
  readonly #format: ViewFormat<K, V, In, P>;

  /** @internal Made by `Engine.view`. */
  constructor(engine: Engine, format: ViewFormat<K, V, In, P>) {
    super(engine, format);
    this.#engine = engine;
    this.#format = format;
    this.op = new ViewOperations(format);
  }

  /**
   * Stores a value under a key and replaces the value that was there. With `ttlMs` or `expiresAt` the value
   * expires. Resolves when the write is as durable as asked and readable.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT (also if the codec or the schema refuses the key or the value),
   *   KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  put(key: K, value: In, options?: PutOptions): Promise<WriteResult> {
    return promised(() => {
      const { keys, values } = this.#format;
      const bytes = keys.encode(key);
      return this.#engine.put(bytes, values.encode(value, bytes), options);
    });
  }

  /**
   * Removes a key. If the key is absent, nothing changes.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT (also if the codec refuses the key), KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  delete(key: K, options?: WriteOptions): Promise<WriteResult> {
    return promised(() => this.#engine.delete(this.#format.keys.encode(key), options));
  }

  /**
   * Writes several operations, all or nothing, in order. A condition is an entry of `getEntry`, or `{ key,
   * sequence: undefined }` for a key that must be absent.
   *
   * @throws KayaError KAYA_CONFLICT with the `key` in bytes if a condition does not hold; KAYA_INVALID_ARGUMENT
   *   (also if the codec or the schema refuses the key or the value), KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  batch(operations: readonly ViewOperation<K, In, P>[], options?: ViewBatchOptions<K>): Promise<WriteResult> {
    return promised(() => this.#engine.batch(this.op.all(operations), this.op.options(options)));
  }

  /**
   * Gives a key the value that a function makes of its value: `visits.update("ada", (count = 0) => count + 1)`.
   * No other write comes between the two. The function returns the new value, undefined to delete the key, or
   * `KEEP` to leave it as it is. If it throws, `update` rejects with that, and nothing is written. A function
   * that returns a promise may be called again, up to `attempts` times.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`; KAYA_DECODE_FAILED if the codec cannot read the value;
   *   KAYA_CORRUPTION; KAYA_INVALID_ARGUMENT (also if the codec or the schema refuses the key or the value),
   *   KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED; or the signal's reason
   */
  async update(key: K, fn: ViewUpdateFunction<V, In>, options?: UpdateOptions): Promise<ViewUpdateResult<V>> {
    if (typeof fn !== "function") throw invalid(`update takes a function, not ${describe(fn)}`);
    const { keys, values } = this.#format;
    const bytes = keys.encode(key);
    const encode = (next: ViewUpdated<In>): Updated => {
      if (next === undefined) return undefined;
      return next === KEEP ? KEEP : values.encode(next as In, bytes);
    };
    const change = (value: Uint8Array | undefined) => {
      const next = fn(value === undefined ? undefined : values.decode(value, bytes));
      return isPromise(next) ? Promise.resolve(next).then(encode) : encode(next);
    };
    const result = await this.#engine.update(bytes, change, options);
    return { ...result, value: result.value === undefined ? undefined : values.decode(result.value, bytes) };
  }

  /**
   * Stores a value under a key before it returns. The event loop stands still while the disk works.
   *
   * @throws KayaError KAYA_BUSY if it would have to wait, and nothing was written: `await db.sync()` and write
   *   again; KAYA_INVALID_ARGUMENT (also if the codec or the schema refuses the key or the value),
   *   KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  putSync(key: K, value: In, options?: PutOptions): WriteResult {
    const { keys, values } = this.#format;
    const bytes = keys.encode(key);
    return this.#engine.putSync(bytes, values.encode(value, bytes), options);
  }

  /**
   * Removes a key before it returns. The event loop stands still while the disk works. If the key is absent,
   * nothing changes.
   *
   * @throws KayaError KAYA_BUSY if it would have to wait, and nothing was written: `await db.sync()` and write
   *   again; KAYA_INVALID_ARGUMENT (also if the codec refuses the key), KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  deleteSync(key: K, options?: WriteOptions): WriteResult {
    return this.#engine.deleteSync(this.#format.keys.encode(key), options);
  }

  /**
   * Writes several operations, all or nothing, before it returns. The event loop stands still while the disk
   * works.
   *
   * @throws KayaError KAYA_CONFLICT with the `key` in bytes if a condition does not hold; KAYA_BUSY if it would
   *   have to wait, and nothing was written: `await db.sync()` and write again; KAYA_INVALID_ARGUMENT (also if
   *   the codec or the schema refuses the key or the value), KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  batchSync(operations: readonly ViewOperation<K, In, P>[], options?: ViewBatchOptions<K>): WriteResult {
    return this.#engine.batchSync(this.op.all(operations), this.op.options(options));
  }

  /**
   * Deletes a range of the view, or without a range all of the view. A range without a `limit` takes one record
   * of the log, unless the view has indexes: then its rows are looked up, and deleted up to 256 at a time.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async clear(range?: ViewRange<K, P>, options?: WriteOptions): Promise<WriteResult> {
    return this.#engine.clear(this.#format.keys.range(range), options);
  }

  /**
   * About how many bytes a range of the view takes in tables. It counts values that were overwritten or deleted
   * and not compacted yet. It does not count values in the memtables.
   *
   * @throws KayaError KAYA_CORRUPTION if an index block is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  async approximateSize(range?: ViewBounds<K, P>): Promise<number> {
    return this.#engine.approximateSize(this.#format.keys.bounds(range));
  }

  /**
   * The durable changes of this view, in order: first those that are in the log, then each new one when it is
   * on stable storage. Pass the token of the last change that you are done with as `since` to go on later.
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not reach back that far, or the token is of another
   *   log; KAYA_NOT_FOUND if the consumer is not registered; KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED
   */
  changes(options?: ChangesOptions): ViewChanges<K, V> {
    const changes = this.#engine.changes(options);
    return new ViewChanges(changes, this.#format, options?.consumer !== undefined);
  }

  /**
   * The newest entry of a key: first the entry that it has (unless `initial` is false), then each new one. A
   * slow reader skips to the newest. It tells that a value has expired, too. It ends when you leave the loop,
   * when the signal aborts, or when the engine closes.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED; or the signal's reason if it has
   *   aborted already
   */
  watch(key: K, options?: WatchOptions): ViewWatch<ViewEntry<K, V>> {
    const { keys, values } = this.#format;
    const decode = (entry: Entry): ViewEntry<K, V> => ({
      ...entry,
      key,
      value: entry.value === undefined ? undefined : values.decode(entry.value, entry.key),
    });
    return decodedWatch(this.#engine.watch(keys.encode(key), options), decode);
  }

  /**
   * The changes of a range of the view, or of all of it: first a put for each entry, then of each key the
   * newest change, and deletions of ranges. Applied one after the other they give what the range has. A batch
   * is not kept together. That a value has expired is not told: its put has `expiresAt`.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED; or the signal's reason if it has
   *   aborted already
   */
  watchRange(bounds?: ViewBounds<K, P>, options?: WatchOptions): ViewWatch<ViewChangeOperation<K, V>> {
    const decoder = new ChangeDecoder(this.#format);
    const watch = this.#engine.watch(this.#format.keys.bounds(bounds), options);
    return decodedWatch(watch, (change) => decoder.decode(change, change.sequence));
  }

  /**
   * Resolves when the indexes of the view are built, and builds those that are not. Writes go on meanwhile. If
   * the building is interrupted, the next call goes on where it stopped.
   *
   * @throws KayaError KAYA_NOT_UNIQUE if two rows have one key in a unique index, KAYA_INVALID_ARGUMENT if an
   *   index function throws (correct the rows, and call it again); KAYA_READ_ONLY if the engine is read-only
   *   and an index is not built; KAYA_DECODE_FAILED, KAYA_CORRUPTION, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_CLOSED
   */
  async ready(): Promise<void> {
    return this.#format.indexes.ready();
  }

  /**
   * Makes the index keys of all rows again and compares them with the entries, in both directions, at one
   * moment. It finds writes that bypassed the indexes: by a program that made no view, or with a function that
   * changed while its `version` did not. To repair an index, change its `version`.
   *
   * @throws KayaError KAYA_NOT_UNIQUE, KAYA_INVALID_ARGUMENT if an index function throws, KAYA_DECODE_FAILED,
   *   KAYA_CORRUPTION, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async verifyIndexes(): Promise<IndexVerification> {
    return this.#format.indexes.verify();
  }

  /**
   * Removes an index that the store has for these rows and that no view of the program declares, or whose
   * definition is damaged. Resolves to false if there is none.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT if a view declares it; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async dropIndex(name: string): Promise<boolean> {
    return this.#format.indexes.drop(name);
  }

  /**
   * The view as it is now, to read from for as long as you want. Close it: until then it keeps memory and
   * files.
   *
   * @throws KayaError KAYA_CLOSED
   */
  snapshot(): ViewSnapshot<K, V, P, X> {
    return new ViewSnapshot(this.#engine.snapshot(), this.#format);
  }

  /** This view in a transaction of the engine: `db.transact(async (tx) => users.in(tx).put("ada", user))`. */
  in(transaction: Transaction): ViewTransaction<K, V, In, P, X>;
  /** This view of a snapshot of the engine. */
  in(snapshot: Reader): ViewReader<K, V, P, X>;
  in(reader: Reader): ViewReader<K, V, P, X> {
    if (reader instanceof Transaction) return new ViewTransaction(reader, this.#format);
    if (reader instanceof Reader) return new ViewReader(reader, this.#format);
    throw invalid(`\`in\` takes a transaction, a snapshot or an engine, not ${describe(reader)}`);
  }

  /**
   * A view of a part of this one. `prefix` is in the type of this view's prefixes, and the keys of the new view
   * are what follows it.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT
   */
  view<
    C extends KeyChoice,
    D extends ValueChoice,
    S extends StandardSchema | undefined = undefined,
    X extends IndexesOf<C, D, S> = Record<never, never>,
  >(options: ViewOptions<C, D, S, P, X>): ViewOf<C, D, S, X> {
    const { keys } = this.#format;
    return makeView(this.#engine, options, (prefix) =>
      prefix === undefined ? keys.prefix : keys.encodePrefix(prefix),
    );
  }
}

/** What it throws it rejects with. An async function that returns a promise takes more turns. */
function promised<T>(start: () => Promise<T>): Promise<T> {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export function viewOf<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined,
  X extends IndexesOf<C, D, S>,
>(engine: Engine, options: ViewOptions<C, D, S, Bytes, X>): ViewOf<C, D, S, X> {
  const what = "prefix of a view";
  return makeView(engine, options, (prefix) => copyBytes(toBytes(prefix ?? "", what), `the ${what}`));
}

function makeView<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined,
  Prefix,
  X extends IndexesOf<C, D, S>,
>(
  engine: Engine,
  options: ViewOptions<C, D, S, Prefix, X>,
  toPrefix: (prefix: Prefix | undefined) => Uint8Array,
): ViewOf<C, D, S, X> {
  const { prefix, key, value, schema, indexes } = readOptions(options, KNOWN, "the options of a view");
  if (schema !== undefined) checkSchema(schema);
  const rows = {
    keys: new ViewKeys(toPrefix(prefix), keyCodec<KeyOf<C>, PrefixOf<C>>(key)),
    values: new ViewValues(valueCodec<ValueOutput<D, S>, ValueInput<D, S>>(value), schema),
  };
  return new View(engine, { ...rows, indexes: new ViewIndexes(engine, indexes, rows) });
}
