import type { LogPosition, Lsn, SequenceNumber } from "@kaya/core";
import { operationCount, type WalOperation, type WalRecord } from "@kaya/wal";
import { Memtable } from "./memtable/memtable.js";

const LOG_START: LogPosition = { lsn: 0, sequence: 0 };

/** What the log says, as far as it was applied. */
export class AppliedLog {
  readonly memtable: Memtable;
  #lsn: Lsn;
  #sequence: SequenceNumber;

  /** @param start what the memtable shows without any record: a checkpoint's position */
  constructor(memtable = new Memtable(), start: LogPosition = LOG_START) {
    this.memtable = memtable;
    this.#lsn = start.lsn;
    this.#sequence = start.sequence;
  }

  /** The last record that the memtable shows, and its last operation. */
  get position(): LogPosition {
    return { lsn: this.#lsn, sequence: this.#sequence };
  }

  /** For a record that was just committed and for one that is replayed, in LSN order. */
  apply(record: WalRecord): void {
    applyRecord(this.memtable, record);
    this.#lsn = record.lsn;
    this.#sequence = record.sequence + operationCount(record.payload) - 1;
  }
}

function applyRecord(memtable: Memtable, { sequence, payload }: WalRecord): void {
  switch (payload.type) {
    case "put":
      memtable.put(payload.key, payload.value, sequence);
      return;
    case "delete":
      memtable.delete(payload.key, sequence);
      return;
    case "noop":
      return;
    case "batch":
      applyOperations(memtable, payload.operations, sequence);
  }
}

function applyOperations(
  memtable: Memtable,
  operations: readonly WalOperation[],
  sequence: SequenceNumber,
): void {
  let next = sequence;
  for (const operation of operations) {
    if (operation.type === "put") memtable.put(operation.key, operation.value, next);
    else memtable.delete(operation.key, next);
    next++;
  }
}
