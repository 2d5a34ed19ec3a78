import { type EntryKind, MergingCursor, PUT, type RangeTombstone, TOMBSTONE } from "@kaya/lsm";
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

  set(key: string, kind: EntryKind, value: string, sequence: number): void {
    this.entries.set(key, { key, kind, value, sequence });
  }

  /** The sequence of the newest range tombstone over the key. */
  rangeOver(key: string): number | undefined {
    return this.ranges.findLast(({ start, end }) => start <= key && (end === undefined || key < end))
      ?.sequence;
  }

  stateOf(key: string): { kind: EntryKind; sequence: number } | undefined {
    const entry = this.entries.get(key);
    const range = this.rangeOver(key);
    if (entry !== undefined && entry.sequence > (range ?? 0))
      return { kind: entry.kind, sequence: entry.sequence };
    return range === undefined ? undefined : { kind: TOMBSTONE, sequence: range };
  }

  get(key: string): string | null | undefined {
    const state = this.stateOf(key);
    return state && (state.kind === PUT ? (this.entries.get(key)?.value ?? null) : null);
  }

  /** In key order. */
  all(): readonly ModelEntry[] {
    return [...this.entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Those that no range tombstone hides, and, unless they are asked for, no tombstones. */
  visible(showTombstones = false): readonly ModelEntry[] {
    return this.all().filter(
      ({ key, kind, sequence }) => sequence > (this.rangeOver(key) ?? 0) && (showTombstones || kind === PUT),
    );
  }
}

export type Operation =
  | { readonly type: "put" | "delete"; readonly keys: readonly string[] }
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
    if (operation.type === "put") {
      // Of lengths that sometimes fit in the place of the value before, and sometimes do not.
      const value = `${sequence}`.repeat(sequence % 5);
      table.put(bytes(key), bytes(value), sequence);
      model.set(key, PUT, value, sequence);
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
      type: fc.constantFrom("put" as const, "put" as const, "delete" as const),
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
  return new MergingCursor([view.run()], { showTombstones });
}

export function entryOf(cursor: Pick<MergingCursor, "key" | "kind" | "sequence" | "value">): ModelEntry {
  const { key, kind, sequence, value } = cursor;
  return { key: text(key), kind, value: text(value), sequence };
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
