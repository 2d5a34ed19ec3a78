import {
  type DurabilityMode,
  type EngineConfig,
  KayaError,
  type PartialEngineConfig,
  readInput,
  readOptions,
  resolveEngineConfig,
} from "@kaya/core";
import type { Disk, DiskLock } from "@kaya/io";
import type { NewLogId, QuarantineCleaned, WalPayload, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { ChangeFeeds, type ChangesOptions } from "./changes/change-feeds.js";
import type { Changes } from "./changes/changes.js";
import type { AddedConsumer, Consumer, Consumers } from "./changes/consumers.js";
import { type BackupOptions, type BackupResult, writeBackup } from "./checkpoint/backup.js";
import type { CheckpointResult } from "./checkpoint/checkpointer.js";
import { Checkpoints } from "./checkpoint/checkpoints.js";
import { type Clock, SYSTEM_CLOCK } from "./checkpoint/pace.js";
import { deletesOf } from "./clear.js";
import { type Conflict, findConflict, toConditions } from "./conditions.js";
import { ConflictQueue } from "./conflict-queue.js";
import { diskOf, letGo, readRecoveryOptions, takeDirectory } from "./data-directory.js";
import { type Entry, entryOf } from "./entry.js";
import { getInSlices } from "./get-many.js";
import { type Bytes, invalid, toBytes } from "./input.js";
import { assertDirectory, lookAtState } from "./look-at-state.js";
import { MemoryBound } from "./memory-bound.js";
import type { Memtable } from "./memtable/memtable.js";
import { type RangeOptions, toKeyRange } from "./range.js";
import type { RecoveryReport } from "./recover.js";
import { type OpenEngineOptions, type RecoveredState, recoverState } from "./recover-state.js";
import { Scan } from "./scan.js";
import { Snapshot } from "./snapshot.js";
import type { EngineState, EngineStats } from "./stats.js";
import { SYSTEM_TURNS, type Turns } from "./turns.js";
import {
  BATCH_OPTIONS,
  type BatchOperation,
  type BatchOptions,
  WRITE_OPTIONS,
  WriteInput,
  type WriteOptions,
  type WriteResult,
} from "./write.js";

export type { OpenEngineOptions } from "./recover-state.js";

interface EngineParts extends RecoveredState {
  readonly config: EngineConfig;
  readonly disk: Disk;
  readonly lock: DiskLock | undefined;
  /** The disk where it was made for this engine. */
  readonly own: Disk | undefined;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly newLogId: NewLogId | undefined;
}

/** What `Engine.open` made: nothing else may become an engine. */
const opened = new WeakSet<EngineParts>();

/**
 * An ordered key-value store in memory, made durable by a write-ahead log. All data must fit in memory. Keys order
 * bytewise; an empty key is a key, an empty value is a value.
 *
 * A write resolves when it is as durable as asked and readable; one that rejects changed nothing (after
 * KAYA_FSYNC_FAILED, KAYA_INTERNAL and KAYA_INVARIANT_VIOLATION that is certain only once the engine was opened again).
 */
export class Engine {
  /** What recovery found when this engine was opened; with `readOnly`, what it would do (`dryRun`). */
  readonly lastRecovery: RecoveryReport;
  readonly #config: EngineConfig;
  readonly #input: WriteInput;
  readonly #applied: AppliedLog;
  readonly #memtable: Memtable;
  readonly #memoryBound: MemoryBound;
  readonly #wal: WalWriter<WriteResult>;
  readonly #disk: Disk;
  readonly #held: Pick<EngineParts, "lock" | "own">;
  readonly #checkpoints: Checkpoints;
  readonly #consumers: Consumers;
  readonly #feeds: ChangeFeeds;
  readonly #conflicts: ConflictQueue;
  readonly #turns: Turns;
  readonly #newLogId: NewLogId | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: EngineParts) {
    // `private` is a matter of types alone.
    if (!opened.has(parts)) throw invalid("an engine is made by Engine.open, not by new Engine");
    this.#config = parts.config;
    this.#input = new WriteInput(parts.config);
    this.#applied = parts.applied;
    this.#memtable = parts.applied.memtable;
    this.#memoryBound = new MemoryBound(parts.config.memoryLimitBytes, this.#memtable);
    this.#wal = parts.wal;
    this.#disk = parts.disk;
    this.#held = { lock: parts.lock, own: parts.own };
    this.#newLogId = parts.newLogId;
    this.#checkpoints = new Checkpoints(parts);
    this.#wal.throttle(() => this.#checkpoints.throttle());
    this.#turns = parts.turns;
    this.#conflicts = new ConflictQueue((key) => this.#wal.pendingChange(key), this.#turns.next);
    this.#consumers = parts.consumers;
    const assertOpen = () => this.#assertOpen();
    this.#feeds = new ChangeFeeds({ ...parts, log: this.#checkpoints, assertOpen });
    this.lastRecovery = parts.report;
  }

  /**
   * Locks the data directory, recovers its log and replays it. Makes the directory where it is absent; one that holds files of somebody else
   * and no data of Kaya is refused (`allowForeignFiles`).
   *
   * With `readOnly` it only looks, and does none of that: it reads what the files show into memory once, beside another process that writes, too,
   * and gives all reads. What another process wrote after that is not seen, and what it had not synced by then a power cut may still take back. The
   * log is read as a dry run of `recover` reads it; `lastRecovery` says what the next opening for writing would do.
   * @param disk instead of the real directory `config.dataDir`
   * @throws KayaError KAYA_INVALID_ARGUMENT, KAYA_LOCK_CONFLICT, KAYA_DISK_FULL, KAYA_IO, and as `recoverWal`:
   *   KAYA_CORRUPTION, KAYA_UNSUPPORTED_VERSION; with `readOnly` KAYA_NOT_FOUND where there is no such directory
   */
  static async open(config?: PartialEngineConfig, disk?: Disk, given?: OpenEngineOptions): Promise<Engine> {
    const resolved = resolveEngineConfig(config);
    const options = readRecoveryOptions(given, ["onProgress", "clock", "newLogId", "hashSecret", "turns"]);
    const { clock = SYSTEM_CLOCK, turns = SYSTEM_TURNS, newLogId } = options;
    const target = diskOf(resolved, disk);
    const own = disk === undefined ? target : undefined;
    if (own !== undefined && resolved.readOnly) await assertDirectory(resolved.dataDir);
    let lock: DiskLock | undefined;
    try {
      if (!resolved.readOnly) lock = await takeDirectory(resolved, target);
      const state = resolved.readOnly
        ? await lookAtState(resolved, target, options)
        : await recoverState(resolved, target, lock, options);
      const parts = { ...state, config: resolved, disk: target, lock, own, clock, turns, newLogId };
      opened.add(parts);
      return new Engine(parts);
    } catch (error) {
      await letGo({ lock, own });
      throw error;
    }
  }

  /** Stores a value under a key, replacing what was there. Rejects as `WalWriter.append`. */
  put(key: Bytes, value: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#write(options, () => this.#input.put(key, value));
  }

  /** Removes a key; fine where it is absent. */
  delete(key: Bytes, options?: WriteOptions): Promise<WriteResult> {
    return this.#write(options, () => this.#input.delete(key));
  }

  /**
   * Does all of it or nothing, in order: readers and a crash see no part of it. Where a condition does not hold it is nothing: rejects
   * with KAYA_CONFLICT and the `key`. Conditions look at what is there when the batch's turn in the log comes, writes under
   * way before it included.
   *
   * A batch without operations writes no record. A strict one resolves when all writes before it are on stable storage, a relaxed one at
   * once; `lsn` and `sequence` are of the last write before it, 0 where there is none. Its conditions count.
   */
  batch(operations: readonly BatchOperation[], options?: BatchOptions): Promise<WriteResult> {
    const payload = (): WalPayload => ({ type: "batch", operations: this.#input.operations(operations) });
    return this.#write(options, payload, BATCH_OPTIONS);
  }

  /**
   * Deletes a range, as it is once all writes before this one are in: one record of the log and one sequence, whatever is in the range.
   *
   * With `limit` it deletes that many of its keys, from the last one on with `reverse`, and each key takes a sequence. That is all or nothing,
   * unless the keys do not fit one record (`wal.maxRecordBytes`): then in several, in key order. `sequence` is the first deletion's, the rest the
   * last's.
   */
  async clear(range?: RangeOptions, options?: WriteOptions): Promise<WriteResult> {
    this.#assertWritable();
    const keyRange = toKeyRange(range);
    if (keyRange.limit === Number.POSITIVE_INFINITY)
      return this.#write(options, () => this.#input.clear(keyRange) ?? { type: "noop" });
    const { maxRecordBytes } = this.#config.wal;
    const payloads = deletesOf(this.#memtable, this.#wal.pending(), keyRange, maxRecordBytes);
    const results = await Promise.all(payloads.map((payload) => this.#write(options, () => payload)));
    const [first, last] = [results[0], results.at(-1)] as [WriteResult, WriteResult];
    return { ...last, sequence: first.sequence };
  }

  /** The value of a key, as a copy; undefined where it has none. */
  async get(key: Bytes): Promise<Uint8Array | undefined> {
    return this.getSync(key);
  }

  /**
   * `get` without a promise: all data is in memory.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  getSync(key: Bytes): Uint8Array | undefined {
    this.#assertOpen();
    return this.#applied.view.get(toBytes(key, "key"));
  }

  /** The value of a key with the sequence of the write that made it: what a later batch may have as its condition. */
  async getEntry(key: Bytes): Promise<Entry> {
    return this.getEntrySync(key);
  }

  /** @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT */
  getEntrySync(key: Bytes): Entry {
    this.#assertOpen();
    return entryOf(this.#applied.view, key);
  }

  async has(key: Bytes): Promise<boolean> {
    this.#assertOpen();
    return this.#applied.view.has(toBytes(key, "key"));
  }

  /**
   * The values of several keys at one point in time, in the keys' order. Many are read over several turns of the event loop: leave the bytes of
   * the keys alone until it resolves.
   */
  async getMany(keys: readonly Bytes[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    const given = readInput("the keys of getMany", () => {
      if (!Array.isArray(keys)) throw invalid("getMany takes an array of keys");
      // Holes too become elements. Not `Array.from` with a function, which takes ten times as long.
      return [...(keys as readonly Bytes[])];
    });
    if (given.length <= this.#turns.operations) return given.map((key) => this.getSync(key));
    const snapshot = this.snapshot();
    try {
      return await getInSlices(snapshot, given, this.#turns);
    } finally {
      snapshot.close();
    }
  }

  /**
   * The entries of a range in key order, as they are now, whatever is written while they are read.
   * @throws KayaError KAYA_CLOSED, KAYA_INVALID_ARGUMENT
   */
  scan(range?: RangeOptions): Scan {
    this.#assertOpen();
    const keyRange = toKeyRange(range);
    const snapshot = this.#applied.snapshot();
    return new Scan({ view: () => this.#ifOpen(snapshot), release: () => snapshot.release() }, keyRange);
  }

  /** The data as it is now, to be read for as long as wanted. @throws KayaError KAYA_CLOSED */
  snapshot(): Snapshot {
    this.#assertOpen();
    return new Snapshot(this.#applied.snapshot(), () => this.#assertOpen());
  }

  /**
   * Writes the state, as of all writes before this call, into a checkpoint, and drops the log before it: what is opened next has less to
   * replay. Reads and writes go on. Rejects with KAYA_DISK_FULL, KAYA_IO or KAYA_FSYNC_FAILED where it could not be
   * written, and everything is as it was, or where it is written and what it takes the place of could not be removed: the next one removes that.
   */
  async checkpoint(): Promise<CheckpointResult> {
    this.#assertWritable();
    return this.#checkpoints.run();
  }

  /**
   * Writes all that is readable now into an empty directory, while reads and writes go on, reads it back, and resolves once it is durable: a
   * data directory by itself, to be opened as any other. Relaxed writes that are not on the disk here yet are in it too.
   * @param targetDir absent or empty; or a disk
   * Rejects with KAYA_INVALID_ARGUMENT (not empty), KAYA_LOCK_CONFLICT (somebody else writes there), KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED, KAYA_CLOSED, or the signal's
   *   reason: then nothing is there that could be taken for a backup.
   */
  async backup(targetDir: string | Disk, options?: BackupOptions): Promise<BackupResult> {
    this.#assertOpen();
    const engine = {
      applied: this.#applied,
      disk: this.#disk,
      config: this.#config,
      newLogId: this.#newLogId,
      assertOpen: () => this.#assertOpen(),
    };
    return writeBackup(engine, targetDir, options);
  }

  /**
   * The durable changes in order, one for each write: first those that are in the log, then each as soon as it is on stable storage. Any
   * number may read, each at its own pace: a slow one holds up nobody. Whoever remembers the token of what it is done with goes on there
   * (`since`), and gets everything behind it again: at least once. It ends when the loop is left, and with the engine: then it
   * rejects with KAYA_CLOSED.
   * @throws KayaError KAYA_LOG_TRUNCATED where the log does not reach back to there, or the token is of another log or of what a recovery
   *   cut: read the data as it is now, and follow from a new token; KAYA_INVALID_ARGUMENT; KAYA_NOT_FOUND (the consumer); KAYA_CLOSED
   */
  changes(options?: ChangesOptions): Changes {
    this.#assertWritable();
    return this.#feeds.open(options);
  }

  /**
   * A token for `changes`, behind all writes before this call, which it makes durable: take it, read the data (`snapshot`), and follow from
   * it. Changes up to the moment of reading come again: done twice, in order, they end the same.
   */
  async changesToken(): Promise<string> {
    this.#assertWritable();
    return this.#feeds.token();
  }

  /**
   * Registers a consumer by name, durably: checkpoints keep the log behind what it acknowledged, up to `changes.maxKeptLogBytes`. One that is
   * registered keeps its place. `isNew` says that it begins here: as with `changesToken`, read the data now.
   * @param options.since where it begins, or begins anew
   * Rejects as `changes`, and with KAYA_DISK_FULL, KAYA_IO, KAYA_FSYNC_FAILED.
   */
  async addConsumer(name: string, options?: { readonly since?: string }): Promise<AddedConsumer> {
    this.#assertWritable();
    const { since } = readOptions(options, ["since"], "the options of addConsumer");
    return this.#feeds.addConsumer(name, since);
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
    const memory = this.#memtable.memory;
    const { size, keyBytes, valueBytes } = this.#applied.size;
    return {
      state: this.state,
      entries: size,
      keyBytes,
      valueBytes,
      memoryBytes: memory.allocated,
      liveBytes: memory.live,
      deadBytes: memory.dead,
      snapshots: { open: memory.snapshots, bytes: memory.pinned },
      lastLsn: this.#wal.nextLsn - 1,
      lastSequence: this.#wal.nextSequence - 1,
      durableLsn: this.#wal.durableLsn,
      pendingBytes: this.#wal.pendingBytes,
      wal: this.#wal.stats(),
      checkpoint: this.#checkpoints.stats,
      changes: this.#feeds.stats,
    };
  }

  /**
   * Waits for the writes under way, syncs, and lets go of the directory. Calling it again gives the same promise. Rejects
   * where an acknowledged relaxed write could not be made durable; the directory is let go of all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#feeds.close(closed());
      await this.#checkpoints.close();
      await this.#wal.close();
    } finally {
      await letGo(this.#held, this.#wal);
    }
  }

  #write(
    options: BatchOptions | undefined,
    toPayload: () => WalPayload,
    known = WRITE_OPTIONS,
  ): Promise<WriteResult> {
    try {
      this.#assertWritable();
      const payload = toPayload();
      const { durability, conditions } = this.#input.options(options, known);
      if (conditions !== undefined && this.#wal.failure === undefined) {
        const conflict = findConflict(toConditions(conditions), this.#applied, this.#wal);
        if (conflict !== undefined) return this.#reject(conflict);
      }
      if (payload.type === "batch" && payload.operations.length === 0) return this.#flush(durability);
      this.#memoryBound.check(payload, this.#wal.pendingBytes);
      const written = this.#wal.append(payload, durability);
      this.#checkpoints.consider();
      return written;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #reject({ key, error, ahead }: Conflict): Promise<never> {
    return ahead === undefined ? Promise.reject(error) : this.#conflicts.reject(key, ahead, error);
  }

  /** What a batch of nothing does: no record is written, and what was written before it becomes as durable as it asks for. */
  async #flush(durability: DurabilityMode): Promise<WriteResult> {
    if (durability === "strict" || this.#wal.failure !== undefined) {
      const last = { lsn: this.#wal.nextLsn - 1, sequence: this.#wal.nextSequence - 1 };
      await this.#wal.sync();
      return { ...last, durable: true };
    }
    const applied = this.#applied.position;
    return { ...applied, durable: applied.lsn <= this.#wal.durableLsn };
  }

  #ifOpen<T>(value: T): T {
    this.#assertOpen();
    return value;
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (!this.#config.readOnly) return;
    throw new KayaError(
      "KAYA_READ_ONLY",
      "the engine was opened read-only: it writes nothing, and follows nothing. Open it without `readOnly`.",
    );
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }
}

function closed(): KayaError {
  return new KayaError("KAYA_CLOSED", "the engine is closed: open it again");
}
