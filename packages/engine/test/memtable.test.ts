import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareBytes, successorOfPrefix } from "../src/memtable/bytes.js";
import {
  createMemtable,
  type Entry,
  type KeyRange,
  type Memtable,
  type MemtableView,
} from "../src/memtable/memtable.js";

/** Latin-1 strings sort as the bytes they stand for do, by code that is not ours. */
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const bytes = (latin1: string): Uint8Array => new Uint8Array(Buffer.from(latin1, "latin1"));

interface ModelEntry {
  readonly key: string;
  readonly value: string;
  readonly sequence: number;
}

type TextRange = { [side in "gt" | "gte" | "lt" | "lte"]?: string | undefined } & {
  reverse?: boolean | undefined;
  limit?: number | undefined;
};

/** What a memtable must answer, in the plainest way. */
class Model {
  readonly #entries = new Map<string, ModelEntry>();

  put(entry: ModelEntry): void {
    this.#entries.set(entry.key, entry);
  }

  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  sorted(): readonly ModelEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

function modelRange(sorted: readonly ModelEntry[], range: TextRange): readonly ModelEntry[] {
  const { gt, gte, lt, lte, reverse, limit } = range;
  const within = sorted.filter(
    ({ key }) =>
      (gt === undefined || key > gt) &&
      (gte === undefined || key >= gte) &&
      (lt === undefined || key < lt) &&
      (lte === undefined || key <= lte),
  );
  return (reverse ? within.toReversed() : within).slice(0, limit);
}

function toKeyRange(range: TextRange): KeyRange {
  const given = Object.entries(range).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    given.map(([name, value]) => [name, typeof value === "string" ? bytes(value) : value]),
  );
}

const toModel = (entry: Entry): ModelEntry => ({
  key: text(entry.key),
  value: text(entry.value),
  sequence: entry.sequence,
});

const read = (view: MemtableView, range?: KeyRange): ModelEntry[] => Array.from(view.entries(range), toModel);

const keysOf = (view: MemtableView, range?: TextRange): string[] =>
  read(view, range && toKeyRange(range)).map(({ key }) => key);

function filled(...keys: string[]): Memtable {
  const table = createMemtable();
  keys.forEach((key, i) => {
    table.put(bytes(key), bytes(`v${key}`), i + 1);
  });
  return table;
}

/** Keys where bugs of order live: empty, zero bytes, 0xff, one a prefix of the other, equal for longer than inline comparison goes. */
const nastyKey = fc.oneof(
  fc.string({ unit: fc.constantFrom("\x00", "\x01", "a", "\x7f", "\x80", "\xff"), maxLength: 4 }),
  fc
    .string({ unit: fc.constantFrom("\x00", "b", "\xff"), maxLength: 4 })
    .map((tail) => "user:".repeat(12) + tail),
);

const rangeOf = (key: fc.Arbitrary<string>): fc.Arbitrary<TextRange> =>
  fc.record(
    { gt: key, gte: key, lt: key, lte: key, reverse: fc.boolean(), limit: fc.nat({ max: 200 }) },
    { requiredKeys: [] },
  );

type Operation =
  | { type: "put" | "delete"; keys: readonly string[] }
  | { type: "range"; range: TextRange }
  | { type: "snapshot" };

/** Runs of neighbouring keys, long enough for a tree of three levels to grow and shrink within one property run. */
const keyRun = fc
  .record({
    first: fc.nat({ max: 5000 }),
    count: fc.nat({ max: 1500 }),
    stride: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ first, count, stride }) =>
    Array.from({ length: count }, (_, i) => numberedKey(first + i * stride)),
  );

const numberedKey = (n: number): string => String.fromCharCode(0xff, n >>> 8, n & 0xff);

const anyKey = fc.oneof(nastyKey, fc.nat({ max: 10_000 }).map(numberedKey));
const anyKeys = fc.oneof(fc.array(nastyKey, { maxLength: 40 }), keyRun);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("put", "delete"), keys: anyKeys }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("range"), range: rangeOf(anyKey) }) },
  { weight: 2, arbitrary: fc.constant({ type: "snapshot" } as const) },
);

function apply(table: Memtable, model: Model, operations: readonly Operation[]): void {
  const snapshots: { view: MemtableView; expected: readonly ModelEntry[] }[] = [];
  let sequence = 0;
  for (const step of operations) {
    if (step.type === "put") {
      for (const key of step.keys) {
        const entry = { key, value: `${++sequence}`, sequence };
        table.put(bytes(key), bytes(entry.value), sequence);
        model.put(entry);
      }
    } else if (step.type === "delete") {
      for (const key of step.keys) expect(table.delete(bytes(key))).toBe(model.delete(key));
    } else if (step.type === "range") {
      expect(read(table, toKeyRange(step.range))).toEqual(modelRange(model.sorted(), step.range));
    } else {
      snapshots.push({ view: table.snapshot(), expected: model.sorted() });
    }
  }
  for (const { view, expected } of [...snapshots, { view: table, expected: model.sorted() }]) {
    expectHolds(view, expected);
  }
}

function expectHolds(view: MemtableView, expected: readonly ModelEntry[]): void {
  expect(view.size).toBe(expected.length);
  expect(read(view)).toEqual(expected);
  expect(read(view, { reverse: true })).toEqual(expected.toReversed());
  for (const entry of expected) {
    const found = view.get(bytes(entry.key));
    if (found === undefined || found.sequence !== entry.sequence)
      expect(found && toModel(found)).toEqual(entry);
  }
}

function sumOfLengths(entries: readonly ModelEntry[], part: "key" | "value"): number {
  return entries.reduce((sum, entry) => sum + entry[part].length, 0);
}

describe("the memtable against a model", () => {
  test("answers as a sorted array does, in the present and in every snapshot", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 24 }), (operations) => {
        const table = createMemtable();
        const model = new Model();
        apply(table, model, operations);
        expect(table.keyBytes).toBe(sumOfLengths(model.sorted(), "key"));
        expect(table.valueBytes).toBe(sumOfLengths(model.sorted(), "value"));
      }),
      { numRuns: 60 },
    );
  });

  test("answers every range over nasty keys", () => {
    fc.assert(
      fc.property(
        fc.array(nastyKey, { maxLength: 150 }),
        fc.array(rangeOf(nastyKey), { maxLength: 10 }),
        (keys, ranges) => {
          const table = filled(...keys);
          const sorted = read(table);
          expect(sorted.map(({ key }) => key)).toEqual([...new Set(keys)].sort());
          for (const range of ranges)
            expect(read(table, toKeyRange(range))).toEqual(modelRange(sorted, range));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("answers each combination of bounds, direction and limit, on, between and beyond the keys", () => {
    const table = filled(...Array.from({ length: 300 }, (_, i) => numberedKey(2 * i + 1)));
    const sorted = read(table);
    const bounds = [
      undefined,
      "",
      numberedKey(0),
      numberedKey(129),
      numberedKey(130),
      numberedKey(599),
      "\xff\xff",
    ];
    const choices = bounds.flatMap((a) => bounds.map((b) => [a, b] as const));
    for (const [gt, gte] of choices) {
      for (const [lt, lte] of choices) {
        for (const [reverse, limit] of [[false], [true], [true, 70], [false, 70], [false, 0]] as const) {
          const range = { gt, gte, lt, lte, reverse, limit };
          const expected = modelRange(sorted, range).map(({ key }) => key);
          expect(keysOf(table, range).join()).toBe(expected.join());
        }
      }
    }
  });
});

describe("entries", () => {
  test("an empty key and an empty value are a key and a value", () => {
    const table = createMemtable();
    table.put(bytes(""), bytes(""), 7);
    expect(read(table)).toEqual([{ key: "", value: "", sequence: 7 }]);
    expect(table.get(bytes(""))?.sequence).toBe(7);
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([1, 0, 0]);
    expect(table.delete(bytes(""))).toBe(true);
    expect(table.delete(bytes(""))).toBe(false);
    expect(table.size).toBe(0);
  });

  test("a put over a key replaces value and sequence", () => {
    const table = filled("a", "b");
    table.put(bytes("a"), bytes("longer"), 9);
    expect(read(table)).toEqual([
      { key: "a", value: "longer", sequence: 9 },
      { key: "b", value: "vb", sequence: 2 },
    ]);
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([2, 2, 8]);
  });

  test("are plain copies: the caller's buffers are free after put", () => {
    const table = createMemtable();
    const key = Buffer.from("key");
    const value = Buffer.from("value");
    table.put(key, value, 1);
    key.fill(0);
    value.fill(0);
    const entry = table.get(bytes("key"));
    expect(read(table)).toEqual([{ key: "key", value: "value", sequence: 1 }]);
    expect(entry?.key.constructor).toBe(Uint8Array);
    expect(entry?.value.constructor).toBe(Uint8Array);
  });

  test("an entry found by a longer or shorter key is none", () => {
    const table = filled("ab");
    for (const key of ["", "a", "aba", "ab\0"]) expect(table.get(bytes(key))).toBeUndefined();
  });

  test("sequence numbers past 32 bits stay exact", () => {
    const table = createMemtable();
    table.put(bytes("k"), bytes("v"), Number.MAX_SAFE_INTEGER);
    expect(table.get(bytes("k"))?.sequence).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("iteration", () => {
  test("of the live table shows it as of the call", () => {
    const keys = Array.from({ length: 500 }, (_, i) => numberedKey(i));
    const table = filled(...keys);
    const iterator = table.entries();
    for (const key of keys) table.delete(bytes(key));
    table.put(bytes("new"), bytes(""), 1000);
    expect(Array.from(iterator, ({ key }) => text(key))).toEqual(keys);
    expect(keysOf(table)).toEqual(["new"]);
  });

  test("survives deleting each entry as it comes", () => {
    const table = filled(...Array.from({ length: 1000 }, (_, i) => numberedKey(i)));
    let count = 0;
    for (const { key } of table.entries()) {
      expect(table.delete(key)).toBe(true);
      count++;
    }
    expect([count, table.size]).toEqual([1000, 0]);
  });

  test.each([
    { lower: "gte", upper: "lt", reverse: false, count: 390 },
    { lower: "gt", upper: "lte", reverse: false, count: 390 },
    { lower: "gte", upper: "lte", reverse: true, count: 391 },
    { lower: "gt", upper: "lt", reverse: true, count: 389 },
  ])("keeps $lower and $upper when the caller's buffers change (reverse: $reverse)", (given) => {
    const table = filled(...Array.from({ length: 500 }, (_, i) => numberedKey(i)));
    const lower = bytes(numberedKey(10));
    const upper = bytes(numberedKey(400));
    const iterator = table.entries({ [given.lower]: lower, [given.upper]: upper, reverse: given.reverse });
    // Each bound moves so that the scan would miss entries, or take more of them, when it comes to it.
    lower.fill(given.reverse ? 0 : 0xff);
    upper.fill(given.reverse ? 0xff : 0);
    expect(Array.from(iterator)).toHaveLength(given.count);
  });

  test("that was broken off is over", () => {
    const iterator = filled("a", "b", "c").entries();
    for (const { key } of iterator) {
      expect(text(key)).toBe("a");
      break;
    }
    expect(iterator.next().done).toBe(true);
  });

  test("stays over after its end", () => {
    const iterator = filled("a").entries();
    expect([iterator.next().done, iterator.next().done, iterator.next().done]).toEqual([false, true, true]);
  });

  test("over an empty table is over at once", () => {
    for (const range of [{}, { reverse: true }, { gt: bytes("a") }, { lt: bytes("a"), reverse: true }]) {
      expect(createMemtable().entries(range).next().done).toBe(true);
    }
  });
});

describe("snapshots", () => {
  test("a thousand of them, one a write, each show their own time", () => {
    const table = createMemtable();
    const views: MemtableView[] = [];
    for (let i = 0; i < 1000; i++) {
      views.push(table.snapshot());
      table.put(bytes(numberedKey((i * 7919) % 1000)), bytes(`${i}`), i + 1);
    }
    for (let i = 0; i < 1000; i++) {
      table.delete(bytes(numberedKey(i)));
      views.push(table.snapshot());
    }
    const sizes = Array.from({ length: 2000 }, (_, i) => (i < 1000 ? i : 1999 - i));
    expect(views.map((view) => view.size)).toEqual(sizes);
    expect(views.map((view) => Array.from(view.entries()).length)).toEqual(sizes);
  });

  test("keep value and sequence of an overwritten key", () => {
    const table = filled("a");
    const before = table.snapshot();
    table.put(bytes("a"), bytes("new"), 2);
    const after = table.snapshot();
    table.delete(bytes("a"));
    expect(read(before)).toEqual([{ key: "a", value: "va", sequence: 1 }]);
    expect(read(after)).toEqual([{ key: "a", value: "new", sequence: 2 }]);
    expect(table.get(bytes("a"))).toBeUndefined();
  });
});

describe("a hundred thousand entries", () => {
  const count = 100_000;
  const sequential = Array.from({ length: count }, (_, i) => i);
  // 48,271 and 100,000 have no common divisor, so this visits each number once.
  const scattered = sequential.map((i) => (i * 48_271) % count);
  const key = Buffer.alloc(4);
  const value = new Uint8Array(10);
  const numbered = (n: number): Uint8Array => {
    key.writeUInt32BE(n);
    return key;
  };

  test.each([
    { name: "in order, out in order", into: sequential, out: sequential },
    { name: "in order, out backwards", into: sequential, out: sequential.toReversed() },
    { name: "backwards in, scattered out", into: sequential.toReversed(), out: scattered },
    { name: "scattered in, in order out", into: scattered, out: sequential },
  ])("$name, leave nothing", ({ into, out }) => {
    const table = createMemtable();
    for (const n of into) table.put(numbered(n), value, n + 1);
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([count, 4 * count, 10 * count]);
    expect(Array.from(table.entries(), (entry) => entry.sequence)).toEqual(sequential.map((n) => n + 1));
    expect(out.filter((n) => !table.delete(numbered(n)))).toEqual([]);
    expect([table.size, table.keyBytes, table.valueBytes]).toEqual([0, 0, 0]);
    expect(read(table)).toEqual([]);
  });
});

describe("compareBytes", () => {
  test("orders as Buffer.compare does", () => {
    const long = fc.uint8Array({ maxLength: 3 }).map((tail) => bytes("x".repeat(47) + text(tail)));
    const any = fc.oneof(fc.uint8Array({ maxLength: 6 }), long);
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(compareBytes(a, a)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("successorOfPrefix", () => {
  const prefix = fc.string({ unit: fc.constantFrom("\x00", "a", "\xfe", "\xff"), maxLength: 5 });

  test("is behind every key with the prefix and not behind any other key that is", () => {
    fc.assert(
      fc.property(prefix, prefix, (start, other) => {
        const end = successorOfPrefix(bytes(start));
        const inRange = (key: string): boolean => key >= start && (end === undefined || key < text(end));
        expect(inRange(start + other)).toBe(true);
        expect(inRange(other)).toBe(other.startsWith(start));
      }),
      { numRuns: 1000 },
    );
  });

  test("is undefined where nothing is behind the prefix", () => {
    for (const start of ["", "\xff", "\xff\xff"]) expect(successorOfPrefix(bytes(start))).toBeUndefined();
  });

  test("drops trailing 0xff and leaves the prefix as it was", () => {
    const start = Buffer.from([0x61, 0xff, 0xff]);
    const end = successorOfPrefix(start);
    expect(end).toEqual(new Uint8Array([0x62]));
    expect(end?.constructor).toBe(Uint8Array);
    expect([...start]).toEqual([0x61, 0xff, 0xff]);
  });
});
