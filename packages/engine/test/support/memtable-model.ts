import { type EntryKind, EXPIRING, MergingCursor, PUT, type RangeTombstone, TOMBSTONE } from "@kaya/lsm";
import fc from "fast-check";
import type { Memtable } from "../../src/memtable/memtable.js";
import type { MemtableSnapshot } from "../../src/memtable/memtable-snapshot.js";

/** Latin-1 strings sort as the bytes they stand for do, by code that is not ours. */
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
export const bytes = (latin1: string): Uint8Array => new Uint8Array(Buffer.from(latin1, "latin1"));

export interface ModelEntry {
  readonly key: string;
  readonly kind: EntryKind;
  readonly value: string;
  readonly sequence: number;
  /** Of the kind EXPIRING; of another kind 0. */
  readonly expiresAt: number;
}

export interface ModelRange {
  readonly start: string;
  readonly end: string | undefined;
  readonly sequence: number;
}

/** What a memtable must say, in the plainest way. */
export class Model {
  readonly entries: Map<string, ModelEntry>;
  readonly ranges: ModelRange[];

  constructor(other?: Model) {
    this.entries = new Map(other?.entries);
    this.ranges = [...(other?.ranges ?? [])];
  }

  set(key: string, kind: EntryKind, value: string, sequence: number, expiresAt = 0): void {
    this.entries.set(key, { key, kind, value, sequence, expiresAt });
  }

  /** The sequence of the newest range tombstone over the key. */
  rangeOver(key: string): number | undefined {
    return this.ranges.findLast(({ start, end }) => start <= key && (end === undefined || key < end))
      ?.sequence;
  }

  stateOf(key: string): { kind: EntryKind; sequence: number; expiresAt: number | undefined } | undefined {
    const entry = this.entries.get(key);
    const range = this.rangeOver(key);
    if (entry !== undefined && entry.sequence > (range ?? 0)) {
      const { kind, sequence, expiresAt } = entry;
      return { kind, sequence, expiresAt: kind === EXPIRING ? expiresAt : undefined };
    }
    return range === undefined ? undefined : { kind: TOMBSTONE, sequence: range, expiresAt: undefined };
  }

  get(key: string): string | null | undefined {
    const state = this.stateOf(key);
    const entry = this.entries.get(key);
    return state && (entry !== undefined && isThere({ ...entry, ...state }) ? entry.value : null);
  }

  /** In key order. */
  all(): readonly ModelEntry[] {
    return [...this.entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Those that no range tombstone hides, and, unless they are asked for, no tombstones. */
  visible(showTombstones = false): readonly ModelEntry[] {
    return this.all().filter(
      (entry) => entry.sequence > (this.rangeOver(entry.key) ?? 0) && (showTombstones || isThere(entry)),
    );
  }
}

/** The time at which tests read: of what expires, some has by then. */
export const NOW = 1_700_000_000_000;
const TIMES = [1, NOW - 1, NOW, NOW + 1, Number.MAX_SAFE_INTEGER];

function isThere({ kind, expiresAt }: { kind: EntryKind; expiresAt: number | undefined }): boolean {
  return kind === PUT || (kind === EXPIRING && (expiresAt ?? 0) > NOW);
}

export type Operation =
  | { readonly type: "put" | "expire" | "delete"; readonly keys: readonly string[] }
  | { readonly type: "deleteRange"; readonly start: string; readonly end: string | undefined };

/** Does the same to both. @returns the last sequence */
export function change(table: Memtable, model: Model, operation: Operation, before: number): number {
  let sequence = before;
  if (operation.type === "deleteRange") {
    const { start, end } = operation;
    table.deleteRange(bytes(start), end === undefined ? undefined : bytes(end), ++sequence);
    model.ranges.push({ start, end, sequence });
    return sequence;
  }
  for (const key of operation.keys) {
    sequence++;
    // Of lengths that sometimes fit in the place of the value before, and sometimes do not.
    const value = `${sequence}`.repeat(sequence % 5);
    if (operation.type === "put") {
      table.put(bytes(key), bytes(value), sequence);
      model.set(key, PUT, value, sequence);
    } else if (operation.type === "expire") {
      const expiresAt = TIMES[sequence % TIMES.length];
      table.put(bytes(key), bytes(value), sequence, false, expiresAt);
      model.set(key, EXPIRING, value, sequence, expiresAt);
    } else {
      table.delete(bytes(key), sequence);
      model.set(key, TOMBSTONE, "", sequence);
    }
  }
  return sequence;
}

/** Keys where bugs of order live: empty, zero bytes, 0xff, one a prefix of the other, equal for longer than inline comparison goes. */
export const nastyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("\x00", "\x01", "a", "\x7f", "\x80", "\xff"), maxLength: 4 }),
  fc
    .string({ unit: fc.constantFrom("\x00", "b", "\xff"), maxLength: 4 })
    .map((tail) => "user:".repeat(14) + tail),
);

export const numberedKey = (n: number): string => String.fromCharCode(0xff, n >>> 8, n & 0xff);

/** Runs of neighbouring keys, long enough for a tree of three levels to grow within one run of a property. */
const keyRun = fc
  .record({
    first: fc.nat({ max: 5000 }),
    count: fc.nat({ max: 1500 }),
    stride: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ first, count, stride }) =>
    Array.from({ length: count }, (_, i) => numberedKey(first + i * stride)),
  );

export const anyKey = fc.oneof(nastyKey, fc.nat({ max: 10_000 }).map(numberedKey));

export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constantFrom("put" as const, "put" as const, "expire" as const, "delete" as const),
      keys: fc.oneof(fc.array(nastyKey, { maxLength: 40 }), keyRun),
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        type: fc.constant("deleteRange" as const),
        start: anyKey,
        end: fc.option(anyKey, { nil: undefined, freq: 6 }),
      })
      .filter(({ start, end }) => end === undefined || start < end),
  },
);

/** A cursor over what is to be seen of a snapshot. */
export function cursorOver(view: MemtableSnapshot, showTombstones = false): MergingCursor {
  return new MergingCursor([view.run()], { showTombstones, now: NOW });
}

export function entryOf(
  cursor: Pick<MergingCursor, "key" | "kind" | "sequence" | "expiresAt" | "value">,
): ModelEntry {
  const { key, kind, sequence, expiresAt, value } = cursor;
  return { key: text(key), kind, value: text(value), sequence, expiresAt };
}

export function readAll(view: MemtableSnapshot, reverse = false, showTombstones = false): ModelEntry[] {
  const cursor = cursorOver(view, showTombstones);
  const found: ModelEntry[] = [];
  let moved = reverse ? cursor.seekLast() : cursor.seekFirst();
  while (moved === true) {
    found.push(entryOf(cursor));
    moved = reverse ? cursor.previous() : cursor.next();
  }
  return found;
}

export const asText = ({ start, end, sequence }: RangeTombstone): ModelRange => ({
  start: text(start),
  end: end && text(end),
  sequence,
});
