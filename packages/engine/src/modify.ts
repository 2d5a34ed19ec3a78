import type { DurabilityMode, KayaError } from "@kaya/core";
import type { Found } from "@kaya/lsm";
import type { PendingChange, WalOperation, WalPayload, WalWriter } from "@kaya/wal";
import type { AppliedLog } from "./apply.js";
import { type Now, once } from "./clock.js";
import { findConflict, type OnDisk, readOnDisk, stateAfter } from "./conditions.js";
import { type Entry, entryInMemory, entryInTable } from "./entry.js";
import { invalid } from "./input.js";
import { aliveAt } from "./store/key-state.js";
import type { WriteResult } from "./write.js";

/** A key as the next record of the log finds it: as the last write that is queued ahead leaves it, else as it is applied. */
export interface HeadEntry extends Entry {
  /** The write under way that the entry is of; undefined where it is applied. */
  readonly ahead: PendingChange | undefined;
}

/** What is read and written at the head. */
export interface HeadEngine {
  readonly applied: AppliedLog;
  readonly wal: WalWriter<WriteResult>;
  /** @throws KayaError KAYA_CLOSED, KAYA_READ_ONLY */
  assertWritable(): void;
  /** Writes a payload; one without operations makes what was written before as durable as it asks for. */
  append(payload: WalPayload, durability: DurabilityMode): Promise<WriteResult>;
}

/** Writes no record. */
export const NOTHING: WalPayload = { type: "batch", operations: [] };

/**
 * Calls once with the newest entries of keys; what it appends before its first `await` is behind just these. What only tables have is read
 * before that turn, and again where they cover more of the log by then. What is ahead need not be durable: if it fails, all that is queued behind
 * it is taken back with it (W3).
 *
 * Rejects as the tables, and with KAYA_WRITER_FAILED where nothing can be written.
 * @param use `isUntouched` tells whether none of the keys was changed since
 */
export async function atHead<T>(
  engine: HeadEngine,
  keys: readonly Uint8Array[],
  use: (head: readonly HeadEntry[], isUntouched: () => boolean) => T | Promise<T>,
): Promise<T> {
  const { applied, wal } = engine;
  const keyed = keys.map((key) => ({ key }));
  for (;;) {
    engine.assertWritable();
    if (wal.failure !== undefined) await engine.append({ type: "noop" }, "strict"); // rejects
    const reading = readOnDisk(keyed, applied, wal);
    let onDisk: OnDisk;
    if (reading instanceof Promise) {
      onDisk = await reading;
      engine.assertWritable();
      if (wal.failure !== undefined || onDisk.covered !== applied.store.tables.covered.lsn) continue;
    } else onDisk = reading;
    // One moment for all of it: nothing expires in between.
    const now = once(applied.store.now);
    const head = keys.map((key, index) => headEntry(key, onDisk.found[index], applied, wal, now));
    const before = wal.nextLsn;
    return use(
      head,
      () => wal.nextLsn === before || findConflict(head, applied, wal, onDisk, now) === undefined,
    );
  }
}

function headEntry(
  key: Uint8Array,
  found: Found | undefined,
  { store }: AppliedLog,
  wal: Pick<WalWriter<unknown>, "pendingChange">,
  now: Now,
): HeadEntry {
  const inStore = () => entryInMemory(store, key, now) ?? entryInTable({ now }, key, found);
  return pendingEntry(key, wal, now) ?? { ...inStore(), ahead: undefined };
}

/** As the last write to a key that is under way leaves it; undefined where none is. */
export function pendingEntry(
  key: Uint8Array,
  wal: Pick<WalWriter<unknown>, "pendingChange">,
  now: Now,
): HeadEntry | undefined {
  const ahead = wal.pendingChange(key);
  if (ahead === undefined) return undefined;
  const { sequence, expiresAt } = aliveAt(stateAfter(ahead), now);
  if (sequence === undefined) return { key, value: undefined, sequence, ahead };
  const operation = ahead.operation() as Extract<WalOperation, { type: "put" }>;
  const value = new Uint8Array(operation.value);
  // Without a spread, which takes as long as all the rest.
  return expiresAt === undefined
    ? { key, value, sequence, ahead }
    : { key, value, sequence, expiresAt, ahead };
}

/** Once all that entries are of is applied. Rejects as a write that is taken back. */
export async function settledOf(head: readonly HeadEntry[]): Promise<void> {
  for (const { ahead } of head) await ahead?.settled();
}

/** What was thrown because of entries counts once they cannot be taken back any more. */
export async function rejectOnceSettled(head: readonly HeadEntry[], error: unknown): Promise<never> {
  await settledOf(head);
  throw error;
}

export function wroteItself(): KayaError {
  return invalid(
    "nothing was written: the function wrote to a key that it was given, so what it gave is of an older value. " +
      "It must give what is to be written, and write nothing itself",
  );
}
