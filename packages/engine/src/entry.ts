import { copyBytes, type SequenceNumber } from "@kaya/core";
import type { Found } from "@kaya/lsm";
import { type Bytes, toBytes } from "./input.js";

/** A key, and what it has. It serves as the condition of a batch: that the key still is as it was read. */
export interface Entry {
  readonly key: Uint8Array;
  /** Undefined where the key is absent. */
  readonly value: Uint8Array | undefined;
  /** Of the write that made the value; undefined where the key is absent. */
  readonly sequence: SequenceNumber | undefined;
}

/** What entries are read from: the store, or a snapshot of it. */
export interface EntryView {
  stateInMemory(key: Uint8Array): { readonly sequence: SequenceNumber | undefined } | undefined;
  getSync(key: Uint8Array): Uint8Array | undefined;
  readonly tables: {
    find(key: Uint8Array): Found | undefined | Promise<Found | undefined>;
    getSync(key: Uint8Array): Found | undefined;
  };
}

/** @throws KayaError KAYA_INVALID_ARGUMENT */
export async function entryOf(view: EntryView, key: Bytes): Promise<Entry> {
  const bytes = copyOf(key);
  return entryInMemory(view, bytes) ?? entryInTable(bytes, await view.tables.find(bytes));
}

/** `entryOf` with synchronous reads. @throws KayaError KAYA_INVALID_ARGUMENT */
export function entryOfSync(view: EntryView, key: Bytes): Entry {
  const bytes = copyOf(key);
  return entryInMemory(view, bytes) ?? entryInTable(bytes, view.tables.getSync(bytes));
}

function copyOf(key: Bytes): Uint8Array {
  return copyBytes(toBytes(key, "key"), "a key");
}

/** What the memtables say of a key; undefined where they say nothing. */
export function entryInMemory(
  view: Pick<EntryView, "stateInMemory" | "getSync">,
  key: Uint8Array,
): Entry | undefined {
  const state = view.stateInMemory(key);
  if (state === undefined) return undefined;
  // A memtable has the key, so no table is read.
  return { key, value: view.getSync(key), sequence: state.sequence };
}

export function entryInTable(key: Uint8Array, found: Found | undefined): Entry {
  return { key, value: found?.value, sequence: found?.sequence };
}
