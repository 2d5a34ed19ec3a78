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

/** What a view is of, and how its keys and values are written. */
export interface ViewOptions<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined = undefined,
  Prefix = Bytes,
  X extends IndexesOf<C, D, S> = Record<never, never>,
> {
  /** What all keys of the view begin with, and no other key does. It is left out of the view's keys. Default: the view is of all keys. */
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

/** The view that `ViewOptions` make. */
export type ViewOf<
  C extends KeyChoice,
  D extends ValueChoice,
  S extends StandardSchema | undefined,
  X = Record<never, never>,
> = View<KeyOf<C>, ValueOutput<D, S>, ValueInput<D, S>, PrefixOf<C>, X>;

/** The new value of a key; undefined deletes the key, `KEEP` leaves it as it is. */
export type ViewUpdated<In> = In | undefined | typeof KEEP;

/** Gives the new value for the one that a key has, undefined where it is absent. */
export type ViewUpdateFunction<V, In> = (value: V | undefined) => ViewUpdated<In> | Promise<ViewUpdated<In>>;

export interface ViewUpdateResult<V> extends Omit<UpdateResult, "value"> {
  /** What the key has now; undefined where it is absent. */
  readonly value: V | undefined;
}

const KNOWN: readonly string[] = ["prefix", "key", "value", "schema", "indexes"];

/**
 * A part of a store, in types: keys that begin with its prefix, `K` each, with values that are read as `V` and written as `In`. It keeps
 * nothing by itself: make as many as you like. Bytes under the prefix stay what they are, for the engine and for other views.
 *
 * Besides what it says of itself, everything does and rejects as its namesake of the engine; a key or value that the codec or the schema
 * refuses is KAYA_INVALID_ARGUMENT, and nothing is written.
 */
export class View<K, V, In = V, P = never, X = Record<never, never>> extends ViewReader<K, V, P, X> {
  /** Makes operations of this view for `Engine.batch`, where several views go into one batch. */
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

  /** Stores a value under a key, replacing what was there; with `ttlMs` or `expiresAt` it goes away by itself. */
  put(key: K, value: In, options?: PutOptions): Promise<WriteResult> {
    return promised(() => {
      const { keys, values } = this.#format;
      const bytes = keys.encode(key);
      return this.#engine.put(bytes, values.encode(value, bytes), options);
    });
  }

  /** Removes a key; fine where it is absent. */
  delete(key: K, options?: WriteOptions): Promise<WriteResult> {
    return promised(() => this.#engine.delete(this.#format.keys.encode(key), options));
  }

  /**
   * Does all of it or nothing, in order. Conditions are in the types of the view: what `getEntry` gave, or `{ key, sequence: undefined }` for
   * a key that must be absent.
   */
  batch(operations: readonly ViewOperation<K, In, P>[], options?: ViewBatchOptions<K>): Promise<WriteResult> {
    return promised(() => this.#engine.batch(this.op.all(operations), this.op.options(options)));
  }

  /**
   * Gives a key the value that a function makes of its value, as `Engine.update`: `visits.update("ada", (count = 0) => count + 1)`. Undefined
   * deletes the key, `KEEP` leaves it as it is.
   */
  async update(key: K, fn: ViewUpdateFunction<V, In>, options?: UpdateOptions): Promise<ViewUpdateResult<V>> {
    if (typeof fn !== "function") throw invalid(`an update takes a function, not ${describe(fn)}`);
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

  /** @throws KayaError as `put` rejects, and as `Engine.putSync` */
  putSync(key: K, value: In, options?: PutOptions): WriteResult {
    const { keys, values } = this.#format;
    const bytes = keys.encode(key);
    return this.#engine.putSync(bytes, values.encode(value, bytes), options);
  }

  /** @throws KayaError as `delete` rejects, and as `Engine.putSync` */
  deleteSync(key: K, options?: WriteOptions): WriteResult {
    return this.#engine.deleteSync(this.#format.keys.encode(key), options);
  }

  /** @throws KayaError as `batch` rejects, and as `Engine.putSync` */
  batchSync(operations: readonly ViewOperation<K, In, P>[], options?: ViewBatchOptions<K>): WriteResult {
    return this.#engine.batchSync(this.op.all(operations), this.op.options(options));
  }

  /** Deletes a range of the view; without one, all of the view. */
  async clear(range?: ViewRange<K, P>, options?: WriteOptions): Promise<WriteResult> {
    return this.#engine.clear(this.#format.keys.range(range), options);
  }

  /** About how many bytes a range of the view takes in tables. */
  async approximateSize(range?: ViewBounds<K, P>): Promise<number> {
    return this.#engine.approximateSize(this.#format.keys.bounds(range));
  }

  /** The durable changes of this view, in order. @throws KayaError as `Engine.changes` */
  changes(options?: ChangesOptions): ViewChanges<K, V> {
    const changes = this.#engine.changes(options);
    return new ViewChanges(changes, this.#format, options?.consumer !== undefined);
  }

  /** The newest entry of a key, as `Engine.watch`: first the one that it has, then each other one. @throws KayaError as `Engine.watch` */
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
   * The changes of a range of the view, or of all of it, as `Engine.watch` of a range: first a put for each entry, then of each key the newest change.
   * @throws KayaError as `Engine.watch`
   */
  watchRange(bounds?: ViewBounds<K, P>, options?: WatchOptions): ViewWatch<ViewChangeOperation<K, V>> {
    const decoder = new ChangeDecoder(this.#format);
    const watch = this.#engine.watch(this.#format.keys.bounds(bounds), options);
    return decodedWatch(watch, (change) => decoder.decode(change, change.sequence));
  }

  /**
   * Resolves once the indexes of the view are built; it builds those that are not. Writes go on meanwhile, and what was built stays where it is
   * broken off. Rejects with KAYA_NOT_UNIQUE for two rows with one key in a unique index, and as the indexes' functions: mend the rows, and call it again; with
   * KAYA_READ_ONLY where the engine only looks.
   */
  async ready(): Promise<void> {
    return this.#format.indexes.ready();
  }

  /**
   * Makes the index keys of all rows again, and compares them with the entries, in both directions, at one point in time. It finds what was written
   * past the indexes: by a program that made no view, or with a function that changed without its `version`. To mend it, change the `version`. Rejects
   * as `ready`, and as the indexes' functions.
   */
  async verifyIndexes(): Promise<IndexVerification> {
    return this.#format.indexes.verify();
  }

  /**
   * Removes an index that the store has for these rows and no view of the program declares, or whose definition is damaged. False where there is none. Rejects
   * as a write, and with KAYA_INVALID_ARGUMENT where a view declares it.
   */
  async dropIndex(name: string): Promise<boolean> {
    return this.#format.indexes.drop(name);
  }

  /** The view as it is now, to be read for as long as wanted: close it. @throws KayaError KAYA_CLOSED */
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
    throw invalid(`a view is read in a transaction, a snapshot or an engine, not in ${describe(reader)}`);
  }

  /**
   * A view of a part of this one: `prefix` is in the types of this view's prefixes, and the keys are what comes behind it.
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
