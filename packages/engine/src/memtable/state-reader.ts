import type { SequenceNumber } from "@kaya/core";
import { type EntryKind, EXPIRING, PUT, TOMBSTONE, ValueCopier } from "@kaya/lsm";
import type { Now } from "../clock.js";
import { type Address, type Arena, NO_ADDRESS } from "./arena.js";
import type { PieceList } from "./range-tombstones.js";
import { copyValue, expiresAtOf, kindOf, sequenceOf } from "./record.js";

/** What the newest operation on a key did. */
export interface KeyState {
  readonly kind: EntryKind;
  readonly sequence: SequenceNumber;
  /** Of the kind EXPIRING: in milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/** What a record, or that there is none, and the range tombstones say of a key together. */
export class StateReader {
  readonly #records: Arena;
  readonly #copier = new ValueCopier();

  constructor(records: Arena) {
    this.#records = records;
  }

  /** As `Memtable.get`. @param address of the key's record, or `NO_ADDRESS` */
  get(address: Address, key: Uint8Array, pieces: PieceList, now: Now): Uint8Array | null | undefined {
    if (address === NO_ADDRESS)
      return pieces.isEmpty || pieces.covering(key) === undefined ? undefined : null;
    if (kindOf(this.#records, address) !== PUT && !this.#isAlive(address, now)) return null;
    return this.#isHidden(address, key, pieces) ? null : copyValue(this.#records, address, this.#copier);
  }

  /** As `Memtable.stateOf`. */
  stateOf(address: Address, key: Uint8Array, pieces: PieceList): KeyState | undefined {
    if (address !== NO_ADDRESS && !this.#isHidden(address, key, pieces)) {
      const kind = kindOf(this.#records, address);
      const expiresAt = kind === EXPIRING ? expiresAtOf(this.#records, address) : undefined;
      return { kind, sequence: sequenceOf(this.#records, address), expiresAt };
    }
    const piece = pieces.covering(key);
    return piece && { kind: TOMBSTONE, sequence: piece.sequence, expiresAt: undefined };
  }

  /** Of a record that is no PUT. */
  #isAlive(address: Address, now: Now): boolean {
    return kindOf(this.#records, address) === EXPIRING && expiresAtOf(this.#records, address) > now();
  }

  #isHidden(address: Address, key: Uint8Array, pieces: PieceList): boolean {
    if (pieces.isEmpty) return false;
    const sequence = sequenceOf(this.#records, address);
    if (sequence > pieces.newest) return false;
    const piece = pieces.covering(key);
    return piece !== undefined && piece.sequence > sequence;
  }
}
