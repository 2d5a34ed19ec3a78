import type { DurabilityMode, EngineConfig } from "@kaya/core";
import type { RangeDelete, WalOperation, WalPayload, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type Deleted, deletesOf, type FoundKeys, LimitedClear } from "./clear.js";
import {
  type CheckedCondition,
  type Conflict,
  findConflict,
  type OnDisk,
  readOnDisk,
  readOnDiskSync,
  toConditions,
} from "./conditions.js";
import { ConflictQueue } from "./conflict-queue.js";
import { FairTurns } from "./fair-turns.js";
import { ClearRows } from "./indexes/clear-rows.js";
import { MissingEntries } from "./indexes/growing-head.js";
import type { Indexes } from "./indexes/indexes.js";
import type { Bytes } from "./input.js";
import type { KeyRange } from "./memtable/key-range.js";
import type { HeadEngine } from "./modify.js";
import { type ReplicaRole, refuseSynchronous } from "./replica/replica-role.js";
import type { Flushes } from "./store/flushes.js";
import type { Transaction } from "./transaction/transaction.js";
import { Transactions } from "./transaction/transactions.js";
import type { Turns } from "./turns.js";
import { UntilClosed } from "./until-closed.js";
import {
  type RetryOptions,
  type UpdateFunction,
  type UpdateOptions,
  type UpdateResult,
  Updates,
} from "./update.js";
import {
  BATCH_OPTIONS,
  type BatchOperation,
  type BatchOptions,
  keptPayload,
  PUT_OPTIONS,
  type PutOptions,
  WRITE_OPTIONS,
  WriteInput,
  type WriteOptions,
  type WriteResult,
} from "./write.js";

interface WrittenEngine {
  readonly config: EngineConfig;
  readonly applied: AppliedLog;
  readonly wal: WalWriter<WriteResult>;
  /** Undefined where the engine only looks. */
  readonly flushes: Flushes | undefined;
  readonly turns: Turns;
  /** Undefined for an engine that is no replica. */
  readonly role: ReplicaRole | undefined;
  /** @throws KayaError KAYA_CLOSED, KAYA_READ_ONLY, KAYA_NOT_LEADER */
  assertWritable(): void;
}

/**
 * The way of a write from the caller to the log: it is checked, its conditions are looked at, it waits for its place. What the log
 * has made durable `AppliedLog` shows to readers.
 */
export class Writes {
  readonly #engine: WrittenEngine;
  readonly #head: HeadEngine;
  readonly #input: WriteInput;
  readonly #conflicts: ConflictQueue;
  readonly #turns: FairTurns;
  readonly #untilClosed = new UntilClosed();
  readonly #updates: Updates;
  readonly #transactions: Transactions;
  /** Clears with a limit that are under way, in the order of their calls. Never rejects: one that failed deleted nothing, or some pages of rows. */
  readonly #clears = new Set<Promise<Deleted>>();
  /** Undefined as long as the program has no view. */
  #indexes: Indexes | undefined;

  constructor(engine: WrittenEngine) {
    this.#engine = engine;
    this.#head = { ...engine, append: (payload, durability) => this.#append(payload, durability) };
    this.#input = new WriteInput(
      engine.config,
      engine.applied.store.now,
      () => this.#usedIndexes !== undefined,
    );
    this.#turns = new FairTurns(engine.turns.longestPrecedenceMs);
    this.#updates = new Updates(this.#head, this.#input, this.#turns, this.#untilClosed);
    const { turns, config } = engine;
    const retry = <T>(attempt: () => Promise<T>) => this.#indexes?.retry(attempt) ?? attempt();
    const transacted = { ...this.#head, turns, maxRecordBytes: config.wal.maxRecordBytes, retry };
    this.#transactions = new Transactions(transacted, this.#input, this.#turns, this.#untilClosed);
    this.#conflicts = new ConflictQueue((key) => engine.wal.pendingChange(key), engine.turns.next);
  }

  put(key: Bytes, value: Bytes, options: PutOptions | undefined): Promise<WriteResult> {
    return this.#write(options, (expiresAt) => this.#input.put(key, value, expiresAt), PUT_OPTIONS);
  }

  delete(key: Bytes, options: WriteOptions | undefined): Promise<WriteResult> {
    return this.#write(options, () => this.#input.delete(key));
  }

  batch(operations: readonly BatchOperation[], options: BatchOptions | undefined): Promise<WriteResult> {
    return this.#write(options, () => this.#batchOf(operations), BATCH_OPTIONS);
  }

  putSync(key: Bytes, value: Bytes, options: PutOptions | undefined): WriteResult {
    return this.#writeSync(options, (expiresAt) => this.#input.put(key, value, expiresAt), PUT_OPTIONS);
  }

  deleteSync(key: Bytes, options: WriteOptions | undefined): WriteResult {
    return this.#writeSync(options, () => this.#input.delete(key));
  }

  batchSync(operations: readonly BatchOperation[], options: BatchOptions | undefined): WriteResult {
    return this.#writeSync(options, () => this.#batchOf(operations), BATCH_OPTIONS);
  }

  /** Updates and transactions whose functions have not come to their end are rejected with it. */
  close(reason: unknown): void {
    this.#untilClosed.close(reason);
  }

  /** Those that are under way now are rejected with it. */
  interrupt(reason: unknown): void {
    this.#untilClosed.interrupt(reason);
  }

  /** Writes to the rows of indexes keep these from now on. */
  keepIndexes(indexes: Indexes): void {
    this.#indexes = indexes;
  }

  /** For what has no keys of rows. */
  append(payload: WalPayload, durability: DurabilityMode): Promise<WriteResult> {
    return this.#append(payload, durability);
  }

  async clear(range: KeyRange, options: WriteOptions | undefined): Promise<WriteResult> {
    this.#engine.assertWritable();
    const hasLimit = range.limit !== Number.POSITIVE_INFINITY;
    const indexes = this.#usedIndexes;
    if (hasLimit || indexes?.clearsInPart(range) === true) {
      const clear = () => this.#clearUpTo(range, options);
      return indexes === undefined ? clear() : indexes.behindCalls(clear);
    }
    return this.#write(options, () => clearing(this.#input.clear(range)));
  }

  async update(key: Bytes, fn: UpdateFunction, options: UpdateOptions | undefined): Promise<UpdateResult> {
    const run = (once: UpdateFunction) => this.#updates.run(key, once, options);
    const indexes = this.#usedIndexes;
    if (indexes !== undefined) return indexes.retryUpdate(fn, run);
    try {
      return await run(fn);
    } catch (error) {
      // The program made its first view with indexes meanwhile, and nothing was written.
      if (!(error instanceof MissingEntries) || this.#indexes === undefined) throw error;
      return this.#indexes.retryUpdate(fn, run);
    }
  }

  transact<T>(fn: (tx: Transaction) => T | Promise<T>, options: RetryOptions | undefined): Promise<T> {
    return this.#transactions.run(fn, options);
  }

  /** Undefined where no write has to do with an index. */
  get #usedIndexes(): Indexes | undefined {
    return this.#indexes?.isIdle === false ? this.#indexes : undefined;
  }

  #write(
    options: (BatchOptions & PutOptions) | undefined,
    toPayload: (expiresAt: number | undefined) => WalPayload,
    known = WRITE_OPTIONS,
  ): Promise<WriteResult> {
    try {
      this.#engine.assertWritable();
      const { durability, conditions, expiresAt } = this.#input.options(options, known);
      const payload = toPayload(expiresAt);
      const isPlain = conditions === undefined || this.#engine.wal.failure !== undefined;
      const checked = isPlain ? undefined : toConditions(conditions);
      const indexes = this.#usedIndexes;
      if (indexes?.touches(payload) === true)
        return this.#writeIndexed(indexes, payload, checked, durability);
      return checked === undefined
        ? this.#append(payload, durability)
        : this.#appendIf(checked, payload, durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #writeIndexed(
    indexes: Indexes,
    lent: WalPayload,
    given: readonly CheckedCondition[] | undefined,
    durability: DurabilityMode,
  ): Promise<WriteResult> {
    // The caller may change its bytes once the call has returned, and something may have to be read first.
    const payload = keptPayload(lent);
    const conditions = given?.map(({ key, sequence }) => ({ key: new Uint8Array(key), sequence }));
    return indexes.inOrder(payload, () => {
      this.#engine.assertWritable();
      if (conditions === undefined || this.#engine.wal.failure !== undefined)
        return this.#append(payload, durability);
      return this.#appendIf(conditions, payload, durability);
    });
  }

  /** The same before it returns. Nothing is ahead of it when its conditions are looked at: what was queued is applied by then. */
  #writeSync(
    options: (BatchOptions & PutOptions) | undefined,
    toPayload: (expiresAt: number | undefined) => WalPayload,
    known = WRITE_OPTIONS,
  ): WriteResult {
    const { wal, applied, flushes, role, assertWritable } = this.#engine;
    if (role !== undefined) refuseSynchronous();
    assertWritable();
    const { durability, conditions, expiresAt } = this.#input.options(options, known);
    const payload = toPayload(expiresAt);
    const used = this.#usedIndexes;
    const indexes = used?.touches(payload) === true ? used : undefined;
    indexes?.assertNothingWaits();
    if (conditions !== undefined && wal.failure === undefined) {
      const checked = toConditions(conditions);
      wal.settleSync();
      const conflict = findConflict(checked, applied, wal, readOnDiskSync(checked, applied));
      if (conflict !== undefined) throw conflict.error;
    }
    if (isNothing(payload)) return this.#appendNothingSync(durability);
    flushes?.assertRoomSync();
    if (indexes === undefined || wal.failure !== undefined) return wal.appendSync(payload, durability);
    wal.settleSync();
    return indexes.appendSync(payload, (extended) => wal.appendSync(extended, durability));
  }

  #appendNothingSync(durability: DurabilityMode): WriteResult {
    const { wal } = this.#engine;
    if (durability !== "strict" && wal.failure === undefined) return this.#applied();
    const last = { lsn: wal.nextLsn - 1, sequence: wal.nextSequence - 1 };
    wal.settleSync({ durable: true });
    return { ...last, durable: true };
  }

  #batchOf(operations: readonly BatchOperation[]): WalPayload {
    return { type: "batch", operations: this.#input.operations(operations) };
  }

  #append(payload: WalPayload, durability: DurabilityMode): Promise<WriteResult> {
    if (isNothing(payload)) return this.#appendNothing(durability);
    this.#engine.flushes?.assertRoom();
    const { wal } = this.#engine;
    const indexes = this.#usedIndexes;
    if (indexes === undefined) return wal.append(payload, durability);
    return indexes.append(payload, (extended) => wal.append(extended, durability));
  }

  /** No record is written, and what was written before becomes as durable as it asks for. */
  async #appendNothing(durability: DurabilityMode): Promise<WriteResult> {
    const { wal } = this.#engine;
    if (durability !== "strict" && wal.failure === undefined) return this.#applied();
    const last = { lsn: wal.nextLsn - 1, sequence: wal.nextSequence - 1 };
    await wal.settle();
    return { ...last, durable: true };
  }

  /** Of the last write that is applied. */
  #applied(): WriteResult {
    const { wal, applied, role } = this.#engine;
    return { ...applied.position, durable: role !== undefined || applied.position.lsn <= wal.durableLsn };
  }

  /**
   * Conditions need no lock. What the tables say is read first; then, in the turn in which the batch gets its LSN, what is newer is looked
   * at. Where the tables cover more of the log by then they are read again.
   */
  #appendIf(
    conditions: readonly CheckedCondition[],
    payload: WalPayload,
    durability: DurabilityMode,
  ): Promise<WriteResult> {
    const { applied, wal } = this.#engine;
    const onDisk = readOnDisk(conditions, applied, wal);
    if (onDisk instanceof Promise) return this.#appendOnceRead(onDisk, conditions, payload, durability);
    const conflict = findConflict(conditions, applied, wal, onDisk);
    return conflict === undefined ? this.#append(payload, durability) : this.#reject(conflict);
  }

  async #appendOnceRead(
    reading: Promise<OnDisk>,
    given: readonly CheckedCondition[],
    lent: WalPayload,
    durability: DurabilityMode,
  ): Promise<WriteResult> {
    // The caller may change its bytes once the call has returned.
    const conditions = given.map(({ key, sequence }) => ({ key: new Uint8Array(key), sequence }));
    const payload = keptPayload(lent);
    const { applied, wal } = this.#engine;
    for (let onDisk = await reading; ; onDisk = await readOnDisk(conditions, applied, wal)) {
      this.#engine.assertWritable();
      if (wal.failure !== undefined) return this.#append(payload, durability);
      if (onDisk.covered !== applied.store.tables.covered.lsn) continue;
      const conflict = findConflict(conditions, applied, wal, onDisk);
      return conflict === undefined ? this.#append(payload, durability) : this.#reject(conflict);
    }
  }

  #reject({ key, error, ahead }: Conflict): Promise<never> {
    return ahead === undefined ? Promise.reject(error) : this.#conflicts.reject(key, ahead, error);
  }

  #clearUpTo(range: KeyRange, options: WriteOptions | undefined): Promise<WriteResult> {
    const { applied, wal } = this.#engine;
    const clear = new LimitedClear(applied, wal, range, [...this.#clears]);
    let onPlaced = (_keys: readonly Uint8Array[]): void => {};
    const deleted = new Promise<Deleted>((resolve) => {
      onPlaced = (keys) => resolve(clear.deleted(keys));
    });
    this.#clears.add(deleted);
    void deleted.then(() => this.#clears.delete(deleted));
    const written = this.#writeClear(clear, options, onPlaced);
    written.catch(() => onPlaced([])); // where it got no place; the caller has the rejection
    return written;
  }

  async #writeClear(
    clear: LimitedClear,
    options: WriteOptions | undefined,
    onPlaced: (keys: readonly Uint8Array[]) => void,
  ): Promise<WriteResult> {
    const { applied, wal, config } = this.#engine;
    const found = await clear.readKeys();
    this.#engine.assertWritable();
    const indexes = this.#usedIndexes;
    if (indexes?.touches({ type: "batch", operations: found.keys.map(deletion) }) === true)
      return this.#clearRows(indexes, found, options, onPlaced);
    const keys = clear.withoutLater(found.keys, applied, wal);
    const payloads = deletesOf(keys, config.wal.maxRecordBytes);
    const before = wal.nextLsn;
    const writes = payloads.map((payload) => this.#write(options, () => payload));
    // From here on it stands in the log's queue: clears behind it need not wait for the disk.
    if (wal.nextLsn > before) onPlaced(found.keys);
    const results = await Promise.all(writes);
    onPlaced(found.keys); // where it had to wait for its place
    return resultOf(results) as WriteResult; // there is one at least
  }

  async #clearRows(
    indexes: Indexes,
    found: FoundKeys,
    options: WriteOptions | undefined,
    onPlaced: (keys: readonly Uint8Array[]) => void,
  ): Promise<WriteResult> {
    const { turns, flushes } = this.#engine;
    const { durability } = this.#input.options(options, WRITE_OPTIONS);
    const assertRoom = () => flushes?.assertRoom();
    const rows = new ClearRows({ head: this.#head, indexes, turns, assertRoom }, durability);
    try {
      const results = await rows.run(found);
      return resultOf(results) ?? (await this.#write(options, () => ({ type: "noop" })));
    } finally {
      onPlaced(rows.placed);
    }
  }
}

/** Of several records as of one: the sequence of the first operation, and where the last one stands. */
function resultOf(results: readonly WriteResult[]): WriteResult | undefined {
  const [first, last] = [results[0], results.at(-1)];
  return first && last && { ...last, sequence: first.sequence };
}

/** One record, also where it deletes nothing. */
function clearing(ranges: readonly RangeDelete[]): WalPayload {
  const [first = { type: "noop" as const }] = ranges;
  return ranges.length > 1 ? { type: "batch", operations: ranges } : first;
}

function deletion(key: Uint8Array): WalOperation {
  return { type: "delete", key };
}

function isNothing(payload: WalPayload): boolean {
  return payload.type === "batch" && payload.operations.length === 0;
}
