import { invariant, KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import {
  EncodedOperations,
  operationCount,
  operationsOf,
  type WalOperation,
  type WalRecord,
} from "@kaya/wal";
import type { Now } from "./clock.js";
import type { Memtable } from "./memtable/memtable.js";
import type { ReadView } from "./read-source.js";
import { Store } from "./store/store.js";
import type { StoreSnapshot } from "./store/store-snapshot.js";
import { SYSTEM_TURNS, type Turns, TurnTaker } from "./turns.js";

const LOG_START: LogPosition = { lsn: 0, sequence: 0 };

/** They hear of each operation that is applied, and then that readers see what they heard of. */
export interface AppliedWatches {
  note(operation: WalOperation, sequence: SequenceNumber): void;
  publish(): void;
}

/** A memtable that takes no more writes. */
export interface SealedMemtable {
  readonly memtable: Memtable;
  /** The last record that is in it, or in what is older. */
  readonly position: LogPosition;
}

/**
 * What the log says, as far as it was applied. A large batch is applied in slices, so that the event loop goes on in between; until the last
 * of them is in, readers see the data as it was before.
 */
export class AppliedLog {
  /** All that was applied, of a batch that is under way too: readers take `view`. */
  readonly store: Store;
  readonly #turns: Turns;
  readonly #replayed: TurnTaker;
  #lsn: Lsn;
  #sequence: SequenceNumber;
  /** The data before a large batch that is being applied. */
  #before: StoreSnapshot | undefined;
  #batch: Promise<void> | undefined;
  /** Readers have nothing whole to look at. */
  #failure: unknown;
  /** Readers have what was there before it. */
  #halfApplied: unknown;
  /** Those who are told of what is applied; undefined where there are none. */
  watches: AppliedWatches | undefined;
  /** Called after each record that was committed. */
  onCommitted: () => void = () => {};

  /** @param start what the store shows without any record: what the tables cover */
  constructor(store = new Store(), start: LogPosition = LOG_START, turns: Turns = SYSTEM_TURNS) {
    this.store = store;
    this.#turns = turns;
    this.#replayed = new TurnTaker(turns);
    this.#lsn = start.lsn;
    this.#sequence = start.sequence;
  }

  /** The last record that readers see, and its last operation. */
  get position(): LogPosition {
    return { lsn: this.#lsn, sequence: this.#sequence };
  }

  /** A large batch that is being applied; readers see none of it. */
  get underWay(): Promise<void> | undefined {
    return this.#batch;
  }

  /** For one read in this turn. @throws KayaError KAYA_WRITER_FAILED where a write could not be applied whole */
  get view(): ReadView {
    if (this.#failure !== undefined) throw notWhole(this.#failure);
    return this.#before ?? this.store;
  }

  /** The data as readers see it now, at the time that it is now. @throws KayaError KAYA_WRITER_FAILED as `view` */
  snapshot(): StoreSnapshot {
    if (this.#failure !== undefined) throw notWhole(this.#failure);
    const time = this.store.now();
    const now: Now = () => time;
    return this.#before === undefined ? this.store.snapshot(now) : this.#before.another(now);
  }

  /** For a record that was just committed, in LSN order. The next one comes once the promise, where there is one, has resolved. */
  commit(record: WalRecord): Promise<void> | undefined {
    const { payload } = record;
    if (payload.type === "batch" && payload.operations.length > this.#turns.operations) {
      this.#batch = this.#commitInSlices(record);
      return this.#batch;
    }
    this.commitNow(record);
    return undefined;
  }

  /** The same in this turn, whatever the size. Only where none is being committed in slices. */
  commitNow(record: WalRecord): void {
    try {
      this.#applyAll(record);
    } catch (error) {
      // Half of it may be there, which nobody is to see; the log has all of it.
      this.#failure = error;
      throw error;
    }
    this.watches?.publish();
    this.onCommitted();
  }

  /** For a record that is replayed, before anybody reads. Many small ones take their turns as a large one does. */
  replay(record: WalRecord): Promise<void> | undefined {
    const { payload } = record;
    if (payload.type === "batch" && payload.operations.length > this.#turns.operations)
      return this.#applyInSlices(record);
    this.#applyAll(record);
    return this.#replayed.after(operationCount(payload));
  }

  /**
   * Seals the memtable between two records: it ends with a whole one.
   * @throws KayaError KAYA_WRITER_FAILED where a write could not be applied whole: half of it would be flushed
   */
  async seal(): Promise<SealedMemtable> {
    // A failure of the batch is the writer's to tell; `sealNow` knows of it.
    while (this.#batch !== undefined) await this.#batch.catch(() => undefined);
    return this.sealNow();
  }

  /** `seal` where no large batch is being applied: during recovery. */
  sealNow(): SealedMemtable {
    const failure = this.#failure ?? this.#halfApplied;
    if (failure !== undefined) throw notWhole(failure);
    invariant(this.#batch === undefined, "M3", "a memtable is sealed between two records");
    return { memtable: this.store.seal(), position: this.position };
  }

  async #commitInSlices(record: WalRecord): Promise<void> {
    const before = this.store.snapshot(this.store.now); // what it has goes on to expire
    this.#before = before;
    try {
      await this.#applyInSlices(record);
    } catch (error) {
      // `#before` stays: readers never see the slices that are there.
      this.#halfApplied = error;
      throw error;
    } finally {
      this.#batch = undefined;
    }
    before.release();
    this.#before = undefined;
    this.watches?.publish();
    this.onCommitted();
  }

  async #applyInSlices(record: WalRecord): Promise<void> {
    const slices = slicesOf(operationsOf(record.payload), this.#turns.operations);
    let next = record.sequence;
    const apply = (operation: WalOperation) => this.#apply(operation, next++);
    while (slices.next(apply)) await this.#turns.next();
    this.#advanceTo(record);
  }

  #applyAll(record: WalRecord): void {
    let next = record.sequence;
    const operations = operationsOf(record.payload);
    if (operations instanceof EncodedOperations) {
      const apply = (operation: WalOperation) => this.#apply(operation, next++);
      for (let at = 0; !operations.isEnd(at); ) at = operations.visit(at, operations.length, apply);
    } else for (const operation of operations) this.#apply(operation, next++);
    this.#advanceTo(record);
  }

  #apply(operation: WalOperation, sequence: SequenceNumber): void {
    this.watches?.note(operation, sequence);
    const memtable = this.store.active;
    switch (operation.type) {
      case "put":
        memtable.put(
          operation.key,
          operation.value,
          sequence,
          operation.ownsValue === true,
          operation.expiresAt,
        );
        break;
      case "delete":
        memtable.delete(operation.key, sequence);
        break;
      case "deleteRange":
        memtable.deleteRange(operation.start, operation.end, sequence);
    }
  }

  #advanceTo({ lsn, sequence, payload }: WalRecord): void {
    this.#lsn = lsn;
    this.#sequence = sequence + operationCount(payload) - 1;
  }
}

interface Slices {
  /** Visits the operations of the next slice. False where it was the last. */
  next(visit: (operation: WalOperation) => void): boolean;
}

function slicesOf(operations: Iterable<WalOperation>, count: number): Slices {
  if (operations instanceof EncodedOperations) {
    let at = 0;
    return {
      next: (visit) => {
        at = operations.visit(at, count, visit);
        return !operations.isEnd(at);
      },
    };
  }
  const rest = operations[Symbol.iterator]();
  return {
    next: (visit) => {
      for (let left = count; left > 0; left--) {
        const { done, value } = rest.next();
        if (done === true) return false;
        visit(value);
      }
      return true;
    },
  };
}

function notWhole(cause: unknown): KayaError {
  return new KayaError(
    "KAYA_WRITER_FAILED",
    "a write could not be applied to what is in memory, where half of it may be: open the engine again, the log has all of it",
    { cause },
  );
}
