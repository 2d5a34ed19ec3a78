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
}

/** What `Engine.open` made: nothing else may become an engine. */
const opened = new WeakSet<EngineParts>();

/**
 * An ordered key-value store: a write-ahead log, memtables, and sorted tables on the disk. The data may be larger than memory. Keys
 * order bytewise; an empty key is a key, an empty value is a value.
 *
 * A write resolves when it is as durable as asked and readable; one that rejects changed nothing (after
 * KAYA_FSYNC_FAILED, KAYA_INTERNAL and KAYA_INVARIANT_VIOLATION that is certain only once the engine was opened again).
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
  /** Made by the first view. */
  #indexes: Indexes | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: EngineParts) {
    // `private` is a matter of types alone.
    if (!opened.has(parts)) throw invalid("an engine is made by Engine.open, not by new Engine");
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
    const flushes = parts.tree && new Flushes({ ...parts, tree: parts.tree });
    this.#flushes = flushes;
    if (flushes !== undefined) {
      this.#wal.throttle(
        () => flushes.throttle(),
        () => flushes.pace(),
      );
      parts.applied.onCommitted = () => flushes.consider();
    }
    this.#consumers = parts.consumers;
    this.#writes = new Writes({ ...parts, flushes, assertWritable: () => this.#assertWritable() });
    this.#feeds = this.#feedsOf(parts);
    this.#watches = new Watches({ applied: parts.applied, wal: parts.wal, source });
    this.#report = parts.report;
    this.#looked = parts.looked;
  }

  /**
   * Locks the data directory, opens its tables, recovers its log and replays what the tables do not have. Makes the directory where it is
   * absent; one that holds files of somebody else and no data of Kaya is refused (`allowForeignFiles`).
   *
   * With `readOnly` it only looks, and does none of that: it opens the tables as they are, reads the log behind them into memory, beside another
   * process that writes, too, and gives all reads. It does not see what another process writes after that; what that process had not synced
   * by then a power cut may still take back. `lastRecovery` says what the next opening for writing would do.
   * @param disk instead of the real directory `config.dataDir`
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_LOCK_CONFLICT, KAYA_DISK_FULL, KAYA_IO, and as `recoverWal`:
   *   KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION; with `readOnly` KAYA_NOT_FOUND where there is no such directory
   */
  static async open(config?: PartialEngineConfig, disk?: Disk, given?: OpenEngineOptions): Promise<Engine> {
    const resolved = resolveEngineConfig(config);
    const options = readRecoveryOptions(given, [
      "onProgress",
      "newLogId",
      "hashSecret",
      "randomSeed",
      "turns",
      "largeValueBytes",
      "clock",
    ]);
    const { now } = clockOf(options.clock);
    const { turns = SYSTEM_TURNS, newLogId, randomSeed } = options;
    const target = diskOf(resolved, disk);
    const own = disk === undefined ? target : undefined;
    if (own !== undefined && resolved.readOnly) await assertDirectory(resolved.dataDir);
    let lock: DiskLock | undefined;
    try {
      if (!resolved.readOnly) lock = await takeDirectory(resolved, target);
      const looked = resolved.readOnly ? await lookAtState(resolved, target, { ...options, now }) : undefined;
      const state = looked ?? (await recoverState(resolved, target, lock, { ...options, now }));
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

  /** What recovery found when this engine was opened; with `readOnly`, what it would do (`dryRun`), as of the last `refresh`. */
  get lastRecovery(): RecoveryReport {
    return this.#report;
  }

  /**
   * A part of the store in types of your own: `engine.view({ prefix: "user:", key: "utf8", value: "json" })`. All that an engine does with
   * keys and values a view does with its own.
   * @throws KayaError KAYA_INVALID_ARGUMENT; also where `value` is "msgpack" and the package msgpackr is not installed
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
        assertWritable: () => this.#assertWritable(),
        append: (payload, durability) => writes.append(payload, durability),
      },
      isReadOnly: this.#config.readOnly,
      maxKeyBytes: this.#config.limits.maxKeyBytes,
      turns: source.turns,
      ready: () => this.ready(),
    });
    writes.keepIndexes(this.#indexes);
    return this.#indexes;
  }

  /**
   * Stores a value under a key, replacing what was there. With `ttlMs` or `expiresAt` the value goes away by itself: from that moment on no read,
   * scan, count or condition sees it, and compaction removes it. Rejects as `WalWriter.append`, and with KAYA_INVALID_ARGUMENT.
   */
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<WriteResult> {
    return this.#writes.put(key, value, options);
  }

  /** Removes a key; fine where it is absent. */
  delete(key: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#writes.delete(key, options);
  }

  /**
   * Does all of it or nothing, in order: readers and a crash see no part of it. Where a condition does not hold it is nothing: rejects
   * with KAYA_CONFLICT and the `key`. Conditions look at what is there when the batch gets its place in the log, writes under
   * way before it included. That is in this call, unless a condition's key must be read from the disk: then writes that are called
   * meanwhile may come before it.
   *
   * A batch without operations writes no record. A strict one resolves when all writes before it are on stable storage, a relaxed one at
   * once; `lsn` and `sequence` are of the last write before it, 0 where there is none. Its conditions count.
   */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult> {
    return this.#writes.batch(operations, options);
  }

  /**
   * Gives a key the value that a function makes of its value: `db.update("n", (value) => String(Number(Buffer.from(value ?? []).toString()) + 1))`. Nothing is lost
   * between the two, whatever else is written. The function gets a copy of the value, or undefined where the key is absent; it gives the new
   * value, undefined to delete the key, or `KEEP` to leave it as it is. What it throws is what this rejects with, and nothing is written. For an answer besides the
   * value, assign a variable in the function: `let allowed = false; await db.update(key, (value) => { allowed = left(value) > 0; … })`. The last call counts.
   *
   * A function that gives its value at once sees all writes before it, those under way included, is called once, and never conflicts: any number of
   * updates of one key share an fsync. One that gives a promise writes if the key is still as the function saw it, else it is called again, up to `attempts` times; those who lost on a
   * key take turns, in the order in which they lost. Do not wait in it for another update of the same key.
   *
   * Rejects with KAYA_CONFLICT after `attempts`, with the `key` and the `sequence` of the write it lost to; with the signal's reason; else as `get`
   * and `put`. Where it writes nothing, it resolves as an empty batch.
   */
  update(key: Bytes, fn: UpdateFunction, options?: UpdateOptions): Promise<UpdateResult> {
    return this.#writes.update(key, fn, options);
  }

  /**
   * Runs a function as a transaction, and resolves to what it gives once what it wrote is as durable as asked. It reads the data at one moment, with its own
   * writes in it; these are written all or nothing, and only if nothing that it read was changed meanwhile: keys, also absent ones, and ranges as far as
   * they were read. Else the function is called again. So transactions have the effect of one after the other, in the order of the log (serializable).
   * What it throws is what this rejects with, and nothing is written.
   *
   * No transaction holds a lock. Those that lost are tried again one after the other by what they lost on, in the order in which they lost, and one that lost four times
   * goes first: the others' writes wait for it, for a second at most. A first call reads what is acknowledged; one that is tried again also sees writes that are on
   * their way to the disk, and does not count unless these do. The function may be called several times: let it do nothing else than read and write with
   * `tx`, and do not wait in it for another transaction that changes the same.
   *
   * Rejects with KAYA_CONFLICT after `attempts`, with the `key` and the `sequence` of the write it lost to; with the signal's reason; else as `get`
   * and `batch`.
   */
  transact<T>(fn: (tx: Transaction) => T | Promise<T>, options?: RetryOptions): Promise<T> {
    return this.#writes.transact(fn, options);
  }

  /**
   * `put` that is done when it returns: written, on stable storage if it is strict, and readable, with no other thread in between. For
   * scripts, migrations and command lines, which wait for each write anyway: the event loop stands still for as long as the disk takes.
   *
   * Writes that were called before come first, and are brought to their end too; their promises settle as soon as the caller yields. What is under way
   * elsewhere cannot be waited for: then it throws KAYA_BUSY, and nothing was written. `await db.sync()`, or `await db.flush()` where memory
   * is full, and write again.
   * @throws KayaError KAYA_BUSY; else what `put` rejects with
   */
  putSync(key: Bytes, value: Bytes, options?: PutOptions): WriteResult {
    return this.#writes.putSync(key, value, options);
  }

  /** `delete`, as `putSync`. @throws KayaError as `putSync` */
  deleteSync(key: Bytes, options?: WriteOptions): WriteResult {
    return this.#writes.deleteSync(key, options);
  }

  /**
   * `batch`, as `putSync`. Conditions look at what is there once all writes before it are in; keys that are not in memory are read synchronously,
   * as `getSync` does.
   * @throws KayaError as `putSync`, and KAYA_CONFLICT with the `key`
   */
  batchSync(operations: readonly BatchOperation[], options?: BatchOptions): WriteResult {
    return this.#writes.batchSync(operations, options);
  }

  /**
   * Deletes a range, whatever its size, as it is once all writes before this one are in: one record of the log and one sequence.
   *
   * With a `limit` it deletes the first keys of the range, or with `reverse` the last. They are looked up first, and each takes a sequence;
   * what is written meanwhile stays. That is all or nothing, unless the keys do not fit one record (`wal.maxRecordBytes`): then it takes
   * several, in key order. `sequence` is the first deletion's, the rest the last's.
   *
   * A part of the rows of an index is looked up and deleted in the same way, with or without a `limit`: up to 256 rows or about 256 KiB of values a record. Where one
   * record is refused, those before it stay.
   */
  async clear(range?: RangeOptions, options?: WriteOptions): Promise<WriteResult> {
    this.#assertWritable();
    return this.#writes.clear(toKeyRange(range), options);
  }

  // As those of `Reader`, with less in between: most reads are these two.
  override async get(key: Bytes): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const value = this.#source.applied.view.find(toBytes(key, "key"));
    return value instanceof Promise ? await value : value;
  }

  override getSync(key: Bytes): Uint8Array | undefined {
    this.#assertOpen();
    return this.#source.applied.view.getSync(toBytes(key, "key"));
  }

  /** The data as it is now, to be read for as long as wanted. @throws KayaError KAYA_CLOSED */
  snapshot(): Snapshot {
    this.#assertOpen();
    return new Snapshot(this.#source.applied.snapshot(), this.#source.turns, () => this.#assertOpen());
  }

  /**
   * About how many bytes a range takes in tables, from their indexes: what was overwritten or deleted and not compacted yet counts too, what
   * is only in memory does not. `limit` and `reverse` do not count. Rejects as `get`.
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
   * Writes what is only in memory into a table, as of all writes before this call, and drops the log before it: the next opening has less to
   * replay. It happens by itself once a memtable is full. Reads and writes go on. Rejects with KAYA_DISK_FULL, KAYA_IO or KAYA_FSYNC_FAILED
   * where the table could not be written, and everything is as it was, or where it is written and the log could not be dropped: the next one
   * does that.
   */
  async flush(): Promise<FlushResult> {
    this.#assertWritable();
    return this.#writable.flushes.run();
  }

  /**
   * Flushes, and compacts a range to the deepest level: what was overwritten or deleted there takes no room any more, unless a snapshot holds
   * it. It happens by itself as far as it pays. `limit` and `reverse` do not count. Rejects as `flush`, and with KAYA_CORRUPTION.
   */
  async compact(range?: RangeOptions): Promise<void> {
    this.#assertWritable();
    const extent = extentOf(toKeyRange(range));
    const { flushes, tree } = this.#writable;
    await flushes.run();
    if (extent !== undefined) await tree.compact(extent);
  }

  /**
   * Copies all that is readable now into another directory, reads it back, and resolves once it is durable. Reads and writes go on meanwhile. The copy has
   * relaxed writes that are not durable here, and it opens as any other data directory. A second backup into the same directory copies only new
   * tables (BACKUP.md).
   * @param targetDir absent, empty, or with an earlier backup of this store that was not written to since; or a disk
   * Rejects with KAYA_INVALID_ARGUMENT (it holds something else: nothing was changed), KAYA_LOCK_CONFLICT (somebody else writes there), KAYA_CORRUPTION (a table here
   *   is damaged: its file and offset), KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED, or the signal's reason: then the earlier backup is there as it
   *   was, or nothing that could be taken for one.
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
   * The durable changes in order, one for each write: first those that are in the log, then each as soon as it is on stable storage. Any
   * number may read, each at its own pace: a slow one holds up nobody. Whoever remembers the token of what it is done with goes on there
   * (`since`), and gets everything behind it again: at least once. It ends when the loop is left, and with the engine: then it
   * rejects with KAYA_CLOSED. Waiting for the next change does not keep the process alive: with nothing else to do, Node.js ends it (exit code 13 in
   * a top-level `await`).
   * @throws KayaError KAYA_LOG_TRUNCATED where the log does not reach back to there, or the token is of another log or of what a recovery
   *   cut: read the data as it is now, and follow from a new token; KAYA_INVALID_ARGUMENT; KAYA_NOT_FOUND (the consumer); KAYA_CLOSED
   */
  changes(options?: ChangesOptions): Changes {
    this.#assertWritable();
    return this.#feeds.open(options);
  }

  /**
   * The newest entry of a key, as `getEntry` gives it: first the one that it has (unless `initial` is false), then each other one once readers see
   * it. Who is slow skips to the newest. What was absent and is absent again is not told; that a value has expired is: a timer waits for it, which keeps
   * no process alive.
   *
   * It begins with the first call of `next`, and ends when the loop is left, with the signal, and with the engine: then it rejects with KAYA_CLOSED,
   * or with KAYA_WRITER_FAILED where the engine has failed. A strict write is told once it is durable, a relaxed one once it can be read. Waiting does not keep
   * the process alive, as with `changes`.
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_READ_ONLY, KAYA_CLOSED; what the signal aborted with
   */
  watch(key: Bytes, options?: WatchOptions): Watch<Entry>;
  /**
   * The changes of a range, as watching a key: first a put for each entry that it has, then of each key the newest change, and deletions of ranges as
   * such, within this range. Applied one after the other they give what the range has. A batch is not given as a whole. That a value
   * has expired is not told: its put says when that will be (`expiresAt`).
   *
   * In memory is the newest change of each key that was not taken yet. Where that becomes more than 16 MiB it begins anew: with the deletion of the
   * whole range, and a put for each entry.
   */
  watch(range: KeyBounds, options?: WatchOptions): Watch<WatchChange>;
  watch(what: Bytes | KeyBounds, options?: WatchOptions): Watch<Entry> | Watch<WatchChange> {
    this.#assertWritable();
    return this.#watches.open(what, options);
  }

  /**
   * A token for `changes`, behind all writes before this call, which it makes durable: take it, read the data (`snapshot`), and follow from
   * it. Changes up to the moment of reading come again: done twice, in order, they end the same. Nothing keeps the log for it: `addConsumer` with `copy`
   * does all of that.
   */
  async changesToken(): Promise<string> {
    this.#assertWritable();
    return this.#feeds.token();
  }

  /**
   * Registers a consumer by name, durably: flushes keep the log behind what it acknowledged, up to `changes.maxKeptLogBytes`. One that is
   * registered keeps its place, if the log still has what comes next. Another one begins here, with the next change; whoever needs the data that is there, too,
   * reads it in `copy`: `db.addConsumer("search", { copy: async () => { for await (const row of users.scan()) … } })`.
   *
   * Rejects as `changes`, and with KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED; as `copy`: then it is registered no more than before.
   */
  async addConsumer(name: string, options?: AddConsumerOptions): Promise<AddedConsumer> {
    this.#assertWritable();
    return this.#feeds.addConsumer(name, options);
  }

  /** Forgets a consumer, durably: nothing is kept for it any more. False where there was none. */
  async removeConsumer(name: string): Promise<boolean> {
    this.#assertWritable();
    return this.#feeds.removeConsumer(name);
  }

  /** The consumers and how far each has got, in order of their names. */
  consumers(): readonly Consumer[] {
    this.#assertOpen();
    return this.#consumers.list();
  }

  /**
   * Removes what recoveries kept in `wal/quarantine/` of ends that a crash tore, oldest first, until there are at most `maxBytes` of them. The newest one
   * stays, and what was kept for damage stays too. Rejects with KAYA_INVALID_ARGUMENT, KAYA_IO, KAYA_READ_ONLY, KAYA_CLOSED.
   */
  async cleanQuarantine(options: { readonly maxBytes: number }): Promise<QuarantineCleaned> {
    this.#assertWritable();
    const { maxBytes } = readOptions(options, ["maxBytes"], "the options of cleanQuarantine");
    return this.#wal.cleanQuarantine(maxBytes as number); // what is none is refused there
  }

  /** Resolves when every write so far, relaxed ones too, is on stable storage. Rejects as a write does. */
  async sync(): Promise<void> {
    this.#assertWritable();
    return this.#wal.sync();
  }

  /** Resolves when there is room for more writes: for callers who write without awaiting each. */
  async ready(): Promise<void> {
    this.#assertOpen();
    return this.#wal.ready();
  }

  /**
   * Moves on to what another process has written since, where this engine is read-only; resolves to whether that is more than what it showed.
   * It reads the log behind the tables again, and of the tables only those that are new. Snapshots and scans that were made before stay as
   * they are. Rejects as `open`, and with KAYA_INVALID_ARGUMENT on an engine that writes, KAYA_LOG_TRUNCATED where what it shows is not in the log any more (a
   * recovery cut it off): then it goes on showing what it showed.
   */
  async refresh(): Promise<boolean> {
    this.#assertOpen();
    if (this.#looked === undefined)
      throw invalid(
        "only an engine that was opened read-only is refreshed: this one writes, and shows all that it wrote",
      );
    const refreshed = this.#refreshing.then(() => this.#refresh());
    this.#refreshing = refreshed.catch(() => undefined); // its caller is told
    return refreshed;
  }

  /** `failed`: a write could not be made durable and nothing can be written until the engine is opened again; reads go on. */
  get state(): EngineState {
    if (this.#closing !== undefined) return "closed";
    return this.#wal.failure === undefined ? "open" : "failed";
  }

  /** Why the engine failed; undefined while it works. */
  get failure(): KayaError | undefined {
    return this.#wal.failure;
  }

  /** Counts and sizes, as they are now. Some microseconds of work. */
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
   * Waits for the writes under way, syncs, and lets go of the directory. Updates and transactions whose functions have not come to their end are rejected
   * with KAYA_CLOSED. Calling it again gives the same promise. Rejects
   * where an acknowledged relaxed write could not be made durable; the directory is let go of all the same.
   */
  close(): Promise<void> {
    this.#source.close();
    this.#writes.close(closed());
    this.#closing ??= this.#close();
    return this.#closing;
  }

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

  #assertOpen(): void {
    this.#source.assertOpen();
  }
}

function readOnly(): KayaError {
  return new KayaError(
    "KAYA_READ_ONLY",
    "the engine was opened read-only: it writes nothing, and follows nothing. Open it without `readOnly`.",
  );
}
