import { MergingCursor } from "@kaya/lsm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Memtable } from "../src/memtable/memtable.js";
import type { MemtableCursor } from "../src/memtable/memtable-cursor.js";
import type { MemtableSnapshot } from "../src/memtable/memtable-snapshot.js";
import { flushSource } from "../src/store/flush-source.js";
import {
  anyKey,
  anyOperation,
  bytes,
  change,
  cursorOver,
  entryOf,
  Model,
  type ModelEntry,
  NOW,
  numberedKey,
  type Operation,
  readAll,
} from "./support/memtable-model.js";

vi.setConfig({ testTimeout: 120_000 });

type Move =
  | { readonly to: "first" | "last" | "next" | "previous" }
  | { readonly to: "seek" | "before" | "upTo"; readonly key: string };

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ to: fc.constantFrom("next" as const, "previous" as const) }) },
  { weight: 1, arbitrary: fc.record({ to: fc.constantFrom("first" as const, "last" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      to: fc.constantFrom("seek" as const, "before" as const, "upTo" as const),
      key: anyKey,
    }),
  },
);

/** Each move some times: a change of direction at every place, and runs across leaves. */
const moves = fc.array(fc.tuple(move, fc.integer({ min: 1, max: 150 })), { maxLength: 30 });

type Cursor = Pick<
  MergingCursor,
  | "key"
  | "kind"
  | "sequence"
  | "expiresAt"
  | "value"
  | "seekFirst"
  | "seekLast"
  | "seek"
  | "seekBefore"
  | "next"
  | "previous"
>;

function moveCursor(cursor: Cursor, { to, ...rest }: Move): boolean | Promise<boolean> {
  const key = "key" in rest ? bytes(rest.key) : bytes("");
  if (to === "first") return cursor.seekFirst();
  if (to === "last") return cursor.seekLast();
  if (to === "seek") return cursor.seek(key);
  if (to === "before" || to === "upTo") return cursor.seekBefore(key, to === "upTo");
  return to === "next" ? cursor.next() : cursor.previous();
}

/** Where the move leads in a sorted array; -1: to no entry. */
function moveIn(sorted: readonly ModelEntry[], at: number, moved: Move): number {
  if (moved.to === "first") return sorted.length === 0 ? -1 : 0;
  if (moved.to === "last") return sorted.length - 1;
  if (moved.to === "seek") return sorted.findIndex(({ key }) => key >= moved.key);
  if (moved.to === "before") return sorted.findLastIndex(({ key }) => key < moved.key);
  if (moved.to === "upTo") return sorted.findLastIndex(({ key }) => key <= moved.key);
  if (at < 0 || moved.to === "previous") return at < 0 ? -1 : at - 1;
  return at + 1 < sorted.length ? at + 1 : -1;
}

function expectMoves(
  cursor: Cursor,
  sorted: readonly ModelEntry[],
  given: readonly (readonly [Move, number])[],
): void {
  let at = -1;
  for (const [each, times] of given) {
    const isSeek = each.to !== "next" && each.to !== "previous";
    for (let i = 0; i < (isSeek ? 1 : times); i++) {
      at = moveIn(sorted, at, each);
      // A plain boolean: no move waits.
      expect(moveCursor(cursor, each)).toBe(at >= 0);
      if (at < 0) break;
      expect(entryOf(cursor)).toEqual(sorted[at]);
    }
  }
}

interface Held {
  readonly view: MemtableSnapshot;
  readonly model: Model;
}

/** A snapshot after each operation. */
function snapshotsOf(table: Memtable, operations: readonly Operation[], from = 0): Held[] {
  const model = new Model();
  let sequence = from;
  return operations.map((operation) => {
    sequence = change(table, model, operation, sequence);
    return { view: table.snapshot(), model: new Model(model) };
  });
}

describe("a cursor over a snapshot, whatever is changed after it", () => {
  const operations = fc.array(anyOperation, { minLength: 1, maxLength: 8 });
  const hashSecret = { low: 1, high: 2 };

  test("goes as one over a sorted array does", () => {
    const property = fc.property(operations, moves, fc.boolean(), (steps, given, showTombstones) => {
      for (const { view, model } of snapshotsOf(new Memtable({ hashSecret }), steps)) {
        expectMoves(view.run().cursor, model.all(), given);
        expectMoves(cursorOver(view, showTombstones), model.visible(showTombstones), given);
        view.release();
      }
    });
    fc.assert(property, { numRuns: 80 });
  });

  test("goes on where it was, while the memtable is changed between its moves", () => {
    const property = fc.property(operations, operations, (before, meanwhile) => {
      const table = new Memtable({ hashSecret });
      const held = snapshotsOf(table, before).at(-1) as Held; // there is at least one
      const expected = held.model.visible();
      const cursor = cursorOver(held.view);
      const model = new Model();
      let sequence = table.lastSequence ?? 0;
      let moved = cursor.seekFirst();
      for (let at = 0; at < expected.length; at++) {
        expect(moved).toBe(true);
        const operation = meanwhile[at % 97];
        if (operation !== undefined && at < 1000) sequence = change(table, model, operation, sequence);
        expect(entryOf(cursor)).toEqual(expected[at]);
        moved = cursor.next();
      }
      expect(moved).toBe(false);
      table.audit();
    });
    fc.assert(property, { numRuns: 40 });
  });

  test("merges with an older, sealed memtable, over which its range tombstones reach", () => {
    const property = fc.property(operations, operations, moves, (older, newer, given) => {
      const sealed = new Memtable({ hashSecret });
      const old = snapshotsOf(sealed, older).at(-1) as Held; // there is at least one
      const active = new Memtable({ hashSecret });
      for (const { view, model } of snapshotsOf(active, newer, sealed.lastSequence)) {
        const both = new Model(old.model);
        for (const entry of model.entries.values()) both.entries.set(entry.key, entry);
        both.ranges.push(...model.ranges);
        expectMoves(new MergingCursor([view.run(), old.view.run()], { now: NOW }), both.visible(), given);
        view.release();
      }
    });
    fc.assert(property, { numRuns: 60 });
  });
});

describe("a cursor", () => {
  function filled(): MemtableSnapshot {
    const table = new Memtable();
    for (let i = 0; i < 500; i++) table.put(bytes(numberedKey(i)), bytes("v"), i + 1);
    return table.snapshot();
  }

  test("stands on no entry before its first move, at its ends, and once it is closed", () => {
    const { cursor } = filled().run();
    const expectNowhere = () => {
      for (const name of ["key", "kind", "sequence", "value"] as const)
        expect(() => cursor[name]).toThrow(expect.objectContaining({ code: "KAYA_INVARIANT_VIOLATION" }));
    };
    expectNowhere();
    expect([cursor.next(), cursor.previous()]).toEqual([false, false]);
    expect([cursor.seekLast(), cursor.next()]).toEqual([true, false]);
    expectNowhere();
    expect([cursor.seekFirst(), cursor.previous(), cursor.next()]).toEqual([true, false, false]);
    expectNowhere();
    expect(cursor.seekFirst()).toBe(true);
    cursor.close();
    cursor.close();
    expectNowhere();
    for (const moved of [() => cursor.seekFirst(), () => cursor.next(), () => cursor.seek(bytes(""))])
      expect(moved).toThrow(expect.objectContaining({ code: "KAYA_CLOSED" }));
  });

  test("keeps its snapshot from being dropped", () => {
    const view = filled();
    expect(view.run().cursor.source).toBe(view);
  });

  test("finds the piece again after keys outside of it, in either direction", () => {
    const table = new Memtable();
    table.deleteRange(bytes("b"), bytes("d"), 1);
    table.deleteRange(bytes("f"), undefined, 2);
    const run = table.snapshot().run();
    const keys = ["a", "b", "c", "d", "e", "f", "g"];
    const covered = (key: string) => run.covering(bytes(key))?.sequence;
    const expected = [undefined, 1, 1, undefined, undefined, 2, 2];
    expect(run.hasRangeTombstones).toBe(true);
    expect(keys.map(covered)).toEqual(expected);
    expect(keys.toReversed().map(covered)).toEqual(expected.toReversed());
  });
});

describe("what a flush is given", () => {
  test("is tombstones too, and nothing that the range tombstones beside it hide", () => {
    const table = new Memtable();
    for (const [i, key] of ["a", "b", "c", "d"].entries()) table.put(bytes(key), bytes("v"), i + 1);
    table.delete(bytes("a"), 5);
    table.delete(bytes("z"), 6);
    table.deleteRange(bytes("b"), bytes("d"), 7);
    table.delete(bytes("c"), 8);
    const view = table.snapshot();
    const entries = Array.from(flushSource(view).entries as Iterable<MemtableCursor>, entryOf);
    expect(entries.map(({ key, kind, sequence }) => [key, kind, sequence])).toEqual([
      ["a", 1, 5],
      ["c", 1, 8],
      ["d", 0, 4],
      ["z", 1, 6],
    ]);
    expect(view.rangeTombstones).toEqual([
      expect.objectContaining({ start: bytes("b"), end: bytes("d"), sequence: 7 }),
    ]);
    expect(readAll(view, false, true)).toEqual(entries);
  });
});

test("a scan behind a range tombstone that was the last change does not walk over what it hides", () => {
  const memtable = new Memtable();
  let sequence = 0;
  for (let i = 0; i < 2000; i++) memtable.put(bytes(numberedKey(i)), bytes("v"), ++sequence);
  memtable.deleteRange(bytes(""), undefined, ++sequence);
  const steps = () => {
    const snapshot = memtable.snapshot();
    const run = snapshot.run();
    const next = vi.spyOn(run.cursor, "next");
    const merged = new MergingCursor([run]);
    const seen = merged.seekFirst() === true ? Buffer.from(merged.key) : undefined;
    const last = merged.seekLast() === true ? Buffer.from(merged.key) : undefined;
    expect(last).toEqual(seen);
    merged.close();
    snapshot.release();
    return { seen, steps: next.mock.calls.length };
  };
  expect(steps()).toEqual({ seen: undefined, steps: 0 });
  memtable.put(bytes(numberedKey(1234)), bytes("new"), ++sequence);
  expect(steps().seen).toEqual(Buffer.from(bytes(numberedKey(1234))));
});
