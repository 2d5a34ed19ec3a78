import { entryKey, entryValue } from "./data.js";
import type { Entry, Store } from "./system.js";

const BATCH_ENTRIES = 1000;

/** Entries `from` (included) to `to` (not included), in batches of 1,000. */
export async function load(store: Store, from: number, to: number): Promise<void> {
  for (let start = from; start < to; start += BATCH_ENTRIES) {
    await store.batch(entriesOf(start, Math.min(start + BATCH_ENTRIES, to)));
  }
}

export function entriesOf(from: number, to: number, makeValue = entryValue): Entry[] {
  return Array.from({ length: to - from }, (_, i) => ({
    key: entryKey(from + i),
    value: makeValue(from + i),
  }));
}
