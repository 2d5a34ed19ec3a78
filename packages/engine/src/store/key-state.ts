import type { SequenceNumber } from "@kaya/core";
import { EXPIRING, type Found, PUT } from "@kaya/lsm";
import type { Now } from "../clock.js";
import type { Memtable } from "../memtable/memtable.js";

/** What the newest operation on a key left. It knows no time: `aliveAt` does. */
export interface KeyState {
  /** Undefined where it deleted the key. */
  readonly sequence: SequenceNumber | undefined;
  /** When the key loses its value, in milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined;
}

/** A value that needs no read of the disk, or a promise of it. */
export type Value = Uint8Array | undefined | Promise<Uint8Array | undefined>;

export const ABSENT: KeyState = { sequence: undefined, expiresAt: undefined };

/** What one memtable says of a key; undefined where it says nothing. */
export function stateIn(memtable: Pick<Memtable, "stateOf">, key: Uint8Array): KeyState | undefined {
  const state = memtable.stateOf(key);
  if (state === undefined) return undefined;
  const { kind, sequence, expiresAt } = state;
  return kind === PUT || kind === EXPIRING ? { sequence, expiresAt } : ABSENT;
}

/** What the tables say of a key. */
export function stateOfFound(found: Found | undefined): KeyState {
  if (found === undefined) return ABSENT;
  return { sequence: found.sequence, expiresAt: found.kind === EXPIRING ? found.expiresAt : undefined };
}

/** The same as of now: a key that has expired is absent. The clock is read only where the key expires. */
export function aliveAt(state: KeyState, now: Now): KeyState {
  return state.expiresAt === undefined || state.expiresAt > now() ? state : ABSENT;
}

/** The value of what the tables have of a key, as of now. */
export function valueAt(found: Found | undefined, now: Now): Uint8Array | undefined {
  if (found === undefined) return undefined;
  return found.kind === EXPIRING && found.expiresAt <= now() ? undefined : found.value;
}
