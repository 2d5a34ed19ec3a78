import { KayaError } from "@kaya/core";
import { compareBytes } from "../../src/bytes.js";
import type { EntryCursor, EntryKind } from "../../src/entry.js";

export interface ArrayEntry {
  readonly key: Uint8Array;
  readonly kind: EntryKind;
  readonly sequence: number;
  readonly value: Uint8Array;
  readonly expiresAt?: number;
}

/**
 * A cursor over an array. What it lends is overwritten at the next move, and some of its moves give promises: whoever keeps a key,
 * or expects an answer at once, is found out.
 */
export class ArrayCursor implements EntryCursor {
  readonly #entries: readonly ArrayEntry[];
  readonly #isSlow: () => boolean;
  #index = -1;
  #lent: ArrayEntry | undefined;
  moves = 0;
  isClosed = false;

  constructor(entries: readonly ArrayEntry[], isSlow: () => boolean = () => false) {
    this.#entries = entries;
    this.#isSlow = isSlow;
  }

  get key() {
    return this.#at.key;
  }
  get kind() {
    return this.#at.kind;
  }
  get sequence() {
    return this.#at.sequence;
  }
  get expiresAt() {
    return this.#at.expiresAt ?? 0;
  }
  get value() {
    return this.#at.value;
  }

  seekFirst() {
    return this.#to(0);
  }
  seekLast() {
    return this.#to(this.#entries.length - 1);
  }
  seek(key: Uint8Array) {
    const index = this.#entries.findIndex((entry) => compareBytes(entry.key, key) >= 0);
    return this.#to(index === -1 ? this.#entries.length : index);
  }
  seekBefore(key: Uint8Array, inclusive: boolean) {
    return this.#to(
      this.#entries.findLastIndex((entry) => {
        const order = compareBytes(entry.key, key);
        return inclusive ? order <= 0 : order < 0;
      }),
    );
  }
  next() {
    this.#at;
    return this.#to(this.#index + 1);
  }
  previous() {
    this.#at;
    return this.#to(this.#index - 1);
  }
  close() {
    this.isClosed = true;
    this.#spoil();
  }

  get #at(): ArrayEntry {
    if (this.#lent === undefined) throw new KayaError("KAYA_INVARIANT_VIOLATION", "it stands on no entry");
    return this.#lent;
  }

  #to(index: number): boolean | Promise<boolean> {
    if (this.isClosed) throw new KayaError("KAYA_CLOSED", "it is closed");
    this.moves++;
    this.#spoil();
    this.#index = index;
    const entry = this.#entries[index];
    this.#lent = entry && { ...entry, key: entry.key.slice(), value: entry.value.slice() };
    const found = entry !== undefined;
    return this.#isSlow() ? Promise.resolve(found) : found;
  }

  #spoil() {
    this.#lent?.key.fill(0xee);
    this.#lent?.value.fill(0xee);
    this.#lent = undefined;
  }
}
