import { KayaError, type LogPosition, type Lsn, type SequenceNumber } from "@kaya/core";
import {
  EncodedOperations,
  operationCount,
  operationsOf,
  type RangeDelete,
  type WalOperation,
  type WalRecord,
} from "@kaya/wal";
import { Memtable } from "./memtable/memtable.js";
import type { MemtableSnapshot } from "./memtable/memtable-snapshot.js";
import { SYSTEM_TURNS, type Turns, TurnTaker } from "./turns.js";

const LOG_START: LogPosition = { lsn: 0, sequence: 0 };

/** What readers look at. */
export type ReadView = Pick<MemtableSnapshot, "get" | "has" | "sequenceOf">;

/** How much there is. */
export interface DataSize {
  readonly size: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
}

/** The data as it was before a large batch. */
interface Before {
  readonly snapshot: MemtableSnapshot;
  readonly size: DataSize;
}

/**
 * What the log says, as far as it was applied. A large batch is applied in slices, so that the event loop goes on in between; until the last
 * of them is in, readers see the data as it was before.
 */
export class AppliedLog {
  /** All that was applied, of a batch that is under way too: readers take `view`. */
  readonly memtable: Memtable;
  readonly #turns: Turns;
  readonly #replayed: TurnTaker;
  #lsn: Lsn;
  #sequence: SequenceNumber;
  #before: Before | undefined;
  #failure: unknown;

  /** @param start what the memtable shows without any record: a checkpoint's position */
  constructor(memtable = new Memtable(), start: LogPosition = LOG_START, turns: Turns = SYSTEM_TURNS) {
    this.memtable = memtable;
    this.#turns = turns;
    this.#replayed = new TurnTaker(turns);
    this.#lsn = start.lsn;
    this.#sequence = start.sequence;
  }

  /** The last record that readers see, and its last operation. */
  get position(): LogPosition {
    return { lsn: this.#lsn, sequence: this.#sequence };
  }

  /** For one read in this turn. @throws KayaError KAYA_WRITER_FAILED where a write could not be applied whole */
  get view(): ReadView {
    if (this.#failure !== undefined) throw notWhole(this.#failure);
    return this.#before === undefined ? this.memtable : this.#before.snapshot;
  }

  get size(): DataSize {
    return this.#before === undefined ? this.memtable : this.#before.size;
  }

  /** The data as readers see it now. @throws KayaError KAYA_WRITER_FAILED as `view` */
  snapshot(): MemtableSnapshot {
    if (this.#failure !== undefined) throw notWhole(this.#failure);
    return this.#before === undefined ? this.memtable.snapshot() : this.#before.snapshot.another();
  }

  /** For a record that was just committed, in LSN order. The next one comes once the promise, where there is one, has resolved. */
  commit(record: WalRecord): Promise<void> | undefined {
    const { payload } = record;
    if (payload.type === "batch" && payload.operations.length > this.#turns.operations)
      return this.#commitInSlices(record);
    try {
      this.#applyAll(record);
    } catch (error) {
      // Half of it may be there, which nobody is to see; the log has all of it.
      this.#failure = error;
      throw error;
    }
    return undefined;
  }

  /** For a record that is replayed, before anybody reads. Many small ones take their turns as a large one does. */
  replay(record: WalRecord): Promise<void> | undefined {
    const { payload } = record;
    if (payload.type === "batch" && payload.operations.length > this.#turns.operations)
      return this.#applyInSlices(record);
    this.#applyAll(record);
    return this.#replayed.after(operationCount(payload));
  }

  async #commitInSlices(record: WalRecord): Promise<void> {
    const { size, keyBytes, valueBytes } = this.memtable;
    // Where a slice fails it stays: readers never see the others.
    this.#before = { snapshot: this.memtable.snapshot(), size: { size, keyBytes, valueBytes } };
    await this.#applyInSlices(record);
    this.#before.snapshot.release();
    this.#before = undefined;
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
    for (const operation of operationsOf(record.payload)) this.#apply(operation, next++);
    this.#advanceTo(record);
  }

  #apply(operation: WalOperation, sequence: SequenceNumber): void {
    if (operation.type === "put") this.memtable.put(operation.key, operation.value, sequence);
    else if (operation.type === "delete") this.memtable.delete(operation.key, sequence);
    else this.#deleteRange(operation, sequence);
  }

  #deleteRange({ start, end }: RangeDelete, sequence: SequenceNumber): void {
    const snapshot = this.memtable.snapshot();
    const range = end === undefined ? { gte: start } : { gte: start, lt: end };
    const keys = snapshot.entries(range).readKeys(Number.POSITIVE_INFINITY);
    snapshot.release();
    this.memtable.deleteAll(keys, sequence);
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
