import {
  type EngineConfig,
  KayaError,
  type PartialEngineConfig,
  readOptions,
  resolveEngineConfig,
} from "@kaya/core";
import type { Disk, DiskLock } from "@kaya/io";
import type { LsmTree } from "@kaya/lsm";
import type { NewLogId, QuarantineCleaned, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type BackupOptions, type BackupResult, writeBackup } from "./backup/backup.js";
import { ChangeFeeds, type ChangesOptions } from "./changes/change-feeds.js";
import type { Changes } from "./changes/changes.js";
import type { AddConsumerOptions, AddedConsumer, Consumer, Consumers } from "./changes/consumers.js";
import { tellState } from "./channels.js";
import { clockOf } from "./clock.js";
import { diskOf, letGo, readRecoveryOptions, takeDirectory } from "./data-directory.js";
import { closed, EngineSource } from "./engine-source.js";
import type { Entry } from "./entry.js";
import { INDEXES, Indexes } from "./indexes/indexes.js";
import { type Bytes, invalid, toBytes } from "./input.js";
import { assertDirectory, type LookedAtState, lookAtState } from "./look-at-state.js";
import { extentOf, type KeyBounds, type RangeOptions, toKeyRange } from "./range.js";
import { Reader } from "./reader.js";
import type { RecoveryReport } from "./recover.js";
import { type OpenEngineOptions, type RecoveredState, recoverState } from "./recover-state.js";
import { assertNoReplica } from "./replica/no-replica.js";
import type { ReplicaRole } from "./replica/replica-role.js";
import type { ShippedEngine } from "./shipping.js";
import { Snapshot } from "./snapshot.js";
import { type EngineState, type EngineStats, engineStats } from "./stats.js";
import type { FlushResult } from "./store/flusher.js";
import { Flushes } from "./store/flushes.js";
import type { Transaction } from "./transaction/transaction.js";
import { SYSTEM_TURNS, type Turns } from "./turns.js";
import type { RetryOptions, UpdateFunction, UpdateOptions, UpdateResult } from "./update.js";
import type { StandardSchema } from "./view/schema.js";
import { type IndexesOf, type ViewOf, type ViewOptions, viewOf } from "./view/view.js";
import type { KeyChoice, ValueChoice } from "./view/view-types.js";
import type { WatchChange } from "./watch/pending-changes.js";
import type { Watch } from "./watch/watch.js";
import { Watches, type WatchOptions } from "./watch/watches.js";
import type { BatchOperation, BatchOptions, PutOptions, WriteOptions, WriteResult } from "./write.js";
import { Writes } from "./writes.js";

export type { OpenEngineOptions } from "./recover-state.js";

interface EngineParts extends RecoveredState {
  readonly config: EngineConfig;
  readonly disk: Disk;
  readonly lock: DiskLock | undefined;
  /** The disk where it was made for this engine. */
  readonly own: Disk | undefined;
  /** Where it only looks. */
  readonly looked: LookedAtState | undefined;
  readonly turns: Turns;
  readonly newLogId: NewLogId | undefined;
  readonly randomSeed: (() => Uint8Array) | undefined;
  readonly role: ReplicaRole | undefined;
}

/** The options of `Engine.open`. */
export const OPEN_OPTIONS: readonly string[] = [
  "onProgress",
  "newLogId",
  "hashSecret",
  "randomSeed",
  "turns",
  "largeValueBytes",
  "clock",
];

/** Opens an engine as a replica. */
export const OPEN: unique symbol = Symbol("open");

/** The engine's method that gives what a replica needs of it. */
export const REPLICATION: unique symbol = Symbol("replication");

/** How an engine is opened. */
interface Opening {
  /** Undefined for an engine that is no replica. */
  readonly role?: ReplicaRole;
  /** The id that the log gets where it needs one. Default: another one each time. */
  readonly logId?: string;
  /** Called with the directory once it is locked for writing, before anything in it is changed. */
  check(disk: Disk): Promise<void>;
}

/** What a replica needs of its engine. */
export interface Replication {
  readonly disk: Disk;
  readonly wal: WalWriter<WriteResult>;
  readonly applied: AppliedLog;
  /** @throws KayaError KAYA_CLOSED */
  assertOpen(): void;
  /** Updates and transactions whose functions have not ended are rejected. */
  interrupt(reason: unknown): void;
  /** Index builds go on. */
  resumeIndexes(): void;
}

/** Gives an engine as the source of a copy elsewhere: for `shippedEngine`. */
export const SHIPPED: unique symbol = Symbol("shipped");

/** What `Engine.open` made: nothing else may become an engine. */
const opened = new WeakSet<EngineParts>();

/**
 * An ordered key-value store: a write-ahead log, memtables, and sorted tables on the disk. The data may be
 * larger than memory. Keys order bytewise. An empty key and an empty value are allowed.
 *
 * A write resolves when it is as durable as asked and readable. A write that rejects changed nothing. The
 * exceptions are KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_INTERNAL and KAYA_INVARIANT_VIOLATION: after
 * these the next opening shows whether the write is there.
 */
export class Engine extends Reader {
  readonly #config: EngineConfig;
  readonly #writes: Writes;
  readonly #source: EngineSource;
  #wal: WalWriter<WriteResult>;
  readonly #disk: Disk;
  readonly #held: Pick<EngineParts, "lock" | "own">;
  readonly #tree: LsmTree | undefined;
  readonly #closeTables: () => Promise<void>;
  /** Undefined where the engine only looks. */
  readonly #flushes: Flushes | undefined;
  #consumers: Consumers;
  #feeds: ChangeFeeds;
  readonly #watches: Watches;
  #report: RecoveryReport;
  /** What it shows, where it only looks; and the refresh that began last. */
  #looked: LookedAtState | undefined;
  #refreshing: Promise<unknown> = Promise.resolve();
  readonly #newLogId: NewLogId | undefined;
  readonly #randomSeed: (() => Uint8Array) | undefined;
  readonly #role: ReplicaRole | undefined;
  /** Made by the first view. */
  #indexes: Indexes | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: EngineParts) {
    // `private` is a matter of types alone.
    if (!opened.has(parts)) throw invalid("open an engine with Engine.open, not with new Engine");
    const source = new EngineSource(parts.applied, parts.turns);
    super(source);
    this.#source = source;
    this.#config = parts.config;
    this.#wal = parts.wal;
    this.#tree = parts.tree;
    this.#closeTables = parts.closeTables;
    this.#disk = parts.disk;
    this.#held = { lock: parts.lock, own: parts.own };
    this.#newLogId = parts.newLogId;
    this.#randomSeed = parts.randomSeed;
    this.#role = parts.role;
    const flushes = parts.tree && new Flushes({ ...parts, tree: parts.tree });
    this.#flushes = flushes;
    if (flushes !== undefined) {
      this.#wal.throttle(
        () => flushes.throttle(),
        () => flushes.pace(),
      );
      const { role } = parts;
      parts.applied.onCommitted =
        role === undefined ? () => flushes.consider() : () => this.#committed(flushes);
      if (role !== undefined) flushes.onRefused = (error) => role.refusedHere(error);
    }
    this.#consumers = parts.consumers;
    const config = writtenConfig(parts);
    this.#writes = new Writes({ ...parts, config, flushes, assertWritable: () => this.#assertAccepted() });
    this.#feeds = this.#feedsOf(parts);
    this.#watches = new Watches({ applied: parts.applied, wal: parts.wal, source });
    this.#report = parts.report;
    this.#looked = parts.looked;
  }

  /**
   * Opens a data directory: locks it, opens its tables, recovers its log and replays the records that the
   * tables do not have. Creates the directory if it is absent. Refuses a directory that holds other files and
   * no data of Kaya, unless `allowForeignFiles` is true.
   *
   * With `readOnly` it takes no lock and changes nothing, and another process may write meanwhile. It shows one
   * state: the tables as they are, with the log behind them in memory. `refresh` moves on to a newer state. A
   * power cut may take back what the other process had not synced. `lastRecovery` says what the next opening
   * for writing would do.
   *
   * @param config all optional: see `EngineConfig` for the defaults
   * @param disk used instead of the real directory `config.dataDir`
   * @param given a callback for the progress; a clock, a log id and a random seed for repeatable tests
   * @throws KayaError KAYA_INVALID_ARGUMENT; KAYA_LOCK_CONFLICT if the directory is open elsewhere;
   *   KAYA_CORRUPTION for damage that no crash explains; KAYA_UNSUPPORTED_VERSION if a newer version wrote it;
   *   KAYA_DISK_FULL; KAYA_IO; KAYA_FSYNC_FAILED; with `readOnly` KAYA_NOT_FOUND if the directory is absent
   */
  static async open(config?: PartialEngineConfig, disk?: Disk, given?: OpenEngineOptions): Promise<Engine> {
    const resolved = resolveEngineConfig(config);
    const options = readRecoveryOptions(given, OPEN_OPTIONS);
    return Engine[OPEN](resolved, disk, options, { check: assertNoReplica });
  }

  /** @internal For `openReplica`. */
  static async [OPEN](
    resolved: EngineConfig,
    disk: Disk | undefined,
    options: OpenEngineOptions,
    { role, logId, check }: Opening,
  ): Promise<Engine> {
    const { now } = clockOf(options.clock);
    const { turns = SYSTEM_TURNS, newLogId, randomSeed } = options;
    const target = diskOf(resolved, disk);
    const own = disk === undefined ? target : undefined;
    if (own !== undefined && resolved.readOnly) await assertDirectory(resolved.dataDir);
    let lock: DiskLock | undefined;
    try {
      if (!resolved.readOnly) {
        lock = await takeDirectory(resolved, target);
        await check(target);
      }
      const looked = resolved.readOnly ? await lookAtState(resolved, target, { ...options, now }) : undefined;
      const log = role && { commitTo: role.commitTo, newLogId: () => logId as string };
      const state = looked ?? (await recoverState(resolved, target, lock, { ...options, now, ...log }));
      const parts = {
        ...state,
        looked,
        config: resolved,
        disk: target,
        lock,
        own,
        turns,
        newLogId,
        randomSeed,
        role,
      };
      opened.add(parts);
      const engine = new Engine(parts);
      tellState(engine, "open");
      return engine;
    } catch (error) {
      await letGo({ lock, own });
      throw error;
    }
  }

  /** The absolute path of the data directory, as messages of the channels have it; undefined on a disk that has none. */
  get dataDir(): string | undefined {
    return this.#disk.root;
  }

  /**
   * What recovery found when this engine was opened. With `readOnly`: what a recovery would do (`dryRun`), as
   * of the last `refresh`.
   */
  get lastRecovery(): RecoveryReport {
    return this.#report;
  }

  /**
   * A part of the store in types of your own: `engine.view({ prefix: "user:", key: "utf8", value: "json" })`. A
   * view has the same methods for keys and values as the engine. Making one costs nothing and reads nothing.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT for wrong options, and if `value` is "msgpack" and the package
   *   msgpackr is not installed
   */
  view<
    C extends KeyChoice,
    D extends ValueChoice,
    S extends StandardSchema | undefined = undefined,
    X extends IndexesOf<C, D, S> = Record<never, never>,
  >(options: ViewOptions<C, D, S, Bytes, X>): ViewOf<C, D, S, X> {
    return viewOf(this, options);
  }

  /** @internal For views: from now on writes keep the indexes of their rows. */
  [INDEXES](): Indexes {
    if (this.#indexes !== undefined) return this.#indexes;
    const [source, wal, writes] = [this.#source, () => this.#wal, this.#writes];
    this.#indexes = new Indexes({
      head: {
        get applied() {
          return source.applied;
        },
        get wal() {
          return wal();
        },
        assertWritable: () => this.#assertAccepted(),
        append: (payload, durability) => writes.append(payload, durability),
      },
      isReadOnly: this.#config.readOnly,
      isFollowing: () => this.#role?.isLeading === false,
      maxKeyBytes: this.#config.limits.maxKeyBytes,
      turns: source.turns,
      ready: () => this.ready(),
    });
    writes.keepIndexes(this.#indexes);
    return this.#indexes;
  }

  /** @internal For copies elsewhere. */
  [SHIPPED](): ShippedEngine {
    this.#assertOpen();
    const [source, wal] = [this.#source, () => this.#wal];
    const isReadOnly = this.#config.readOnly;
    return {
      disk: this.#disk,
      config: this.#config,
      isReadOnly,
      tables: () => {
        source.assertOpen();
        return source.applied.store.tables.snapshot();
      },
      identify: async () => (isReadOnly ? wal().history : wal().identify()),
      get endLsn() {
        return wal().endLsn;
      },
      get beginsAfter() {
        return wal().beginsAfter;
      },
      follow: (after) => wal().follow({ after }),
    };
  }

  /** @internal For replicas. */
  [REPLICATION](): Replication {
    return {
      disk: this.#disk,
      wal: this.#wal,
      applied: this.#source.applied,
      assertOpen: () => this.#assertOpen(),
      interrupt: (reason) => this.#writes.interrupt(reason),
      resumeIndexes: () => this.#indexes?.resume(),
    };
  }

  /** After each record of a replica. */
  #committed(flushes: Flushes): void {
    if (this.#role?.isLeading === false) this.#indexes?.changedElsewhere();
    flushes.consider();
  }

  /**
   * Stores a value under a key and replaces the value that was there. Resolves when the write is as durable as
   * asked and readable. With `ttlMs` or `expiresAt` the value expires: from that moment on no read, scan, count
   * or condition sees it, and compaction removes it.
   *
   * @param key at most `limits.maxKeyBytes` (4,096 by default); text is stored as UTF-8
   * @param value at most `limits.maxValueBytes` (16 MiB by default); text is stored as UTF-8
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED; KAYA_NOT_UNIQUE if a view with
   *   a unique index has these rows and another row has the index key
   */
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<WriteResult> {
    return this.#writes.put(key, value, options);
  }

  /**
   * Removes a key. If the key is absent, nothing changes, and the deletion still takes a record and a sequence.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  delete(key: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#writes.delete(key, options);
  }

  /**
   * Writes several operations, all or nothing, in order: neither a reader nor a crash sees a part of them.
   *
   * If a condition does not hold, nothing is written, and the batch rejects with KAYA_CONFLICT and the `key`.
   * Conditions look at the data as it is when the batch gets its place in the log, including writes that are
   * under way. That is during this call, unless the key of a condition has to be read from the disk: then
   * writes that are called meanwhile may come first.
   *
   * A batch without operations writes no record. A strict one resolves when all writes before it are on stable
   * storage, a relaxed one at once; its `lsn` and `sequence` are those of the last write before it, 0 if there
   * is none. Its conditions are checked.
   *
   * @throws KayaError KAYA_CONFLICT, KAYA_INVALID_ARGUMENT (also if the batch does not fit
   *   `wal.maxRecordBytes`), KAYA_NOT_UNIQUE, KAYA_CORRUPTION (a block that a condition needs is damaged),
   *   KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult> {
    return this.#writes.batch(operations, options);
  }

  /**
   * Gives a key the value that a function makes of its value: `db.update("n", (value) =>
   * String(Number(Buffer.from(value ?? []).toString()) + 1))`. No other write comes between the two. The
   * function gets a copy of the value, or undefined if the key is absent. It returns the new value, undefined
   * to delete the key, or `KEEP` to leave it as it is. If it throws, `update` rejects with that, and nothing is
   * written.
   *
   * A function that returns its value at once is called once and never conflicts: it sees all writes before it,
   * including those under way, and any number of updates of one key share an fsync. A function that returns a
   * promise writes if the key is still as the function saw it. Otherwise it is called again, up to `attempts`
   * times; updates that lost on a key take turns, in the order in which they lost. Do not wait in the function
   * for another update of the same key.
   *
   * If nothing is written, it resolves with the position of the last write before it, as an empty batch does.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`, with the `key`, and the `sequence` of the write that it
   *   lost to; KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_CORRUPTION, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED; or the
   *   signal's reason
   */
  update(key: Bytes, fn: UpdateFunction, options?: UpdateOptions): Promise<UpdateResult> {
    return this.#writes.update(key, fn, options);
  }

  /**
   * Runs a function as a transaction, and resolves to its result once its writes are as durable as asked. The
   * function reads the data at one moment, with its own writes in it. The writes are written all or nothing,
   * and only if nothing that it read was changed meanwhile: keys, absent keys, and ranges as far as they were
   * read. Otherwise the function is called again. So transactions have the effect of one after the other, in
   * the order of the log (serializable). If the function throws, `transact` rejects with that, and nothing is
   * written.
   *
   * No transaction holds a lock. Those that lost are tried again one after the other, in the order in which
   * they lost. One that lost four times goes first: the others' writes wait for it, for a second at most. A
   * first call reads acknowledged writes; a later call also sees writes that are on their way to the disk, and
   * counts only if these reach it. The function may be called several times: let it only read and write with
   * `tx`, and do not wait in it for another transaction that changes the same keys.
   *
   * @throws KayaError KAYA_CONFLICT after `attempts`, with the `key`, and the `sequence` of the write that it
   *   lost to; KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_CORRUPTION, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED; or the
   *   signal's reason
   */
  transact<T>(fn: (tx: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#writes.transact(fn, options);
  }

  /**
   * Stores a value under a key before it returns: written, on stable storage if it is strict, and readable. For
   * scripts, migrations and command lines, which wait for each write anyway. The event loop stands still while
   * the disk works.
   *
   * Writes that were called before come first and are finished too; their promises settle when the caller
   * yields. If it would have to wait for something else, it throws KAYA_BUSY, and nothing is written: `await
   * db.sync()`, or `await db.flush()` if memory is full, and write again.
   *
   * @throws KayaError KAYA_BUSY, KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_DISK_FULL, KAYA_IO,
   *   KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  putSync(key: Bytes, value: Bytes, options?: PutOptions): WriteResult {
    return this.#writes.putSync(key, value, options);
  }

  /**
   * Removes a key before it returns. The event loop stands still while the disk works. If the key is absent,
   * nothing changes.
   *
   * @throws KayaError KAYA_BUSY if it would have to wait, and nothing was written: `await db.sync()` and write
   *   again; KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED,
   *   KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  deleteSync(key: Bytes, options?: WriteOptions): WriteResult {
    return this.#writes.deleteSync(key, options);
  }

  /**
   * Writes several operations, all or nothing, before it returns. The event loop stands still while the disk
   * works. Conditions look at the data with all earlier writes in it; keys that are not in memory are read
   * synchronously.
   *
   * @throws KayaError KAYA_CONFLICT with the `key`; KAYA_BUSY if it would have to wait, and nothing was
   *   written: `await db.sync()` and write again; KAYA_INVALID_ARGUMENT, KAYA_NOT_UNIQUE, KAYA_CORRUPTION,
   *   KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  batchSync(operations: readonly BatchOperation[], options?: BatchOptions): WriteResult {
    return this.#writes.batchSync(operations, options);
  }

  /**
   * Deletes a range of keys, or all keys, as it is once all earlier writes are in. A range of any size takes
   * one record of the log and one sequence.
   *
   * With a `limit` it deletes the first keys of the range, or with `reverse` the last. They are looked up
   * first, and each takes a sequence; a write meanwhile stays. It is all or nothing, unless the keys do not fit
   * one record (`wal.maxRecordBytes`): then it takes several, in key order. `sequence` is the first deletion's;
   * `lsn` and `durable` are the last one's.
   *
   * Rows of an index are looked up and deleted in the same way, with or without a `limit`: up to 256 rows or
   * about 256 KiB of values a record. If one record is refused, those before it stay.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_CORRUPTION (a block that it needs is damaged),
   *   KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  async clear(range?: RangeOptions, options?: WriteOptions): Promise<WriteResult> {
    this.#assertWritable();
    return this.#writes.clear(toKeyRange(range), options);
  }

  // As those of `Reader`, with less in between: most reads are these two.
  /**
   * The value of a key, as a copy; undefined if the key is absent or has expired. It never blocks the event
   * loop: another thread reads a block of a table that is not in memory.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  override async get(key: Bytes): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const value = this.#source.applied.view.find(toBytes(key, "key"));
    return value instanceof Promise ? await value : value;
  }

  /**
   * The value of a key, as a copy; undefined if the key is absent or has expired. It reads a block that is not
   * in memory synchronously: some microseconds if the system has it in its page cache, otherwise as long as the
   * disk takes.
   *
   * @throws KayaError KAYA_CORRUPTION if a block that it needs is damaged, KAYA_IO, KAYA_CLOSED,
   *   KAYA_INVALID_ARGUMENT
   */
  override getSync(key: Bytes): Uint8Array | undefined {
    this.#assertOpen();
    return this.#source.applied.view.getSync(toBytes(key, "key"));
  }

  /**
   * The data as it is now, to read from for as long as you want. Making one is cheap. Close it: until then it
   * keeps a memtable in memory and files on the disk.
   *
   * @throws KayaError KAYA_CLOSED
   */
  snapshot(): Snapshot {
    this.#assertOpen();
    return new Snapshot(this.#source.applied.snapshot(), this.#source.turns, () => this.#assertOpen());
  }

  /**
   * About how many bytes a range takes in tables, taken from their indexes. It counts values that were
   * overwritten or deleted and not compacted yet. It does not count values in the memtables. `limit` and
   * `reverse` make no difference.
   *
   * @throws KayaError KAYA_CORRUPTION if an index block is damaged, KAYA_IO, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  async approximateSize(range?: RangeOptions): Promise<number> {
    this.#assertOpen();
    const extent = extentOf(toKeyRange(range));
    if (extent === undefined) return 0;
    const tables = this.#source.applied.store.tables.snapshot();
    try {
      return await tables.approximateSize(extent);
    } finally {
      tables.release();
    }
  }

  /**
   * Writes the memtable, with all writes before this call, into a table, and drops the log that the table covers:
   * the next opening has less to replay. The engine does this by itself when a memtable is full. Reads and
   * writes go on meanwhile.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO or KAYA_FSYNC_FAILED if the table cannot be written (nothing has
   *   changed then), or if it is written and the log cannot be dropped (the next flush drops it);
   *   KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async flush(): Promise<FlushResult> {
    this.#assertWritable();
    return this.#writable.flushes.run();
  }

  /**
   * Flushes, then compacts a range to the deepest level: overwritten and deleted values there take no space any
   * more, unless a snapshot holds them. The engine compacts by itself when it pays. `limit` and `reverse` make
   * no difference.
   *
   * @throws KayaError KAYA_CORRUPTION if a table is damaged, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED,
   *   KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED, KAYA_READ_ONLY, KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  async compact(range?: RangeOptions): Promise<void> {
    this.#assertWritable();
    const extent = extentOf(toKeyRange(range));
    const { flushes, tree } = this.#writable;
    await flushes.run();
    if (extent !== undefined) await tree.compact(extent);
  }

  /**
   * Copies everything that can be read now into another directory, reads the copy back, and resolves when it is
   * durable. Reads and writes go on meanwhile. The copy has relaxed writes that are not durable here yet. It
   * opens like any other data directory. A second backup into the same directory copies only new tables.
   *
   * @param targetDir a directory that is absent, empty, or has an earlier backup of this store that was not
   *   written to since; or a disk
   * @throws KayaError KAYA_INVALID_ARGUMENT if the directory holds something else (nothing was changed there);
   *   KAYA_LOCK_CONFLICT if another process writes there; KAYA_CORRUPTION with file and offset if a table here
   *   is damaged; KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED; or the signal's reason. Then the
   *   earlier backup is still there, or nothing that could pass for a backup
   */
  async backup(targetDir: string | Disk, options?: BackupOptions): Promise<BackupResult> {
    this.#assertOpen();
    const engine = {
      applied: this.#source.applied,
      history: this.#wal.history,
      disk: this.#disk,
      config: this.#config,
      newLogId: this.#newLogId,
      randomSeed: this.#randomSeed,
      assertOpen: () => this.#assertOpen(),
    };
    return writeBackup(engine, targetDir, options);
  }

  /**
   * The durable changes in order, one for each write: first those that are in the log, then each new one when
   * it is on stable storage. Any number of feeds may read, each at its own pace. To go on later, remember the
   * token of the last change that you are done with and pass it as `since`: you get every change behind it, at
   * least once.
   *
   * The feed ends when you leave the loop. When the engine closes it rejects with KAYA_CLOSED. Waiting for the
   * next change does not keep the process alive: Node.js ends it if there is nothing else to do (exit code 13
   * in a top-level `await`).
   *
   * @throws KayaError KAYA_LOG_TRUNCATED if the log does not reach back that far, or the token is of another
   *   log or of records that a recovery cut: read the data as it is now, and follow from a new token;
   *   KAYA_NOT_FOUND if the consumer is not registered; KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED
   */
  changes(options?: ChangesOptions): Changes {
    this.#assertWritable();
    return this.#feeds.open(options);
  }

  /**
   * The newest entry of a key, with its sequence: first the entry that the key has (unless `initial` is false),
   * then each new one when readers see it. A slow reader skips to the newest. It also tells that a value has
   * expired, by a timer that keeps no process alive. It does not tell that an absent key is absent again.
   *
   * It begins with the first call of `next` and ends when you leave the loop, when the signal aborts, or when
   * the engine closes: then it rejects with KAYA_CLOSED, or with KAYA_WRITER_FAILED if the engine has failed.
   * It tells a strict write when it is durable, a relaxed one when it can be read. Waiting does not keep the
   * process alive.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED; or the signal's reason if it has
   *   aborted already
   */
  watch(key: Bytes, options?: WatchOptions): Watch<Entry>;
  /**
   * The changes of a range: first a put for each entry that it has, then of each key the newest change, and deletions
   * of ranges, cut to this range. Applied one after the other they give what the range has. A batch is not kept
   * together. That a value has expired is not told: its put says when that will be (`expiresAt`).
   *
   * The newest change of each key that was not taken yet is in memory. If that becomes more than 16 MiB, the watch
   * begins again: with the deletion of the whole range, and a put for each entry.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED; or the signal's reason if it has aborted
   *   already
   */
  watch(range: KeyBounds, options?: WatchOptions): Watch<WatchChange>;
  watch(what: Bytes | KeyBounds, options?: WatchOptions): Watch<Entry> | Watch<WatchChange> {
    this.#assertWritable();
    return this.#watches.open(what, options);
  }

  /**
   * A token for `changes`, behind all writes before this call, which it makes durable. Take the token, read the
   * data from a `snapshot`, and follow from the token. Changes between the two come again: applying them twice,
   * in order, ends the same. The log is not kept for a token alone; `addConsumer` with `copy` does all of that.
   *
   * @throws KayaError KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_WRITER_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  async changesToken(): Promise<string> {
    this.#assertWritable();
    return this.#feeds.token();
  }

  /**
   * Registers a consumer by name, durably: flushes keep the log behind the change that it acknowledged last, up
   * to `changes.maxKeptLogBytes`. A registered consumer keeps its place if the log still has the next change. A
   * new one begins with the next change. If it needs the data that is there, pass `copy` and read it there:
   * `db.addConsumer("search", { copy: async () => { for await (const row of users.scan()) … } })`.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_LOG_TRUNCATED (the log does not reach back to `since`),
   *   KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_READ_ONLY, KAYA_CLOSED; or what `copy` throws. Then the
   *   consumer is registered no more than before
   */
  async addConsumer(name: string, options?: AddConsumerOptions): Promise<AddedConsumer> {
    this.#assertWritable();
    return this.#feeds.addConsumer(name, options);
  }

  /**
   * Forgets a consumer, durably: the log is not kept for it any more. Resolves to false if there was none of
   * that name.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_READ_ONLY,
   *   KAYA_CLOSED
   */
  async removeConsumer(name: string): Promise<boolean> {
    this.#assertWritable();
    return this.#feeds.removeConsumer(name);
  }

  /**
   * The consumers, in order of their names, and how far each has got.
   *
   * @throws KayaError KAYA_CLOSED
   */
  consumers(): readonly Consumer[] {
    this.#assertOpen();
    return this.#consumers.list();
  }

  /**
   * Removes torn ends of the log that recoveries kept in `wal/quarantine/`, oldest first, until at most
   * `maxBytes` of them are left. The newest one stays. Bytes that were kept for damage that no crash explains
   * stay too.
   *
   * @param options `maxBytes`: a whole number >= 0
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED
   */
  async cleanQuarantine(options: { readonly maxBytes: number }): Promise<QuarantineCleaned> {
    this.#assertWritable();
    const { maxBytes } = readOptions(options, ["maxBytes"], "the options of cleanQuarantine");
    return this.#wal.cleanQuarantine(maxBytes as number); // what is none is refused there
  }

  /**
   * Resolves when every earlier write, relaxed ones too, is on stable storage.
   *
   * @throws KayaError KAYA_FSYNC_FAILED, KAYA_DISK_FULL, KAYA_IO, KAYA_DIRECTORY_REPLACED, KAYA_WRITER_FAILED,
   *   KAYA_READ_ONLY, KAYA_CLOSED
   */
  async sync(): Promise<void> {
    this.#assertWritable();
    return this.#wal.sync();
  }

  /**
   * Resolves when there is room for more writes. For callers that write without awaiting each write: it bounds
   * the memory that waiting writes take.
   *
   * @throws KayaError KAYA_CLOSED
   */
  async ready(): Promise<void> {
    this.#assertOpen();
    return this.#wal.ready();
  }

  /**
   * Moves a read-only engine on to what another process has written since. Resolves to true if there is more
   * than it showed before. It reads the log behind the tables again, and only tables that are new. Snapshots
   * and scans that were made before stay as they are.
   *
   * @throws KayaError KAYA_INVALID_ARGUMENT on an engine that writes; KAYA_LOG_TRUNCATED if what it shows is
   *   not in the log any more, because a recovery cut it off (it goes on showing what it showed);
   *   KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION, KAYA_IO, KAYA_CLOSED
   */
  async refresh(): Promise<boolean> {
    this.#assertOpen();
    if (this.#looked === undefined)
      throw invalid(
        "refresh is for an engine that was opened with `readOnly`: this one writes, and shows all its writes",
      );
    const refreshed = this.#refreshing.then(() => this.#refresh());
    this.#refreshing = refreshed.catch(() => undefined); // its caller is told
    return refreshed;
  }

  /**
   * `"open"`; `"failed"` after a write could not be made durable: reads go on, and nothing can be written until
   * the engine is opened again; `"closed"`.
   */
  get state(): EngineState {
    if (this.#closing !== undefined) return "closed";
    return this.#wal.failure === undefined ? "open" : "failed";
  }

  /** The error that made the engine fail; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#wal.failure;
  }

  /**
   * Counts and sizes of memory, tables, log, flushes and feeds, as they are now. It takes some microseconds.
   */
  stats(): EngineStats {
    return engineStats({
      state: this.state,
      config: this.#config,
      applied: this.#source.applied,
      wal: this.#wal,
      flush: this.#flushes?.stats,
      changes: this.#feeds.stats,
      watches: this.#watches.count,
    });
  }

  /**
   * Waits for the writes that are under way, syncs, and releases the directory. Updates and transactions whose
   * functions have not ended reject with KAYA_CLOSED. A second call returns the same promise. The directory is
   * released even if it rejects.
   *
   * @throws KayaError KAYA_WRITER_FAILED or KAYA_FSYNC_FAILED if an acknowledged relaxed write could not be
   *   made durable
   */
  close(): Promise<void> {
    this.#source.close();
    this.#writes.close(closed());
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes the engine at the end of an `await using` block, as `close` does. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#refreshing;
      this.#watches.close(closed());
      await this.#feeds.close(closed());
      await this.#flushes?.close();
    } finally {
      try {
        await this.#letGo();
      } finally {
        tellState(this, "closed");
      }
    }
  }

  /** The log first: what is on its way there is applied on top of the tables. */
  async #letGo(): Promise<void> {
    try {
      await this.#wal.close();
    } finally {
      try {
        await this.#closeTables();
      } finally {
        // Else the next opening would believe a manifest that may not be on the disk.
        await letGo(this.#held, this.#tree?.isClean === false ? undefined : this.#wal);
      }
    }
  }

  async #refresh(): Promise<boolean> {
    this.#assertOpen();
    const before = this.#source.applied.position;
    const looked = (await this.#looked?.again()) as LookedAtState; // it only looks
    this.#looked = looked;
    this.#source.applied = looked.applied;
    this.#wal = looked.wal;
    this.#consumers = looked.consumers;
    this.#feeds = this.#feedsOf({ ...looked, turns: this.#source.turns });
    this.#report = looked.report;
    return looked.applied.position.lsn > before.lsn;
  }

  #feedsOf(parts: Pick<EngineParts, "wal" | "applied" | "consumers" | "turns">): ChangeFeeds {
    const log = { dropCovered: async () => this.#flushes?.dropCovered() };
    return new ChangeFeeds({ ...parts, log, assertOpen: () => this.#assertOpen() });
  }

  /** What an engine has that does not only look. */
  get #writable(): { readonly flushes: Flushes; readonly tree: LsmTree } {
    const [flushes, tree] = [this.#flushes, this.#tree];
    if (flushes === undefined || tree === undefined) throw readOnly();
    return { flushes, tree };
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.#config.readOnly) throw readOnly();
  }

  /** For writes of data. */
  #assertAccepted(): void {
    this.#assertWritable();
    this.#role?.assertLeads();
  }

  #assertOpen(): void {
    this.#source.assertOpen();
  }
}

/** A record of a replica must fit one batch of the shared log. */
function writtenConfig({ config, role }: Pick<EngineParts, "config" | "role">): EngineConfig {
  if (role === undefined) return config;
  const maxRecordBytes = Math.min(config.wal.maxRecordBytes, role.maxBatchBytes);
  return { ...config, wal: { ...config.wal, maxRecordBytes } };
}

function readOnly(): KayaError {
  return new KayaError(
    "KAYA_READ_ONLY",
    "the engine was opened with `readOnly`: it neither writes nor follows changes. Open it without `readOnly`.",
  );
}
