import { describe, KayaError } from "@kaya/core";
import { operationsOf, type RangeDelete, type WalOperation, type WalPayload } from "@kaya/wal";
import { showKey } from "../conditions.js";
import { invalid } from "../input.js";
import { compareBytes, nameOfBytes, successorOfPrefix } from "../memtable/bytes.js";
import type { HeadEntry } from "../modify.js";
import { type DeclaredPrefix, isAlike } from "./declared-prefix.js";
import { definitionKey, encodeDefinition, type IndexDefinition } from "./definition.js";
import type { Definitions } from "./definitions.js";
import { entryKey, indexPrefix } from "./entry-key.js";
import type { DeclaredIndex } from "./index-options.js";
import { type EntryChange, entryOperations, includes, type KeptIndex, type Owner } from "./maintain.js";
import { notUnique } from "./not-unique.js";
import { aroundReserved, hasPrefix, isReserved, rangeOfPrefix } from "./reserved.js";

/** A write with what it does to indexes. */
export interface Extension {
  readonly payload: WalPayload;
  /** What is to be noted once it has its place. */
  readonly definitions: readonly IndexDefinition[];
}

export interface ExtensionParts {
  readonly definitions: Definitions;
  /** All that have an index, in the store or in the program. */
  readonly prefixes: readonly Uint8Array[];
  /** By the name of the prefix. */
  readonly declared: ReadonlyMap<string, DeclaredPrefix>;
  /** Entries at the head, for keys that are given together; those that have expired included. */
  readonly entries: (keys: readonly Uint8Array[]) => readonly HeadEntry[];
  readonly maxKeyBytes: number;
  /** In milliseconds since 1970. */
  readonly now: number;
}

/** A row as a write leaves it; without a value where it deletes it. */
interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly expiresAt: number | undefined;
}

/** What a write does to the rows of one prefix. */
interface PrefixChange {
  readonly prefix: Uint8Array;
  /** All rows that were there before are deleted. */
  isCleared: boolean;
  /** By their names, as they are in the end. */
  readonly rows: Map<string, Row>;
}

interface Kept extends KeptIndex {
  readonly prefix: Uint8Array;
  readonly declared: DeclaredIndex;
}

/** Whether an operation writes, deletes or clears a key under a prefix. */
export function touchesPrefix(operation: WalOperation, prefix: Uint8Array): boolean {
  if (operation.type !== "deleteRange") return hasPrefix(operation.key, prefix) && !isReserved(operation.key);
  return meets(operation, prefix);
}

/**
 * Adds to a write what it does to the entries of indexes; undefined where that is nothing. First come the operations as they were given, so each keeps
 * its sequence; a deletion of a range that goes over the keys of indexes is cut around these.
 * @throws KayaError KAYA_NOT_UNIQUE; KAYA_INVALID_ARGUMENT for rows of an index that no view of the program declares, for ranges that take only a part of
 *   the rows, and as the indexes' functions
 */
export function extend(payload: WalPayload, parts: ExtensionParts): Extension | undefined {
  if (parts.prefixes.length === 0) return undefined;
  const given = [...operationsOf(payload)];
  const operations = given.flatMap(withoutReserved);
  const changes = changesOf(operations, parts);
  const extension = new Extending(parts);
  for (const change of changes) extension.add(change);
  const added = extension.finish();
  if (added.length === 0 && operations.length === given.length) return undefined;
  return {
    payload: { type: "batch", operations: [...operations, ...added] },
    definitions: extension.written,
  };
}

class Extending {
  readonly #parts: ExtensionParts;
  readonly #cleared: WalOperation[] = [];
  readonly #changes: (EntryChange & { readonly index: Kept })[] = [];
  /** Ids of indexes that have no entries. */
  readonly #empty = new Set<number>();
  readonly written: IndexDefinition[] = [];
  #newId: number | undefined;

  constructor(parts: ExtensionParts) {
    this.#parts = parts;
  }

  add({ prefix, rows, isCleared }: PrefixChange): void {
    const stored = this.#parts.definitions.of(prefix);
    const declared = this.#parts.declared.get(nameOfBytes(prefix));
    if (rows.size > 0) assertDeclared(prefix, stored, declared);
    if (isCleared) for (const { id } of stored.values()) this.#deleteEntries(id);
    if (rows.size === 0) return;
    const indexes = [...(declared?.indexes.values() ?? [])].map((index) => this.#kept(prefix, index, stored));
    this.#addRows(prefix, indexes, [...rows.values()], isCleared);
  }

  /** @throws KayaError KAYA_NOT_UNIQUE */
  finish(): readonly WalOperation[] {
    this.#parts.entries(this.#uniqueKeys()); // all that must be read is read together
    const done = entryOperations(this.#changes, this.#parts.maxKeyBytes, (key, index) =>
      this.#ownerOf(key, index as Kept),
    );
    if ("violation" in done) {
      const { declared, prefix } = done.violation.index as Kept; // one of those that were given
      throw notUnique("write", prefix, declared, done.violation);
    }
    const definitions = this.written.map(putting);
    return [...this.#cleared, ...definitions, ...done.operations];
  }

  #addRows(prefix: Uint8Array, indexes: readonly Kept[], rows: readonly Row[], isCleared: boolean): void {
    const before = isCleared ? [] : this.#parts.entries(rows.map(({ key }) => key));
    for (const [i, row] of rows.entries()) {
      const old = before[i];
      for (const index of indexes) {
        this.#changes.push({
          index,
          rowKey: row.key.subarray(prefix.length),
          before: old?.value === undefined ? [] : keysBefore(index, row.key, old.value),
          after: row.value === undefined ? [] : index.declared.keysOf(row.key, row.value),
          expiredAt: old?.expiresAt,
          expiresAt: row.expiresAt,
        });
      }
    }
  }

  /** As the store has it; where it has it in no way, or in another, it is defined anew. */
  #kept(prefix: Uint8Array, declared: DeclaredIndex, stored: ReadonlyMap<string, IndexDefinition>): Kept {
    const { name, unique, codec, version } = declared;
    const found = stored.get(name);
    if (found !== undefined && isAlike(found, declared))
      return { prefix, declared, name, unique, id: found.id, isBuilding: found.state === "building" };
    const id = this.#newId ?? this.#parts.definitions.newId();
    this.#newId = id + 1;
    this.written.push({ prefix, name, id, unique, codec, version, state: "building" });
    // Also of the new one: somebody may have deleted a definition, and left its entries.
    for (const each of [found?.id, id]) if (each !== undefined) this.#deleteEntries(each);
    return { prefix, declared, name, unique, id, isBuilding: true };
  }

  #deleteEntries(id: number): void {
    if (!this.#empty.has(id)) this.#cleared.push(deletingEntries(id));
    this.#empty.add(id);
  }

  /** Those of the entries whose owners are asked for. */
  #uniqueKeys(): Uint8Array[] {
    return this.#changes.flatMap(({ index, before, after }) => {
      if (!index.unique || this.#empty.has(index.id)) return [];
      const given = before.filter((key) => !includes(after, key));
      const taken = index.isBuilding ? after : after.filter((key) => !includes(before, key));
      return [...given, ...taken].map((key) => entryKey(index.id, key));
    });
  }

  #ownerOf(key: Uint8Array, { id, prefix }: Kept): Owner | undefined {
    return this.#empty.has(id) ? undefined : ownerIn(this.#parts, prefix, key);
  }
}

/**
 * The index keys of a row as it is. Where they cannot be had, and the index is being built, it has no entry: the build has not come past it, and no write has. So
 * what stops a build can be replaced or deleted.
 */
function keysBefore(
  { name, declared, isBuilding }: Kept,
  key: Uint8Array,
  value: Uint8Array,
): readonly Uint8Array[] {
  try {
    return declared.keysOf(key, value);
  } catch (cause) {
    if (isBuilding) return [];
    if (!KayaError.is(cause)) throw cause;
    throw new KayaError(
      cause.code,
      `nothing was written: nobody knows which entries the row ${showKey(key)} has in the index ${describe(name)}, as its function or the codec of the view cannot take the row as it is now. ` +
        `Count up the \`version\` of the index: then the row can be replaced or deleted. ${cause.message}`,
      { cause, key: new Uint8Array(key) },
    );
  }
}

/**
 * The row that an entry of a unique index is of. One that expires may be gone without its entry: compaction drops the two at different moments, and a clock that
 * was set back makes the entry alive again.
 */
export function ownerIn(
  { entries, now }: Pick<ExtensionParts, "entries" | "now">,
  prefix: Uint8Array,
  key: Uint8Array,
): Owner | undefined {
  const [entry] = entries([key]);
  if (entry?.value === undefined) return undefined;
  const owner = { rowKey: entry.value, hasExpired: hasExpired(entry, now) };
  if (entry.expiresAt === undefined) return owner;
  const rowKey = Buffer.concat([prefix, entry.value]);
  const isGone = () => {
    const [row] = entries([rowKey]);
    return row?.value === undefined || hasExpired(row, now);
  };
  return { ...owner, isGone };
}

export function hasExpired({ expiresAt }: HeadEntry, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

export function putting(definition: IndexDefinition): WalOperation {
  const key = definitionKey(definition.prefix, definition.name);
  return { type: "put", key, value: encodeDefinition(definition) };
}

export function deletingEntries(id: number): RangeDelete {
  const { gte, lt } = rangeOfPrefix(indexPrefix(id));
  return { type: "deleteRange", start: gte, end: lt };
}

function changesOf(operations: readonly WalOperation[], parts: ExtensionParts): readonly PrefixChange[] {
  const changes = parts.prefixes.map(
    (prefix): PrefixChange => ({ prefix, isCleared: false, rows: new Map() }),
  );
  for (const operation of operations) {
    for (const change of changes) if (touchesPrefix(operation, change.prefix)) note(operation, change);
  }
  return changes.filter(({ isCleared, rows }) => isCleared || rows.size > 0);
}

function note(operation: WalOperation, change: PrefixChange): void {
  if (operation.type !== "deleteRange") {
    const { key } = operation;
    const { value, expiresAt } = operation as { readonly value?: Uint8Array; readonly expiresAt?: number };
    change.rows.set(nameOfBytes(key), { key, value, expiresAt });
    return;
  }
  if (!covers(operation, change.prefix))
    throw invalid(
      `a batch clears all rows of ${showKey(change.prefix)} or none, as they have an index: clear a part of them by \`clear(range)\`, outside of a batch`,
    );
  change.isCleared = true;
  change.rows.clear();
}

/** Whether a range has all keys of a prefix. */
export function covers({ start, end }: RangeDelete, prefix: Uint8Array): boolean {
  const after = successorOfPrefix(prefix);
  return (
    compareBytes(start, prefix) <= 0 &&
    (end === undefined || (after !== undefined && compareBytes(after, end) <= 0))
  );
}

/** Whether a range has a key of a prefix. */
function meets({ start, end }: RangeDelete, prefix: Uint8Array): boolean {
  const after = successorOfPrefix(prefix);
  return (
    (end === undefined || compareBytes(prefix, end) < 0) &&
    (after === undefined || compareBytes(start, after) < 0)
  );
}

/** A range within them is one of Kaya's own. */
function withoutReserved(operation: WalOperation): readonly WalOperation[] {
  if (operation.type !== "deleteRange") return [operation];
  const parts = aroundReserved(operation);
  return parts.length === 2
    ? parts.map((part): RangeDelete => ({ type: "deleteRange", ...part }))
    : [operation];
}

function assertDeclared(
  prefix: Uint8Array,
  stored: ReadonlyMap<string, IndexDefinition>,
  declared: DeclaredPrefix | undefined,
): void {
  for (const { name } of stored.values()) {
    if (declared?.indexes.has(name) === true) continue;
    throw invalid(
      `nothing was written: rows of ${showKey(prefix)} have the index ${describe(name)}, which no view of this program declares, so it cannot be kept. ` +
        `Declare it (indexes: { ${name}: … }), or drop it: view.dropIndex(${describe(name)})`,
    );
  }
}
