import type { SequenceNumber } from "@kaya/core";
import { PUT } from "@kaya/lsm";
import type { Memtable } from "../memtable/memtable.js";

/** What the newest operation on a key left: its sequence, or undefined where it deleted the key. */
export interface KeyState {
  readonly sequence: SequenceNumber | undefined;
}

/** A value that needs no read of the disk, or a promise of it. */
export type Value = Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** What one memtable says of a key; undefined where it says nothing. */
export function stateIn(memtable: Pick<Memtable, "stateOf">, key: Uint8Array): KeyState | undefined {
  const state = memtable.stateOf(key);
  return state && { sequence: state.kind === PUT ? state.sequence : undefined };
}
