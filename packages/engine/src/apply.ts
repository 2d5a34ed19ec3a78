import type { SequenceNumber } from "@kaya/core";
import type { WalOperation, WalRecord } from "@kaya/wal";
import type { Memtable } from "./memtable/memtable.js";

/** What a record does to the memtable: the same for a record that was just committed and for one that is replayed. */
export function applyRecord(memtable: Memtable, { sequence, payload }: WalRecord): void {
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
