import { describe } from "@kaya/core";
import type { WalOperation } from "@kaya/wal";
import { invalid } from "../input.js";
import { isSameBytes, nameOfBytes } from "../memtable/bytes.js";
import { entryKey } from "./entry-key.js";

/** What keeping the entries of an index needs of it. */
export interface KeptIndex {
  readonly id: number;
  readonly name: string;
  readonly unique: boolean;
  /** Rows may be there that have no entries yet. */
  readonly isBuilding: boolean;
}

/** One row in one index: what its entries were made of, and what they are made of now. */
export interface EntryChange {
  readonly index: KeptIndex;
  /** Of the row, without the view's prefix. */
  readonly rowKey: Uint8Array;
  /** Index keys of the row as it was, each once. */
  readonly before: readonly Uint8Array[];
  readonly after: readonly Uint8Array[];
  /** When the row as it was expires, and the row as it is to be. */
  readonly expiredAt: number | undefined;
  readonly expiresAt: number | undefined;
}

/** Two rows want one key of a unique index. */
export interface Violation {
  readonly index: KeptIndex;
  readonly indexKey: Uint8Array;
  /** The row that is to be written, and the one that has the key. */
  readonly rowKey: Uint8Array;
  readonly owner: Uint8Array;
}

/** The row that has a key of a unique index. */
export interface Owner {
  readonly rowKey: Uint8Array;
  /** Then another row may take the key. */
  readonly hasExpired: boolean;
  /** Whether its row is not there, so another may take the key, too. Only a row that expires can be gone without its entry. */
  readonly isGone?: () => boolean;
}

/** What the value of a unique index's entry says; undefined where there is none. */
export type OwnerOf = (entryKey: Uint8Array, index: KeptIndex) => Owner | undefined;

export type EntryOperations =
  | { readonly operations: readonly WalOperation[] }
  | { readonly violation: Violation };

/**
 * What becomes of the entries when rows change, all at once: a key that one row of them gives up, another may take. First come the deletions, then what is
 * put, each in the order of the changes. An entry that is there already is not written again, unless the index is being built: then it may
 * not be there.
 *
 * An entry of a unique index that another row has is never deleted: a clock that went back at a restart, or a build that found two
 * rows with one key, can leave a row whose key another one has.
 * @param maxKeyBytes of an entry
 * @throws KayaError KAYA_INVALID_ARGUMENT for an index key that is too long
 */
export function entryOperations(
  changes: readonly EntryChange[],
  maxKeyBytes: number,
  ownerOf: OwnerOf,
): EntryOperations {
  const deleted = new Map<string, Uint8Array>();
  const put: PutEntry[] = [];
  for (const change of changes) noteDeletions(change, ownerOf, deleted);
  const taken = new Map<string, Uint8Array>();
  for (const change of changes) {
    const count = put.length;
    const violation = notePuts(change, ownerOf, deleted, taken, put);
    if (violation !== undefined) return { violation };
    for (const { key } of put.slice(count)) assertShort(key, change.index, maxKeyBytes);
  }
  for (const { key } of put) deleted.delete(nameOfBytes(key));
  return { operations: [...[...deleted.values()].map(deletion), ...put.map(putting)] };
}

interface PutEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiresAt: number | undefined;
}

const NO_BYTES = new Uint8Array(0);

function noteDeletions(change: EntryChange, ownerOf: OwnerOf, deleted: Map<string, Uint8Array>): void {
  const { index, rowKey, before, after } = change;
  for (const indexKey of before) {
    if (includes(after, indexKey)) continue;
    const key = keyOf(index, indexKey, rowKey);
    if (index.unique && !isSameBytes(ownerOf(key, index)?.rowKey, rowKey)) continue;
    deleted.set(nameOfBytes(key), key);
  }
}

function notePuts(
  { index, rowKey, before, after, expiredAt, expiresAt }: EntryChange,
  ownerOf: OwnerOf,
  deleted: ReadonlyMap<string, Uint8Array>,
  taken: Map<string, Uint8Array>,
  put: PutEntry[],
): Violation | undefined {
  for (const indexKey of after) {
    const isThere = !index.isBuilding && expiredAt === expiresAt && includes(before, indexKey);
    const key = keyOf(index, indexKey, rowKey);
    if (index.unique) {
      const name = nameOfBytes(key);
      const other = taken.get(name);
      if (other !== undefined) return { index, indexKey, rowKey, owner: other };
      taken.set(name, rowKey);
      if (isThere) continue;
      const owner = deleted.has(name) ? undefined : ownerOf(key, index);
      if (owner !== undefined && !isSameBytes(owner.rowKey, rowKey) && !isFree(owner))
        return { index, indexKey, rowKey, owner: owner.rowKey };
    } else if (isThere) continue;
    put.push({ key, value: index.unique ? rowKey : NO_BYTES, expiresAt });
  }
  return undefined;
}

function isFree({ hasExpired, isGone }: Owner): boolean {
  return hasExpired || isGone?.() === true;
}

function assertShort({ length }: Uint8Array, { name }: KeptIndex, maxKeyBytes: number): void {
  if (length <= maxKeyBytes) return;
  throw invalid(
    `nothing was written: an entry of the index ${describe(name)} would have a key of ${length} bytes, over limits.maxKeyBytes (${maxKeyBytes}). ` +
      "Make shorter index keys: the beginning of a text, or a hash of it",
  );
}

function keyOf({ id, unique }: KeptIndex, indexKey: Uint8Array, rowKey: Uint8Array): Uint8Array {
  return entryKey(id, indexKey, unique ? undefined : rowKey);
}

function deletion(key: Uint8Array): WalOperation {
  return { type: "delete", key };
}

function putting({ key, value, expiresAt }: PutEntry): WalOperation {
  return { type: "put", key, value, ...(expiresAt !== undefined && { expiresAt }) };
}

export function includes(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((each) => isSameBytes(each, key));
}
