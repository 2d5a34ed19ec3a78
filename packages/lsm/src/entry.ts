import type { SequenceNumber } from "@kaya/core";

/** The entry gives its key a value. */
export const PUT = 0 as const;

/** The entry says that its key was deleted. */
export const TOMBSTONE = 1 as const;

/** The entry gives its key a value until a time, and hides what is older. From that time on it says that its key has no value. */
export const EXPIRING = 2 as const;

/** What an entry does to its key. */
export type EntryKind = typeof PUT | typeof TOMBSTONE | typeof EXPIRING;

/**
 * Deletes every key from `start` up to, but without, `end`. Keys order bytewise. Without an `end` it reaches beyond the last
 * key. It hides entries with a lower sequence only.
 */
export interface RangeTombstone {
  /** The first key that is deleted, if it is there. */
  readonly start: Uint8Array;
  /** The first key behind the range; undefined: no upper bound. */
  readonly end: Uint8Array | undefined;
  /** The sequence of the deletion: it hides only entries with a lower one. */
  readonly sequence: SequenceNumber;
}

/**
 * What a look-up finds. The value is the caller's own copy; it is empty for a tombstone. An entry that expires is found before and after its
 * time: compare `expiresAt` with your clock.
 */
export interface Found {
  /** What the entry does to its key. */
  readonly kind: EntryKind;
  /** The sequence of the write that made the entry. */
  readonly sequence: SequenceNumber;
  /** When an `EXPIRING` entry expires: milliseconds since 1970, from 1 to 2^53 - 1. For other entries 0. */
  readonly expiresAt: number;
  /** The value; empty for a tombstone. */
  readonly value: Uint8Array;
}

/**
 * A place among sorted entries. It begins before the first one: seek before the first move.
 *
 * `key` and `value` are lent: they are valid until the next move or `close`, and must not be changed. Where the cursor stands on
 * no entry, the five getters throw KAYA_INVARIANT_VIOLATION.
 *
 * Each move gives true where the cursor then stands on an entry, and false where there is none. It gives a promise only where a
 * block must be read from the disk. One move at a time: await a promise before the next call. A move rejects or throws
 * KAYA_CORRUPTION for damage, KAYA_IO where reading fails, and KAYA_CLOSED after `close`; the cursor then stands on no entry.
 */
export interface EntryCursor {
  /** The key of the entry; valid until the next move. */
  readonly key: Uint8Array;
  /** What the entry does to its key. */
  readonly kind: EntryKind;
  /** The sequence of the write that made the entry. */
  readonly sequence: SequenceNumber;
  /** When an `EXPIRING` entry expires: milliseconds since 1970. For another entry any number. */
  readonly expiresAt: number;
  /** The value of the entry; valid until the next move. */
  readonly value: Uint8Array;

  /** Moves to the first entry; false if there is none. */
  seekFirst(): boolean | Promise<boolean>;
  /** Moves to the last entry; false if there is none. */
  seekLast(): boolean | Promise<boolean>;
  /** To the first entry whose key is `key` or greater. */
  seek(key: Uint8Array): boolean | Promise<boolean>;
  /** To the last entry whose key is less than `key`, or with `inclusive` the same as `key`. */
  seekBefore(key: Uint8Array, inclusive: boolean): boolean | Promise<boolean>;
  /** From the last entry it gives false, and stands on none until the next seek. */
  next(): boolean | Promise<boolean>;
  /** From the first entry it gives false, and stands on none until the next seek. */
  previous(): boolean | Promise<boolean>;
  /** Lets go of what it holds. Doing it again is fine. */
  close(): void;
}
