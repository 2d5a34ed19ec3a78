import { type EntryCursor, EXPIRING, type ValueCopier } from "@kaya/lsm";

/** A key with its value. The bytes are copies: change them as you like. */
export interface KeyValue {
  /** The key's bytes. */
  readonly key: Uint8Array;
  /** The value's bytes. */
  readonly value: Uint8Array;
  /** When the key loses the value by itself, in milliseconds since 1970; not there where it does not. */
  readonly expiresAt?: number;
}

/** What a reading gives of each entry. */
export interface RowKind<T> {
  /** A copy of what the cursor lends. */
  read(cursor: EntryCursor, copier: ValueCopier): T;
  /** About what the row of an entry takes in memory. */
  bytes(cursor: EntryCursor): number;
}

export const ENTRIES: RowKind<KeyValue> = {
  read: (cursor, copier) => {
    const entry = copier.entry(cursor.key, cursor.value);
    return cursor.kind === EXPIRING ? { ...entry, expiresAt: cursor.expiresAt } : entry;
  },
  bytes: ({ key, value }) => key.length + value.length,
};

export const PAIRS: RowKind<[key: Uint8Array, value: Uint8Array]> = {
  read: (cursor, copier) => {
    const { key, value } = copier.entry(cursor.key, cursor.value);
    return [key, value];
  },
  bytes: ({ key, value }) => key.length + value.length,
};

/** Values are not copied. */
export const KEYS: RowKind<Uint8Array> = {
  read: ({ key }, copier) => copier.copy(key, 0, key.length),
  bytes: ({ key }) => key.length,
};

/** Keys are not copied. */
export const VALUES: RowKind<Uint8Array> = {
  read: ({ value }, copier) => copier.copy(value, 0, value.length),
  bytes: ({ value }) => value.length,
};
