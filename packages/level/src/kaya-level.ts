import { setImmediate as nextTurn } from "node:timers/promises";
import { readInput } from "@kaya/core";
import { type BatchOperation, Engine, isReservedKey, type Snapshot } from "@kaya/engine";
import { NodeDisk } from "@kaya/io";
import {
  type AbstractBatchOperation,
  type AbstractBatchOptions,
  type AbstractChainedBatch,
  type AbstractChainedBatchPutOptions,
  type AbstractChainedBatchWriteOptions,
  type AbstractClearOptions,
  type AbstractDelOptions,
  AbstractLevel,
  type AbstractPutOptions,
  type AbstractSnapshot,
} from "abstract-level";
import { notOpen, toOpenError } from "./errors.js";
import { type Data, type Format, toFormat } from "./format.js";
import { KayaIterator, type LevelIteratorOptions, type View } from "./iterator.js";
import {
  checkExistence,
  type DatabaseOptions,
  type OpenOptions,
  readOwn,
  toEngineConfig,
} from "./open-options.js";
import { type LevelRange, toBounds } from "./range.js";
import { KayaSnapshot, viewOf } from "./snapshot.js";
import { type TtlOptions, toEngineOptions, ttlOf, type WriteOptions } from "./write-options.js";

const MANIFEST = {
  encodings: { buffer: true, utf8: true, view: true },
  createIfMissing: true,
  errorIfExists: true,
  explicitSnapshots: true,
  has: true,
  getSync: true,
  signals: { iterators: true },
  additionalMethods: { approximateSize: true, compactRange: true },
};

/** Keys that a clear with an explicit snapshot deletes at a time, and that are looked up at once. */
const KEYS_AT_ONCE = 1000;

/** What abstract-level hands on with a read. */
interface ReadOptions {
  readonly valueEncoding: Format;
  readonly snapshot?: AbstractSnapshot | null;
}

/** How the keys of a range are encoded. */
export interface KeyOptions<K> {
  /** The encoding of the keys. Default: that of the database. */
  readonly keyEncoding?: AbstractDelOptions<K>["keyEncoding"];
}

interface Operation extends TtlOptions {
  readonly type: "put" | "del";
  readonly key: Data;
  readonly value: Data;
}

/** A batch that is built call by call; `batch()` makes it. */
export interface KayaChainedBatch<D, KDefault, VDefault> extends AbstractChainedBatch<D, KDefault, VDefault> {
  put(key: KDefault, value: VDefault): this;
  put<K = KDefault, V = VDefault>(
    key: K,
    value: V,
    options: AbstractChainedBatchPutOptions<D, K, V> & TtlOptions,
  ): this;
  write(options?: AbstractChainedBatchWriteOptions & WriteOptions & TtlOptions): Promise<void>;
}

// Types only: additional options of these methods of AbstractLevel.
/**
 * A database of abstract-level on a Kaya engine: data in sorted tables, and every write in a crash-safe log
 * first. A write resolves when it is on stable storage, unless it or the database's `durability` asks for less.
 */
export interface KayaLevel<KDefault = string, VDefault = string> {
  /**
   * Opens the database. Other calls open it by themselves.
   *
   * @throws Error LEVEL_DATABASE_NOT_OPEN whose `cause` is a KayaError: KAYA_LOCK_CONFLICT, KAYA_CORRUPTION,
   *   KAYA_INVALID_ARGUMENT, KAYA_NOT_FOUND (`createIfMissing` is false), KAYA_IO
   */
  open(options?: OpenOptions): Promise<void>;
  /**
   * Stores a value under a key; with `ttl` it expires. Resolves when it is as durable as asked.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_INVALID_ARGUMENT; Error LEVEL_DATABASE_NOT_OPEN
   */
  put(key: KDefault, value: VDefault): Promise<void>;
  put<K = KDefault, V = VDefault>(
    key: K,
    value: V,
    options: AbstractPutOptions<K, V> & WriteOptions & TtlOptions,
  ): Promise<void>;
  /**
   * Removes a key; allowed if the key is absent. Resolves when it is as durable as asked.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_INVALID_ARGUMENT; Error LEVEL_DATABASE_NOT_OPEN
   */
  del(key: KDefault): Promise<void>;
  del<K = KDefault>(key: K, options: AbstractDelOptions<K> & WriteOptions): Promise<void>;
  /**
   * Writes several operations, all or nothing. Without arguments it returns a chained batch.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_INVALID_ARGUMENT; Error LEVEL_DATABASE_NOT_OPEN
   */
  batch(operations: (AbstractBatchOperation<this, KDefault, VDefault> & TtlOptions)[]): Promise<void>;
  batch<K = KDefault, V = VDefault>(
    operations: (AbstractBatchOperation<this, K, V> & TtlOptions)[],
    options: AbstractBatchOptions<K, V> & WriteOptions & TtlOptions,
  ): Promise<void>;
  batch(): KayaChainedBatch<this, KDefault, VDefault>;
  /**
   * Deletes all entries, or those of a range; with `limit` at most so many.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION; Error LEVEL_DATABASE_NOT_OPEN
   */
  clear(): Promise<void>;
  clear<K = KDefault>(options: AbstractClearOptions<K> & WriteOptions): Promise<void>;
}

/**
 * An abstract-level database over `Engine`: data in sorted tables at the location, every write in a crash-safe log first. A write
 * resolves when it is on stable storage, unless it or the database's `durability` asks for less.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: what the interface declares is all in AbstractLevel.
export class KayaLevel<KDefault = string, VDefault = string> extends AbstractLevel<Data, KDefault, VDefault> {
  readonly #location: string;
  #engine: Engine | undefined;

  /**
   * @param location the directory
   * @throws TypeError for a location that is no text or empty
   */
  constructor(location: string, options?: DatabaseOptions<KDefault, VDefault>) {
    if (typeof location !== "string" || location === "") {
      throw new TypeError("the location must be a string that is not empty");
    }
    super(MANIFEST, options);
    this.#location = location;
  }

  /** The directory of the database, as it was given. */
  get location(): string {
    return this.#location;
  }

  /**
   * The engine below, for methods that abstract-level does not have: `backup`, `flush`, `count`, `sync`,
   * `stats`, `lastRecovery`. Do not close it: the database does.
   *
   * @throws Error LEVEL_DATABASE_NOT_OPEN
   */
  get engine(): Engine {
    if (this.#engine === undefined) throw notOpen();
    return this.#engine;
  }

  /**
   * About how many bytes the keys from `start` up to, but without, `end` take in tables. Entries that are only
   * in memory and the log do not count.
   *
   * @throws Error LEVEL_DATABASE_NOT_OPEN; KayaError KAYA_IO, KAYA_CORRUPTION
   */
  async approximateSize<K = KDefault>(start: K, end: K, options?: KeyOptions<K>): Promise<number> {
    const encode = await this.#ready(start, end, options);
    return this.engine.approximateSize({ gte: encode(start), lt: encode(end) });
  }

  /**
   * Compacts the keys from `start` to `end`, both included, to the deepest level of the tables: overwritten and
   * deleted values there take no space any more. The engine compacts by itself when it pays.
   *
   * @throws Error LEVEL_DATABASE_NOT_OPEN; KayaError KAYA_READ_ONLY, KAYA_CORRUPTION, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED
   */
  async compactRange<K = KDefault>(start: K, end: K, options?: KeyOptions<K>): Promise<void> {
    const encode = await this.#ready(start, end, options);
    await this.engine.compact({ gte: encode(start), lte: encode(end) });
  }

  protected async _open(options: OpenOptions): Promise<void> {
    const { disk = new NodeDisk(this.#location) } = readOwn(options, ["disk"]);
    const config = toEngineConfig(options);
    try {
      await checkExistence(this.#location, disk, options);
      this.#engine = await Engine.open(config, disk);
    } catch (error) {
      throw toOpenError(error);
    }
  }

  /** An engine is gone once it was closed, also where that failed: closing again then succeeds. */
  protected async _close(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
  }

  protected async _get(key: Data, options: ReadOptions): Promise<Data | undefined> {
    const value = await this.#readFrom(options).get(key);
    return value && toFormat(value, options.valueEncoding);
  }

  protected _getSync(key: Data, options: ReadOptions): Data | undefined {
    const value = this.#readFrom(options).getSync(key);
    return value && toFormat(value, options.valueEncoding);
  }

  protected async _getMany(keys: Data[], options: ReadOptions): Promise<(Data | undefined)[]> {
    const { snapshot, valueEncoding } = options;
    const values =
      snapshot == null
        ? await this.engine.getMany(keys)
        : await allOf(keys, (key) => viewOf(snapshot).get(key));
    return values.map((value) => value && toFormat(value, valueEncoding));
  }

  protected _has(key: Data, options: ReadOptions): Promise<boolean> {
    return this.#readFrom(options).has(key);
  }

  protected async _hasMany(keys: Data[], options: ReadOptions): Promise<boolean[]> {
    const { snapshot, release } = this.#viewFor(options);
    try {
      return await allOf(keys, (key) => snapshot.has(key));
    } finally {
      release();
    }
  }

  protected async _put(key: Data, value: Data, options: WriteOptions & TtlOptions): Promise<void> {
    await this.engine.put(key, value, { ...toEngineOptions(options), ...ttlOf(options) });
  }

  protected async _del(key: Data, options: WriteOptions): Promise<void> {
    await this.engine.delete(key, toEngineOptions(options));
  }

  protected async _batch(operations: Operation[], options: WriteOptions & TtlOptions): Promise<void> {
    const ttl = ttlOf(options);
    const toEngine = (operation: Operation) => toEngineOperation(operation, ttl);
    await this.engine.batch(operations.map(toEngine), toEngineOptions(options));
  }

  protected async _clear(
    options: LevelRange & ReadOptions & WriteOptions & { limit: number },
  ): Promise<void> {
    const { snapshot, limit } = options;
    const bounds = toBounds(options);
    const durability = toEngineOptions(options);
    if (snapshot == null) {
      await this.engine.clear({ ...bounds, ...(limit >= 0 ? { limit } : {}) }, durability);
      return;
    }
    let left = limit >= 0 ? limit : Number.POSITIVE_INFINITY;
    for await (const found of viewOf(snapshot).scan(bounds).keyPages(KEYS_AT_ONCE)) {
      const keys = found.filter((key) => !isReservedKey(key)).slice(0, left);
      await Promise.all(keys.map((key) => this.engine.delete(key, durability)));
      left -= keys.length;
      if (left === 0) break;
    }
  }

  protected _iterator(options: LevelIteratorOptions & ReadOptions): KayaIterator {
    return new KayaIterator(this as AbstractLevel<Data, unknown, unknown>, options, this.#viewFor(options));
  }

  protected _snapshot(options: object): KayaSnapshot {
    return new KayaSnapshot(options, this.engine);
  }

  /** Waits for a database that is being opened. Gives what makes keys of the engine of those of the caller. */
  async #ready<K>(start: K, end: K, options: KeyOptions<K> | undefined): Promise<(key: K) => Data> {
    for (const [name, key] of Object.entries({ start, end })) {
      if (key === null || key === undefined) throw new TypeError(`the key ${name} must not be ${key}`);
    }
    if (this.status === "opening") await this.deferAsync(async () => undefined);
    if (this.status !== "open") throw notOpen();
    const { keyEncoding } = readInput("the options of a range", () => ({
      keyEncoding: options?.keyEncoding,
    }));
    const encoding = keyEncoding === undefined ? this.keyEncoding() : this.keyEncoding(keyEncoding as "utf8");
    return (key) => encoding.encode(key as never) as Data;
  }

  #readFrom({ snapshot }: ReadOptions): Engine | Snapshot {
    return snapshot == null ? this.engine : viewOf(snapshot);
  }

  /** A read of several keys without an explicit snapshot gets its own. */
  #viewFor({ snapshot: explicit }: ReadOptions): View {
    if (explicit != null) return { snapshot: viewOf(explicit), release: () => undefined };
    const snapshot = this.engine.snapshot();
    return { snapshot, release: () => snapshot.close() };
  }
}

/** Of a few thousand keys at a time, so that other work of the event loop gets its turn. */
async function allOf<T>(keys: readonly Data[], read: (key: Data) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
    if (at > 0) await nextTurn();
    results.push(...(await Promise.all(keys.slice(at, at + KEYS_AT_ONCE).map(read))));
  }
  return results;
}

/** @param ttl default for operations without their own */
function toEngineOperation(operation: Operation, ttl: { ttlMs: number } | undefined): BatchOperation {
  const { type, key, value } = operation;
  if (type === "del") return { type: "delete", key };
  return { type, key, value, ...(operation.ttl === undefined ? ttl : ttlOf(operation)) };
}
