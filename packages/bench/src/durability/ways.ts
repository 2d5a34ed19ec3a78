import type { Store } from "../system.js";
import { CoalescedStore } from "../systems/coalesced.js";

export type Way = "put" | "putSync" | "batch" | "coalesced" | "transact" | "update";
type Write = (key: Uint8Array, value: Uint8Array) => unknown;

/** The ways in which durable rows write an entry to this store. */
export function waysOf(store: Store): Partial<Record<Way, Write>> {
  const coalesced = new CoalescedStore(store);
  return {
    put: (key, value) => store.put(key, value),
    ...(store.putSync && { putSync: store.putSync.bind(store) }),
    batch: (key, value) => store.batch([{ key, value }]),
    coalesced: (key, value) => coalesced.put(key, value),
    ...(store.transact && { transact: (key, value) => store.transact?.([key], () => value) }),
    ...(store.update && { update: (key, value) => store.update?.(key, () => value) }),
  };
}
