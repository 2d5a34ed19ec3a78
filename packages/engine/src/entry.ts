import { copyBytes, type SequenceNumber } from "@kaya/core";
import type { Found } from "@kaya/lsm";
import { type Now, once } from "./clock.js";
import { type Bytes, toBytes } from "./input.js";
import { aliveAt, type KeyState, stateOfFound } from "./store/key-state.js";

/** A key and what it has. It serves as a condition of a batch: the key is still as it was read. */
export interface Entry {
  /** The key's bytes. */
  readonly key: Uint8Array;
  /** The value; undefined if the key is absent. */
  readonly value: Uint8Array | undefined;
  /** The sequence of the write that made the value; undefined if the key is absent. */
  readonly sequence: SequenceNumber | undefined;
  /** When the value expires, in milliseconds since 1970. Absent if it does not. */
  readonly expiresAt?: number;
}

/** What entries are read from: the store, or a snapshot of it. */
export interface EntryView {
  /** The time that its readers see. */
  readonly now: Now;
  stateInMemory(key: Uint8Array): KeyState | undefined;
  getSync(key: Uint8Array, now?: Now): Uint8Array | undefined;
  readonly tables: {
    find(key: Uint8Array): Found | undefined | Promise<Found | undefined>;
    getSync(key: Uint8Array): Found | undefined;
  };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export async function entryOf(view: EntryView, key: Bytes): Promise<Entry> {
  const bytes = copyOf(key);
  return entryInMemory(view, bytes) ?? entryInTable(view, bytes, await view.tables.find(bytes));
}

/** `entryOf` with synchronous reads. @throws KayaError KAYA_INVALID_ARGUMENT */
export function entryOfSync(view: EntryView, key: Bytes): Entry {
  const bytes = copyOf(key);
  return entryInMemory(view, bytes) ?? entryInTable(view, bytes, view.tables.getSync(bytes));
}

function copyOf(key: Bytes): Uint8Array {
  return copyBytes(toBytes(key, "key"), "a key");
}

/** What the memtables say of a key; undefined where they say nothing. */
export function entryInMemory(
  view: Pick<EntryView, "now" | "stateInMemory" | "getSync">,
  key: Uint8Array,
  now = once(view.now),
): Entry | undefined {
  const inMemory = view.stateInMemory(key);
  if (inMemory === undefined) return undefined;
  const state = aliveAt(inMemory, now);
  // A memtable has the key, so no table is read.
  return entryWith(key, state, state.sequence === undefined ? undefined : view.getSync(key, now));
}

/** What the tables say of a key that no memtable has. */
export function entryInTable(
  { now }: Pick<EntryView, "now">,
  key: Uint8Array,
  found: Found | undefined,
): Entry {
  const state = aliveAt(stateOfFound(found), now);
  return entryWith(key, state, state.sequence === undefined ? undefined : found?.value);
}

/** What a key has; without a value it is absent. */
export function entryWith(
  key: Uint8Array,
  { sequence, expiresAt }: KeyState,
  value: Uint8Array | undefined,
): Entry {
  if (value === undefined) return { key, value, sequence: undefined };
  return { key, value, sequence, ...(expiresAt !== undefined && { expiresAt }) };
}
