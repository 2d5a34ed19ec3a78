import { KayaError } from "@kaya/core";
import { operationsOf, type WalOperation, type WalPayload } from "@kaya/wal";
import type { Memtable } from "./memtable/memtable.js";

/** An entry takes less than this beside its key and value. */
const ENTRY_BYTES = 80;

/** Refuses what there is no room for in memory, before it is logged. What makes no more of it, or less, goes on. */
export class MemoryBound {
  readonly #limit: number;
  readonly #memtable: Memtable;

  constructor(limit: number, memtable: Memtable) {
    this.#limit = limit;
    this.#memtable = memtable;
  }

  /**
   * @param pendingBytes on their way to the memtable, counted as if all of them were new there
   * @throws KayaError KAYA_MEMORY_LIMIT
   */
  check(payload: WalPayload, pendingBytes: number): void {
    const left = this.#limit - this.#memtable.usedBytes - pendingBytes;
    if (mostGrowth(payload) <= left) return;
    const growth = operationsOf(payload).reduce((sum, operation) => sum + this.#growthBy(operation), 0);
    if (growth <= 0 || growth <= left) return;
    throw new KayaError(
      "KAYA_MEMORY_LIMIT",
      `the write takes ${growth} bytes of memory, and ${Math.max(left, 0)} of memoryLimitBytes (${this.#limit}) are left. ` +
        "Nothing was logged: delete something, close snapshots, or raise the limit.",
    );
  }

  #growthBy(operation: WalOperation): number {
    return this.#memtable.growthBy(
      operation.key,
      operation.type === "put" ? operation.value.length : undefined,
    );
  }
}

/** Without a look at what is there: almost always this is little enough. */
function mostGrowth(payload: WalPayload): number {
  if (payload.type === "put") return ENTRY_BYTES + payload.key.length + payload.value.length;
  if (payload.type !== "batch") return 0;
  let sum = 0;
  for (const operation of payload.operations) sum += mostGrowth(operation);
  return sum;
}
