import { KayaError } from "@kaya/core";
import { EncodedOperations, operationsOf, type WalOperation, type WalPayload } from "@kaya/wal";
import type { Memtable } from "./memtable/memtable.js";

/** An entry takes less than this beside its key and value. */
const ENTRY_BYTES = 80;

/** Of what is logged a chunk of memory holds at least so much: small entries take up to three times what they take in the log. */
const CHUNK_LOG_BYTES = 60_000;
/** Chunks that no write takes: entries are moved there to make room, and replaced ones stand there until they are freed. */
const RESERVED_CHUNKS = 16;

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
    const most = mostGrowth(payload);
    const left = this.#limit - this.#memtable.usedBytes - pendingBytes;
    const chunksLeft =
      this.#memtable.chunksLeft - RESERVED_CHUNKS - Math.ceil(pendingBytes / CHUNK_LOG_BYTES);
    const isShort = most > left;
    const isOutOfChunks = Math.ceil(most / CHUNK_LOG_BYTES) > chunksLeft;
    if (!isShort && !isOutOfChunks) return;
    const { growth, chunks } = this.#need(operationsOf(payload));
    if (growth <= 0) return;
    if (growth > left) throw this.#overLimit(growth, left);
    if (isOutOfChunks && chunks > chunksLeft) throw outOfChunks();
  }

  /** What replaces something no smaller takes the place of that. */
  #need(operations: Iterable<WalOperation>): { growth: number; chunks: number } {
    let growth = 0;
    let alone = 0;
    let together = 0;
    for (const operation of operations) {
      const more = this.#growthBy(operation);
      growth += more;
      if (more <= 0 || operation.type !== "put") continue;
      if (this.#memtable.standsAlone(operation.key.length, operation.value.length)) alone++;
      else together += more;
    }
    return { growth, chunks: alone + Math.ceil(together / CHUNK_LOG_BYTES) };
  }

  #overLimit(growth: number, left: number): KayaError {
    return new KayaError(
      "KAYA_MEMORY_LIMIT",
      `the write takes ${growth} bytes of memory, and ${Math.max(left, 0)} of memoryLimitBytes (${this.#limit}) are left. ` +
        "Nothing was logged: delete something, close snapshots, or raise the limit.",
    );
  }

  #growthBy(operation: WalOperation): number {
    if (operation.type === "deleteRange") return 0;
    return this.#memtable.growthBy(
      operation.key,
      operation.type === "put" ? operation.value.length : undefined,
    );
  }
}

function outOfChunks(): KayaError {
  return new KayaError(
    "KAYA_MEMORY_LIMIT",
    "the write needs more chunks of memory than are left: there are 131,071, each entry over 64 KiB takes one, and smaller ones share them. " +
      "Nothing was logged: delete something, close snapshots, or store large values in pieces of up to 60 KiB.",
  );
}

/** Without a look at what is there: almost always this is little enough. */
function mostGrowth(payload: WalPayload): number {
  if (payload.type === "put") return ENTRY_BYTES + payload.key.length + payload.value.length;
  if (payload.type !== "batch") return 0;
  const { operations } = payload;
  if (operations instanceof EncodedOperations)
    return ENTRY_BYTES * operations.length + operations.bytes.length;
  let sum = 0;
  for (const operation of operations) sum += mostGrowth(operation);
  return sum;
}
